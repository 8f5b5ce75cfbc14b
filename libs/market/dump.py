"""Kite's instrument dump: a CSV file whose rows are read one by one, since some are defective."""

import csv
import io
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from libs.errors import AlphaStocksError
from libs.market.instruments import Instrument

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CONTRACTS = ("FUT", "CE", "PE")


class DumpError(AlphaStocksError, ValueError):
    """A dump of which most cannot be read; the text names file, line and column."""


@dataclass(frozen=True, slots=True)
class Dump:
    """What is listed, and of each row that cannot be read its line, its column and its text."""

    instruments: tuple[Instrument, ...] = ()
    left_out: tuple[str, ...] = ()


def read_dump(data: bytes, name: str) -> Dump:
    """Read Kite's instrument CSV; `name` is the file's name for errors.

    A row that cannot be read is left out. Raises DumpError for a missing column, and if most rows
    cannot be read.
    """
    # a bad byte becomes a character that no text may have, so that its row alone is left out
    text = data.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    header, *lines = text.split("\n")
    places = _places(header, name)
    instruments: list[Instrument] = []
    left_out: list[str] = []
    for number, line in enumerate(lines, 2):
        if line.strip():
            try:
                instruments.append(_parse_row(line, places))
            except DumpError as error:
                left_out.append(f"line {number}{error}")
    if len(left_out) > len(instruments):
        count = f"{len(left_out)} of {len(left_out) + len(instruments)}"
        raise DumpError(f"{name}: {count} rows cannot be read, the first of them {left_out[0]}")
    return Dump(tuple(instruments), tuple(left_out))


def format_dump(instruments: Iterable[Instrument]) -> str:
    """Write instruments as Kite's CSV, the inverse of `read_dump`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for instrument in instruments:
        values = (getattr(instrument, column) for column in _COLUMNS)
        writer.writerow("" if value is None else value for value in values)
    return text.getvalue()


def _places(header: str, name: str) -> Sequence[int]:
    try:
        columns = _cells(header)
    except csv.Error as error:
        raise DumpError(f"{name}, line 1: {error}") from error
    missing = [column for column in _COLUMNS if column not in columns]
    if missing:
        raise DumpError(f"{name}, line 1: column {missing[0]} is missing")
    return [columns.index(column) for column in _COLUMNS]


def _cells(line: str) -> list[str]:
    """Return the cells of a line; a line is a row, so that a broken quote spoils no other row."""
    return next(csv.reader((line.removesuffix("\r"),), strict=True), [])


def _parse_row(line: str, places: Sequence[int]) -> Instrument:
    """Return the instrument of a line; DumpError, without the line's number, if it has none."""
    try:
        row = _cells(line)
    except csv.Error as error:
        raise DumpError(f": {error}") from error
    values = []
    for (column, read), place in zip(_COLUMNS.items(), places, strict=True):
        try:
            values.append(read(row[place]))
        except (ValueError, ArithmeticError, IndexError) as error:
            raise _unreadable(column, row[place] if place < len(row) else "nothing") from error
    instrument = Instrument(*values)
    lacking = _lacking(instrument)
    if lacking:
        raise _unreadable(lacking, row[places[list(_COLUMNS).index(lacking)]])
    return instrument


def _unreadable(column: str, text: str) -> DumpError:
    return DumpError(f", column {column}: cannot read {text!r}")


def _lacking(instrument: Instrument) -> str:
    """Return the column without which a future or an option cannot be traded, "" for none."""
    if instrument.instrument_type not in _CONTRACTS:
        return ""
    if instrument.expiry is None:
        return "expiry"
    if instrument.is_option and not instrument.strike:
        return "strike"
    if not instrument.tick_size:
        return "tick_size"
    return "" if instrument.lot_size else "lot_size"


def _count(text: str) -> int:
    """Return a whole number, also one with a decimal point: `1.0`."""
    whole, point, zeros = text.partition(".")
    if not (whole.isascii() and whole.isdigit()) or (point and set(zeros) != {"0"}):
        raise ValueError("not a whole number")
    return int(whole)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError("not a price")
    return value


@lru_cache(maxsize=256)
def _tick_size(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or value < 0:
        raise ValueError("not a tick size")
    return value


@lru_cache(maxsize=1024)
def _expiry(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _text(text: str) -> str:
    if not text.isascii():
        text.encode()  # raises for a bad byte
    return sys.intern(text)


def _word(text: str) -> str:
    if not text.strip():
        raise ValueError("empty")
    return _text(text)


_COLUMNS: dict[str, Callable[[str], Any]] = {
    "instrument_token": _count,
    "exchange_token": _count,
    "tradingsymbol": _word,
    "name": _text,
    "last_price": _finite,
    "expiry": _expiry,
    "strike": _finite,
    "tick_size": _tick_size,
    "lot_size": _count,
    "instrument_type": _word,
    "segment": _word,
    "exchange": _word,
}
