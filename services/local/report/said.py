"""The books in words: the headline, notes beneath it, and each figure as text."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from libs.events.reasons import in_words
from libs.market.calendar import IST
from libs.market.rupees import grouped, rupees
from services.local.backtest.report.times import duration
from services.local.report.books import Books
from services.position.domain.results import Results
from services.position.domain.trades import Trade

UNKNOWN = "–"
LINES: Mapping[str, str] = MappingProxyType(
    {
        "brokerage": "brokerage",
        "stt": "STT",
        "exchange": "exchange",
        "ipft": "IPFT",
        "sebi": "SEBI",
        "stamp": "stamp duty",
        "gst": "GST",
    }
)
"""The lines of a contract note, in words."""


class Figure(NamedTuple):
    """A figure of results: its heading, its text, and what it means."""

    name: str
    text: Callable[[Results], str]
    meaning: str


def money(amount: Decimal | None) -> str:
    """Return rupees, or a dash for what is not known."""
    return UNKNOWN if amount is None else rupees(amount)


def percent(fraction: float | None) -> str:
    """Return a fraction as percent, or a dash."""
    return UNKNOWN if fraction is None else f"{fraction:.1%}"


def ratio(value: float | None) -> str:
    """Return a ratio, or a dash."""
    return UNKNOWN if value is None else f"{value:,.2f}"


def held_for(seconds: float | None) -> str:
    """Return a time span, or a dash."""
    return UNKNOWN if seconds is None else duration(seconds)


FIGURES = (
    Figure("trades", lambda one: grouped(one.trades), "Positions that were closed."),
    Figure("won", lambda one: percent(one.win_rate), "The share with a profit after charges."),
    Figure(
        "net ₹",
        lambda one: money(one.net),
        "What they realised less their charges, those of earlier days included.",
    ),
    Figure(
        "factor",
        lambda one: ratio(one.profit_factor),
        "What winners gained over what losers lost (profit factor); none without a loser.",
    ),
    Figure("a trade ₹", lambda one: money(one.expectancy), "The mean of a trade (expectancy)."),
    Figure(
        "drawdown ₹",
        lambda one: money(one.drawdown),
        "The largest fall of the running net from its peak, closing by closing.",
    ),
    Figure("costs", lambda one: percent(one.charges_share), "Charges over the profit before them."),
    Figure(
        "slippage ₹",
        lambda one: money(one.slippage),
        "What fills cost against the prices that were decided on, where these are known.",
    ),
    Figure("held", lambda one: held_for(one.average_seconds), "The mean time from entry to exit."),
)
"""What is shown of each group of trades."""


def counted(count: int, what: str) -> str:
    """Return a count with its noun."""
    return f"{grouped(count)} {what}{'' if count == 1 else 's'}"


def headline(books: Books) -> str:
    """Return what the period came to, in a sentence or two."""
    if books.is_empty:
        return f"Nothing was traded and nothing is held: {books.period}."
    verb = "gained" if books.net > 0 else "lost" if books.net < 0 else "came to"
    said = (
        f"{books.period}: {counted(len(books.closed), 'position')} closed; trading {verb} "
        f"{rupees(abs(books.net))} after charges of {rupees(books.charges)}."
    )
    if books.open:
        still = counted(len(books.open), "position")
        said += f" {still} still open, {_signed(books)} at the last prices."
    return said


def _signed(books: Books) -> str:
    return f"{'+' if books.unrealised > 0 else ''}{rupees(books.unrealised)}"


def remarks(books: Books) -> Iterator[str]:
    """Yield how the figures are to be read, each a sentence."""
    modes = {note.mode for note in books.notes}
    if modes and "live" not in modes:
        yield "These orders were on paper: no money moved; charges are what they would have been."
    if "live" in modes:
        yield "What else was traded on the account, by hand say, is on its contract note alone."
    if any(not note.steps_are_exact for note in books.notes):
        yield (
            "Charges are rounded to the paisa per order, and the day's STT and stamp duty to the "
            "rupee. No circular says so; the contract note decides."
        )
    if books.closed and books.not_of_trades:
        yield (
            f"The period has {rupees(books.not_of_trades)} beyond its closed positions: rounding, "
            "open positions, and what was bought or sold on other days than the closing."
        )
    if books.open:
        yield "Open positions count in no win rate; their entries' charges count already."


def reason(trade: Trade) -> str:
    """Return why a trade was left, or that it is open."""
    if trade.quantity < 0:
        return "oversold"
    return "open" if trade.exit_reason is None else exit_words(trade.exit_reason)


def exit_words(name: str) -> str:
    """Return the reason of an exit in words."""
    return in_words(name).replace("_", " ")


def when(trade: Trade) -> str:
    """Return the time of entry in India."""
    return f"{trade.opened_at.astimezone(IST):%d %b %H:%M}"


def lots(trade: Trade) -> str:
    """Return the lots that were traded, or a dash where they were not stored."""
    return UNKNOWN if trade.lots is None else f"{trade.lots:g}"


def excursion(trade: Trade, amount: Decimal | None) -> str:
    """Return an excursion in rupees and in percent of the price paid."""
    if amount is None:
        return UNKNOWN
    share = trade.as_fraction(amount) or 0.0
    return f"{rupees(trade.in_rupees(amount) or Decimal(0), False)} ({share:.0%})"
