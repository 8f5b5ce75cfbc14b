"""Which rows of a table are of which instrument."""

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from services.ingest.recordings import names
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.table import Table

Rows = NDArray[np.intp]


class Key(NamedTuple):
    """What a file says of an instrument: None where it does not."""

    symbol: str | None
    exchange: str | None = None
    expiry: date | None = None
    instrument_token: int | None = None


def rows_of(table: Table, symbol: str | None) -> Iterator[tuple[Key, Rows]]:
    """Yield each instrument of the kept rows, and its rows, in order of their keys.

    `symbol` is that of a file that names none. An instrument token is heeded only where nothing
    else tells the instruments apart. Rows without a symbol are left out.
    """
    named, token = table.column(names.SYMBOLS), table.column(names.TOKENS)
    if named is not None:
        yield from _by_symbol(table, named)
    elif token is not None:
        yield from _by_token(table, token, symbol)
    elif symbol is not None:
        yield Key(symbol), np.flatnonzero(table.kept)
    else:
        raise RecordingError(f"{table.path}: it names no symbol; say which by --symbol")


def _by_symbol(table: Table, column: str) -> Iterator[tuple[Key, Rows]]:
    symbols = _texts(table, column)
    table.leave_out((symbols == "").to_numpy(), "no_symbol", column, "no symbol")
    for parts, rows in _groups(
        table, {"symbol": symbols, "exchange": _texts(table, "exchange"),
                "expiry": _texts(table, "expiry")}
    ):  # fmt: skip
        text, exchange, expiry = parts
        prefix, _, symbol = text.rpartition(":")
        yield Key(symbol, prefix or exchange or None, _date(table, expiry)), rows


def _by_token(table: Table, column: str, symbol: str | None) -> Iterator[tuple[Key, Rows]]:
    numbers = np.asarray(pd.to_numeric(table.frame[column], errors="coerce"), np.float64)
    is_token = (numbers > 0) & (numbers < 2**32) & (numbers % 1 == 0)
    table.leave_out(~is_token, "no_symbol", column, "no token")
    groups = _groups(table, {"token": pd.Series(np.where(is_token, numbers, 0).astype(np.int64))})
    for (token,), rows in groups:
        only = symbol if len(groups) == 1 else None
        yield Key(only, instrument_token=int(token)), rows


def _groups(table: Table, by: dict[str, "pd.Series[Any]"]) -> list[tuple[tuple[Any, ...], Rows]]:
    """Return the kept rows by the values of some columns."""
    rows = np.flatnonzero(table.kept)
    kept = pd.DataFrame({name: column.to_numpy()[rows] for name, column in by.items()})
    found = kept.groupby(list(by), sort=True).indices
    return [(one if isinstance(one, tuple) else (one,), rows[at]) for one, at in found.items()]


def _texts(table: Table, column: str) -> "pd.Series[str]":
    """Return a column as text, "" where it is blank or not there."""
    if column not in table.frame.columns:
        return pd.Series([""] * len(table.frame), dtype="str")
    values = table.frame[column]
    return values.astype("str").where(values.notna(), "").str.strip()


def _date(table: Table, text: str) -> date | None:
    if not text:
        return None
    day = pd.to_datetime(text, errors="coerce")
    if pd.isna(day):
        raise RecordingError(f"{table.path}: expiry is not a date: {text!r}")
    found: date = day.date()
    return found if found.year > 1970 else None
