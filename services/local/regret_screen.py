"""Prints what the other strikes would have done."""

from collections.abc import Sequence
from math import isnan

from rich import box
from rich.table import Table

from libs.market.rupees import grouped
from services.local import screen
from services.local.regret.comparing import FEWEST_CASES, FEWEST_DAYS, Comparison
from services.local.regret.following import Followed


def show_regret(
    followed: Sequence[Followed], distances: Sequence[Comparison], weights: Sequence[Comparison]
) -> None:
    """Print both tables, and what follows from them."""
    cases = len({one.case.signal_id for one in followed})
    days = len({one.case.day for one in followed})
    screen.console.print(
        f"{grouped(cases)} decisions of {grouped(days)} days, {grouped(len(followed))} candidates "
        "followed; net after charges, as parts of the premium paid"
    )
    _show("The chosen strike less one farther out (+) or in (−) of the money", distances)
    _show("The chosen strike less what other weights would have chosen", weights)
    screen.console.print(conclusion(weights), soft_wrap=True)


def conclusion(weights: Sequence[Comparison]) -> str:
    """Return the one sentence that follows from the comparison of weights."""
    found = [one.name for one in weights if one.verdict == "the other was better"]
    if found:
        return f"Weights that were better, look at them: {', '.join(found)}"
    if all(one.pairs < FEWEST_CASES or one.days < FEWEST_DAYS for one in weights):
        most = max((one.pairs for one in weights), default=0)
        days = max((one.days for one in weights), default=0)
        return (
            f"No recommendation: at most {most} cases of {days} days differ; "
            f"{FEWEST_CASES} cases of {FEWEST_DAYS} days are needed"
        )
    return "No recommendation: no other weights were better beyond chance"


def _show(title: str, comparisons: Sequence[Comparison]) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("other", no_wrap=True)
    for column in ("differ", "of", "better", "worse", "mean", "interval"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("what follows")
    for one in comparisons:
        counts = (one.pairs, one.cases, one.better, one.worse)
        interval = f"{_percent(one.low)} to {_percent(one.high)}" if not isnan(one.low) else ""
        table.add_row(one.name, *map(grouped, counts), _percent(one.more), interval, one.verdict)
    screen.console.print(table)


def _percent(part: float) -> str:
    return "" if isnan(part) else f"{100 * part:+.2f} %"
