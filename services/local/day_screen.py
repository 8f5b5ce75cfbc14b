"""Prints what a day came to: its figures, its trades, and why signals were not traded."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich import box
from rich.table import Table

from libs.events.reasons import in_words
from libs.market.calendar import IST
from libs.market.rupees import grouped, rupees
from services.local import screen
from services.local.play.day_events import DayEvents, Trade

LONGEST_TABLE = 40
"""Most trades that are shown; of more, the last ones."""

_NARROW: dict[str, Any] = {
    "title_justify": "left",
    "box": box.SIMPLE_HEAD,
    "pad_edge": False,
    "collapse_padding": True,
}
"""A table of trades fits into 80 columns."""


def show_day(title: str, figures: Mapping[str, Any], day: DayEvents, whole: str) -> None:
    """Print a day as tables; `whole` says where what is cut off can be found."""
    screen.show_summary(title, figures, whole)
    _show_trades(day.trades(), whole)
    _show_untraded(day)


def _show_trades(trades: Sequence[Trade], whole: str) -> None:
    if not trades:
        screen.console.print("No position was opened.")
        return
    shown = trades[-LONGEST_TABLE:]
    table = Table(title="Trades (times in India, net after charges)", **_NARROW)
    table.add_column("time")
    table.add_column("contract", no_wrap=True)
    for column in ("lots", "in ₹", "out ₹"):
        table.add_column(column, justify="right")
    table.add_column("reason")
    table.add_column("net ₹", justify="right", no_wrap=True)
    for trade in shown:
        table.add_row(*_row(trade))
    table.add_section()
    net = sum((trade.net for trade in trades), Decimal(0))
    table.add_row("", f"all {grouped(len(trades))}", "", "", "", "", _plain(net))
    screen.console.print(table)
    if left := len(trades) - len(shown):
        screen.console.print(f"… and {grouped(left)} earlier ones, in {whole}")


def _row(trade: Trade) -> tuple[str, ...]:
    return (
        f"{trade.opened_at.astimezone(IST):%H:%M:%S}",
        trade.tradingsymbol,
        grouped(trade.lots),
        _plain(trade.entry_price),
        "" if trade.exit_reason is None else _plain(trade.exit_price or Decimal(0)),
        "still open" if trade.exit_reason is None else in_words(trade.exit_reason),
        _plain(trade.net),
    )


def _plain(amount: Decimal) -> str:
    """Return rupees without the sign, which is in the column's title."""
    return rupees(amount).replace("₹", "")


def _show_untraded(day: DayEvents) -> None:
    untraded = day.untraded()
    if not untraded:
        return
    table = Table(title="Why signals were not traded", **_NARROW)
    table.add_column("signals", justify="right")
    table.add_column("reason", no_wrap=True)
    table.add_column("in words", overflow="fold")
    for reason, count in untraded.most_common():
        table.add_row(grouped(count), reason, in_words(reason))
    screen.console.print(table)
