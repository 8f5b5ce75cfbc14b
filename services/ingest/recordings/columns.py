"""A table of rows → the ticks of its instruments, in columns."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from libs.events.ticks import COLUMN_TYPES
from services.ingest.recordings import names
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.keys import Key, rows_of
from services.ingest.recordings.table import Mask, Table
from services.ingest.recordings.ticks import UNKNOWN_VOLUME, FileTicks, RecordedTicks
from services.ingest.recordings.times import epoch_ms

Array = NDArray[Any]
_MOST = 2.0**40
_MORE_THAN_HALF = 2


def ticks_of(table: Table, symbol: str | None) -> FileTicks:
    """Return a table's ticks by instrument; `symbol` is that of a table that names none.

    A row without a time, a price or a volume that can be read is left out and counted. Raises
    RecordingError if most rows are so, and for a table of something else.
    """
    _refuse_others(table)
    columns = {"at_ms": _times(table), "last_price": _prices(table), "volume": _volumes(table)}
    columns |= dict(_more(table))
    groups = list(rows_of(table, symbol))
    table.check()
    ticks = tuple(_ticks(key, {n: c[rows] for n, c in columns.items()}) for key, rows in groups)
    return FileTicks(ticks, table.left_out)


def _ticks(key: Key, columns: dict[str, Array]) -> RecordedTicks:
    at_ms, price, volume = (columns.pop(name) for name in ("at_ms", "last_price", "volume"))
    return RecordedTicks(
        key.symbol or f"token {key.instrument_token}", at_ms, price, volume, columns, *key[1:]
    )


def _refuse_others(table: Table) -> None:
    if table.column(names.CHAINS):
        raise RecordingError(f"{table.path}: it holds an option chain, not ticks")
    if table.column(("close",)) and table.column(("open",)) and not table.column(names.PRICES):
        raise RecordingError(f"{table.path}: it holds candles, not ticks; `backtest` reads them")


def _times(table: Table) -> Array:
    name = table.needed(names.TIMES)
    values = table.frame[name]
    if name == "time" and table.column(("date",)):
        values = table.frame["date"].astype("str") + " " + values.astype("str")
    at_ms, is_none = epoch_ms(values)
    table.leave_out(is_none, "unreadable_time", name, "not a time")
    return at_ms


def _prices(table: Table) -> Array:
    name = table.needed(names.PRICES)
    price = _numbers(table.frame[name])
    table.leave_out(~np.isfinite(price), "unreadable_price", name, "not a number")
    return price


def _volumes(table: Table) -> Array:
    """Return cumulative volumes, -1 where they are unknown."""
    name = table.column(names.VOLUMES)
    if name is None:
        return np.full(len(table.frame), UNKNOWN_VOLUME, np.int64)
    volume, is_blank = _numbers(table.frame[name]), _is_blank(table.frame[name])
    is_whole = (np.abs(volume) < _MOST) & (volume % 1 == 0)
    is_bad = ~is_whole & ~is_blank
    if table.blank_is_damage:
        is_bad |= is_blank & ~_is_never_filled(table, is_blank)
    table.leave_out(is_bad, "unreadable_volume", name, "not a whole number of units")
    return np.where(is_whole, volume, UNKNOWN_VOLUME).astype(np.int64)


def _is_never_filled(table: Table, is_blank: Mask) -> Mask:
    """Return the rows of instruments of which all cells are blank, such as an index."""
    symbols = table.column(names.SYMBOLS)
    if symbols is None or not is_blank.any():
        return np.full(len(is_blank), is_blank.all())
    blank = pd.Series(is_blank).groupby(table.frame[symbols].to_numpy())
    return np.asarray(blank.transform("all"), np.bool_)


def _more(table: Table) -> Iterator[tuple[str, Array]]:
    for name, known in names.MORE.items():
        if (column := table.column(known)) is not None:
            yield name, _optional(table, column, name)
    if (traded := table.column(names.LAST_TRADES)) is not None:
        at_ms, is_none = epoch_ms(table.frame[traded])
        is_bad = is_none & ~_is_blank(table.frame[traded])
        table.leave_out(is_bad, "unreadable_last_trade_time", traded, "not a time")
        yield "last_trade_time", np.maximum(at_ms, 0)
    yield from _asks_in_second_bids(table)


def _optional(table: Table, column: str, name: str) -> Array:
    """Return a column of numbers; what is blank is 0, unknown."""
    values = _numbers(table.frame[column])
    is_number = np.abs(values) < _MOST
    is_bad = ~is_number & ~_is_blank(table.frame[column])
    table.leave_out(is_bad, f"unreadable_{name}", column, "not a number")
    return np.where(is_number, values, 0).astype(COLUMN_TYPES[name])


def _asks_in_second_bids(table: Table) -> Iterator[tuple[str, Array]]:
    """Yield the best asks of a recording that wrote them where the second bids should stand.

    No second bid can be above the first one, and the columns of asks are empty.
    """
    if not all(table.column((name,)) for name in names.ASKS_IN_SECOND_BIDS):
        return
    bid, second, quantity, ask = (_numbers(table.frame[name]) for name in names.ASKS_IN_SECOND_BIDS)
    is_ask = second > bid
    if not ask.any() and np.count_nonzero(is_ask) * _MORE_THAN_HALF > len(is_ask):
        yield "ask_price", np.where(is_ask, second, 0.0)
        yield "ask_quantity", np.where(is_ask, np.nan_to_num(quantity), 0).astype(np.int64)


def _numbers(values: "pd.Series[Any]") -> NDArray[np.float64]:
    return np.asarray(pd.to_numeric(values, errors="coerce"), np.float64)


def _is_blank(values: "pd.Series[Any]") -> Mask:
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return np.asarray(values.isna(), np.bool_)
    return np.asarray(values.isna() | (values == ""), np.bool_)
