"""`alphastocks replay`: a recorded day through all services at full speed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from libs.runtime.settings import SettingsError
from libs.store.store import Store
from services.executor.domain.stakes import stakes_of
from services.ingest.recordings.named import EXCHANGE
from services.local import screen
from services.local.commands.chain_replay import ChainReplay, replay_chain
from services.local.commands.options import (
    DEFAULT_SEED,
    Config,
    Seed,
    Var,
    settings_of,
    trading_day,
)
from services.local.commands.places import check_database, check_folder
from services.local.commands.played_day import DayRun, OnFrame
from services.local.commands.recorded_place import checked_exchange, named_by, recordings_at
from services.local.day_screen import show_day
from services.local.play.database import database_of
from services.local.play.feeds import recorded_feed, segments_of
from services.local.play.replaying import Played, play
from services.local.settings import LocalSettings


def replay(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="Recorded ticks: DIR/DATE/SYMBOL.csv.gz, other files, or one file."
        ),
    ] = None,
    *,
    day: Annotated[
        str | None, typer.Option("--date", help="Trading day, such as 2021-06-09.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the outcome.")],
    chain: Annotated[
        Path | None,
        typer.Option("--chain", metavar="FILE", help="Instead of DIR: NSE's option chain."),
    ] = None,
    signals: Annotated[
        Path | None,
        typer.Option("--signals", metavar="FILE", help="With --chain: signals, JSON a line."),
    ] = None,
    symbols: Annotated[
        str | None, typer.Option("--symbols", help="Only these symbols, such as RELIANCE,SBIN.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Symbol of files that name none.")
    ] = None,
    exchange: Annotated[
        str | None, typer.Option("--exchange", help="Exchange of files that name none, or of all.")
    ] = None,
    expiry: Annotated[
        str | None, typer.Option("--expiry", help="Expiry of futures whose files name none.")
    ] = None,
    instruments: Annotated[
        Path | None,
        typer.Option("--instruments", help="Kite's dump, for tokens, lots and expiries."),
    ] = None,
    seed: Seed = DEFAULT_SEED,
    database: Annotated[
        str | None, typer.Option("--database", help="Database. [default: named after the inputs]")
    ] = None,
    config: Config = None,
    var: Var = Path("var"),
) -> None:
    """Play a recorded day through all six services at full speed, in paper mode.

    Reads CSV, Kite's callbacks as lines of JSON, and Parquet. Earlier days in DIR warm the
    strategies up. A seeded chain quotes options from the recorded
    prices. The same inputs give the same outcome and the same sha256.

    With `--chain` recorded option chains are the market, and the signals of a file are traded by
    executor and position.

    Example: `alphastocks replay ticks_2021 --date 2021-06-09 --out var/replay`
    """
    settings = settings_of(config).in_paper()
    _check_kind(folder, day, chain, signals)
    if chain is not None and signals is not None:
        asked = ChainReplay(chain, signals, day, symbols, out, database, var)
        return replay_chain(asked, settings)
    if folder is None or day is None:
        raise SettingsError("--date: name the day of the ticks that is to be replayed")
    on = trading_day(day, checked_exchange(exchange) or EXCHANGE)
    wanted = _symbols(symbols)
    check_folder("--out", out)
    if not settings.store.host:
        check_folder("--var", var)
    check_database(database)
    recordings = recordings_at(folder, named_by(on, symbol, exchange, expiry, instruments))
    segments, expiries = settings.candle.segments, settings.executor.expiries_needed
    feed = recorded_feed(recordings, on, wanted, seed, segments, expiries)
    settings = _with_candles_of(settings, segments_of(feed.recording))
    left_out = feed.recording.left_out
    for line in left_out.lines:
        screen.console.print(line, soft_wrap=True)
    screen.console.print(stakes_of(settings.executor.policy()).line)
    names = sorted(one.tradingsymbol for one in feed.recording.instruments)
    inputs = {"seed": seed, "day": on, "symbols": names, "settings": settings.public()}
    name = database or settings.store.database or database_of("replay", inputs)

    async def play_day(store: Store, on_frame: OnFrame) -> Played:
        played = await play(settings, feed, store, on_frame)
        played.summary["rows_left_out"] = dict(left_out.counts)
        return played

    played = DayRun("replay", on, settings, var, name, out).play(play_day)
    show_day(f"Replay of {on}, seed {seed}", played.summary, played.outcome.day, f"{out}/")
    screen.console.print(f"The whole outcome is in {out}/")


def _check_kind(
    folder: Path | None, day: str | None, chain: Path | None, signals: Path | None
) -> None:
    """Raise SettingsError unless ticks or chains are named, each with what belongs to it."""
    if chain is not None and folder is not None:
        raise SettingsError(f"--chain: {chain}: chains are replayed instead of {folder}, not with")
    if (chain is None) != (signals is None):
        missing, there = ("--signals", "--chain") if signals is None else ("--chain", "--signals")
        raise SettingsError(f"{missing}: is missing beside {there}")
    if chain is None and folder is None:
        raise SettingsError("DIR: is missing; or name recorded option chains by --chain")


def _with_candles_of(settings: LocalSettings, segments: Sequence[str]) -> LocalSettings:
    """Return settings by which candles are made of what was recorded, contracts too."""
    more = tuple(one for one in segments if one not in settings.candle.segments)
    if not more:
        return settings
    candle = settings.candle.model_copy(update={"segments": (*settings.candle.segments, *more)})
    return settings.model_copy(update={"candle": candle})


def _symbols(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = sorted({name.strip() for name in text.split(",")} - {""})
    if not names:
        raise SettingsError("--symbols: no symbol is named")
    return names
