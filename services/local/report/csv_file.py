"""The CSV for a tax adviser: each fill with each of its charges, and what rounding changes."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from libs.market.calendar import IST
from services.local.play.outcome import csv_text
from services.local.report.books import Books
from services.position.domain.charge_lines import Lines
from services.position.domain.contract_note import ChargedFill, ContractNote

LINE_COLUMNS = (
    *("brokerage", "transaction_tax", "exchange_turnover_charge", "ipft"),
    *("sebi_turnover_charge", "stamp_duty", "gst"),
)
"""The charges as Kite names them, in the order below."""
COLUMNS = (
    *("row", "trading_day", "time", "mode", "exchange", "tradingsymbol", "transaction_type"),
    *("quantity", "price", "value", *LINE_COLUMNS, "charges", "net_amount"),
    *("order_id", "trade_id", "position_id"),
)


def csv_of(books: Books) -> str:
    """Return a row per fill, and one per contract note for what its rounding changes.

    Each column of charges adds up to that of the report; `net_amount` is what went into the
    account, negative for what went out. Times are India's.
    """
    return csv_text(COLUMNS, _rows(books.notes))


def _rows(notes: Iterable[ContractNote]) -> Iterator[Sequence[object]]:
    for note in notes:
        yield from (_fill_row(one) for one in note.fills)
        yield _rounding_row(note)


def _fill_row(one: ChargedFill) -> Sequence[object]:
    fill, charges = one.fill, one.lines.total
    at = fill.at.astimezone(IST).isoformat()
    gross = -fill.value if fill.transaction_type == "BUY" else fill.value
    return (
        *("fill", fill.trading_day, at, fill.mode, fill.exchange, fill.tradingsymbol),
        *(fill.transaction_type, fill.fill_quantity, _plain(fill.fill_price), _plain(fill.value)),
        *(*_amounts(one.lines), charges, _plain(gross - charges)),
        *(fill.broker_order_id, fill.fill_id, fill.position_id),
    )


def _rounding_row(note: ContractNote) -> Sequence[object]:
    rounding = note.rounding
    return (
        *("rounding", note.day, "", note.mode, "", "", "", "", "", ""),
        *(*_amounts(rounding), rounding.total, -rounding.total),
        *("", "", ""),
    )


def _amounts(lines: Lines) -> Iterator[Decimal]:
    return (amount for _, amount in lines.named())


def _plain(amount: Decimal) -> str:
    """Return an amount with at least two decimals, and no more than it needs."""
    return f"{amount.quantize(Decimal('0.01')):f}" if amount == round(amount, 2) else f"{amount:f}"
