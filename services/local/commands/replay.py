"""`alphastocks replay`: a recorded day through all services at full speed."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.runtime.settings import SettingsError
from libs.store.store import Store
from services.executor.domain.stakes import stakes_of
from services.local import screen
from services.local.commands.options import (
    DEFAULT_SEED,
    Config,
    Day,
    Seed,
    Var,
    settings_of,
    trading_day,
)
from services.local.commands.places import check_database, check_folder, check_readable
from services.local.commands.played_day import DayRun, OnFrame
from services.local.day_screen import show_day
from services.local.play.database import database_of
from services.local.play.feeds import recorded_feed
from services.local.play.replaying import Played, play


def replay(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Recorded ticks: DIR/DATE/SYMBOL.csv.gz.")
    ],
    day: Day,
    out: Annotated[Path, typer.Option("--out", help="Folder for the outcome.")],
    symbols: Annotated[
        str | None, typer.Option("--symbols", help="Only these symbols, such as RELIANCE,SBIN.")
    ] = None,
    seed: Seed = DEFAULT_SEED,
    database: Annotated[
        str | None, typer.Option("--database", help="Database. [default: named after the inputs]")
    ] = None,
    config: Config = None,
    var: Var = Path("var"),
) -> None:
    """Play a recorded day through all six services at full speed, in paper mode.

    Earlier days in DIR warm the strategies up. A seeded chain quotes options from the recorded
    prices. The same inputs give the same outcome and the same sha256.

    Example: `alphastocks replay ticks_2021 --date 2021-06-09 --out var/replay`
    """
    settings, on = settings_of(config).in_paper(), trading_day(day)
    wanted = _symbols(symbols)
    check_folder("--out", out)
    if not settings.store.host:
        check_folder("--var", var)
    check_database(database)
    check_readable("DIR", folder)
    segments, expiries = settings.candle.segments, settings.executor.expiries_needed
    feed = recorded_feed(folder, on, wanted, seed, segments, expiries)
    screen.console.print(stakes_of(settings.executor.policy()).line)
    names = sorted(one.tradingsymbol for one in feed.recording.instruments)
    inputs = {"seed": seed, "day": on, "symbols": names, "settings": settings.public()}
    name = database or settings.store.database or database_of("replay", inputs)

    def play_day(store: Store, on_frame: OnFrame) -> Coroutine[Any, Any, Played]:
        return play(settings, feed, store, on_frame)

    played = DayRun("replay", on, settings, var, name, out).play(play_day)
    show_day(f"Replay of {on}, seed {seed}", played.summary, played.outcome.day, f"{out}/")
    screen.console.print(f"The whole outcome is in {out}/")


def _symbols(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = sorted({name.strip() for name in text.split(",")} - {""})
    if not names:
        raise SettingsError("--symbols: no symbol is named")
    return names
