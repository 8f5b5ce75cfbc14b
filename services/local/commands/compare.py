"""`alphastocks compare`: where two runs' signals differ."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from libs.market.calendar import IST
from services.local.run_comparison import Difference, compare_runs
from services.local.screen import console, notify

_RUN = "A run's folder: of backtest, replay or demo."
Run1 = Annotated[Path, typer.Argument(metavar="RUN1", help=_RUN)]
Run2 = Annotated[Path, typer.Argument(metavar="RUN2", help=_RUN)]
Most = Annotated[int, typer.Option("--most", min=1, help="How many differences are listed.")]


def compare(run1: Run1, run2: Run2, most: Most = 50) -> None:
    """List the signals in which two runs differ; status 1 if there are any.

    Example: `alphastocks compare var/replay var/backtest`
    """
    compared = compare_runs(run1, run2)
    if not compared.differences:
        console.print(f"the same: {compared.same} signals")
        return
    table = Table(title=f"{run1} and {run2}", title_justify="left")
    for column in ("candle closed", "instrument", "strategy", "action", "difference"):
        table.add_column(column, overflow="fold")
    for one in compared.differences[:most]:
        table.add_row(*_row(one))
    console.print(table)
    count = len(compared.differences)
    notify(f"{compared.same} signals are the same, {count} differ" + _cut(count, most))
    raise typer.Exit(1)


def _row(one: Difference) -> tuple[str, ...]:
    at = datetime.fromisoformat(one.candle_closed_at).astimezone(IST)
    return f"{at:%Y-%m-%d %H:%M}", one.instrument, one.strategy, one.action, one.what


def _cut(count: int, most: int) -> str:
    return f"; the first {most} are listed (--most)" if count > most else ""
