"""`alphastocks demo`: a synthetic day through all services, on a simulated Kite."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.store.store import Store
from services.executor.domain.stakes import stakes_of
from services.local import screen
from services.local.commands.options import (
    DEFAULT_DAY,
    DEFAULT_SEED,
    Config,
    Day,
    Seed,
    Var,
    settings_of,
    trading_day,
)
from services.local.commands.places import check_folder
from services.local.commands.played_day import DayRun, OnFrame
from services.local.day_screen import show_day
from services.local.play.database import database_of
from services.local.play.replaying import Played, play_exchange


def demo(
    seed: Seed = DEFAULT_SEED,
    day: Day = DEFAULT_DAY,
    out: Annotated[Path, typer.Option("--out", help="Folder for the outcome.")] = Path("var/demo"),
    config: Config = None,
    var: Var = Path("var"),
) -> None:
    """Play a synthetic trading day through all six services, in paper mode.

    A simulated Kite on localhost plays two indices, ten stocks and their option chains, and takes
    the orders. Moving-average crossovers run on 5 and 15 minutes; up to six positions are open at
    once. Needs no account. At the end it shows the figures, the trades and why signals were not
    traded, and compares our orders and positions with the broker's.

    Example: `alphastocks demo --seed 11`
    """
    settings, on = settings_of(config).for_demo(), trading_day(day)
    check_folder("--out", out)
    check_folder("--var", var)
    screen.console.print(stakes_of(settings.executor.policy()).line)
    inputs = {"seed": seed, "day": on, "settings": settings.public()}
    name = settings.store.database or database_of("demo", inputs)

    def play_day(store: Store, on_frame: OnFrame) -> Coroutine[Any, Any, Played]:
        return play_exchange(settings, on, seed, store, var, on_frame)

    played = DayRun("demo", on, settings, var, name, out).play(play_day)
    show_day(f"Demo of {on}, seed {seed}", played.summary, played.outcome.day, f"{out}/")
    screen.console.print(f"The whole outcome is in {out}/; try: head {out}/orders.jsonl")
    if played.summary["broker_differences"]:
        raise typer.Exit(1)
