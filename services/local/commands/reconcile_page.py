"""What a comparison with the broker's account found, on the screen."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from libs.market.calendar import IST
from libs.market.rupees import rupees
from libs.market.units import span_text
from services.executor.reconciliation_reply import ReconciledContract, Reconciliation

_WORDS: Mapping[str, str] = {
    "agree": "agrees",
    "adopt": "adopted",
    "correct": "corrected",
    "oversold": "oversold",
    "foreign": "by hand",
    "quarantine": "quarantine",
    "unconfirmed": "not certain yet",
}


def reconciliation_lines(found: Reconciliation) -> Iterator[str]:
    """Yield the lines above the table of contracts."""
    if found.at is None:
        yield "The account was not read yet."
        return
    yield f"account read     at {_time(found.at)} in India"
    yield f"agreed last      {_agreed(found)}"
    for segment, funds in found.funds.items():
        free, used = rupees(funds.available), rupees(funds.used)
        yield f"funds            {segment}: {free} available, {used} used"
    for underlying, why in found.quarantines.items():
        yield f"quarantine       no entry in {underlying}: {why}"
    if found.unreadable:
        yield f"unreadable       {', '.join(found.unreadable)}"
    if not found.contracts:
        yield "No contract is held, or was traded today."


def contracts_table(found: Reconciliation) -> Table:
    """Return the table of contracts, the reason of each below it."""
    table = Table()
    table.add_column("contract, product\nwhy", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    for column in ("ours", "account", "by hand"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in found.contracts:
        table.add_row(*_row(one))
    return table


def _row(one: ReconciledContract) -> tuple[Text | str, ...]:
    lines = (f"{one.tradingsymbol}, {one.product}", *one.why)
    counts = (f"{one.ours:,}", f"{one.account:,}", f"{one.by_hand:,}")
    return Text("\n".join(lines)), _WORDS[one.outcome], *counts


def _agreed(found: Reconciliation) -> str:
    if found.clean_at is None or found.age_seconds is None:
        return "never since the executor started"
    age = span_text(Decimal(round(found.age_seconds)) * 1000)
    return f"at {_time(found.clean_at)}, {age} ago"


def _time(at: datetime) -> str:
    return f"{at.astimezone(IST):%H:%M:%S}"
