"""Ticks in columns: one TickBatch per feed frame and partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from libs.events.event import Event

COLUMN_TYPES: dict[str, str] = {
    "instrument_token": "<u4",
    "exchange_timestamp": "<i8",
    "last_price": "<f8",
    "last_traded_quantity": "<i8",
    "average_traded_price": "<f8",
    "volume_traded": "<i8",
    "total_buy_quantity": "<i8",
    "total_sell_quantity": "<i8",
    "oi": "<i8",
    "bid_price": "<f8",
    "bid_quantity": "<i8",
    "ask_price": "<f8",
    "ask_quantity": "<i8",
    "last_trade_time": "<i8",
    "open_price": "<f8",
}
IMPOSSIBLE_PRICE = 1e9
"""Rupees; a price of four bytes in paise is below 43 million."""
YEAR_10000_MS = 253_402_300_800_000
REQUIRED = ("instrument_token", "exchange_timestamp", "last_price")

Column = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class TickColumns:
    """Ticks of one frame, one row each; all columns have the same length.

    `exchange_timestamp` and `last_trade_time` are epoch milliseconds, prices are rupees or index
    points, `volume_traded` is the day's cumulative volume in units, `open_price` the exchange's
    open of the day. A column that the feed lacks is None for the whole frame; in the last two,
    0 is unknown.
    """

    instrument_token: Column
    exchange_timestamp: Column
    last_price: Column
    last_traded_quantity: Column | None = None
    average_traded_price: Column | None = None
    volume_traded: Column | None = None
    total_buy_quantity: Column | None = None
    total_sell_quantity: Column | None = None
    oi: Column | None = None
    bid_price: Column | None = None
    bid_quantity: Column | None = None
    ask_price: Column | None = None
    ask_quantity: Column | None = None
    last_trade_time: Column | None = None
    open_price: Column | None = None

    def __len__(self) -> int:
        return len(self.instrument_token)

    def take(self, rows: Column | slice) -> "TickColumns":
        """Return the rows selected by an index array, a mask or a slice."""
        columns = self.columns().items()
        return TickColumns(**{name: column[rows] for name, column in columns if column is not None})

    def columns(self) -> dict[str, Column | None]:
        """Return name → column in the order of the schema."""
        return dict(zip(COLUMN_TYPES, _COLUMNS_OF(self), strict=True))

    @classmethod
    def concat(cls, parts: Sequence["TickColumns"]) -> "TickColumns":
        """Concatenate frames; a column that only some of them have is filled with 0."""
        if len(parts) == 1:
            return parts[0]
        by_column = dict(zip(COLUMN_TYPES, zip(*map(_COLUMNS_OF, parts), strict=True), strict=True))
        lengths = list(map(len, by_column["instrument_token"]))
        joined = {name: _joined(name, columns, lengths) for name, columns in by_column.items()}
        return cls(**{name: column for name, column in joined.items() if column is not None})

    @classmethod
    def empty(cls) -> Self:
        """Return columns without rows, for a batch that only carries its clock."""
        return cls(*(np.empty(0, COLUMN_TYPES[name]) for name in REQUIRED))


_FEW = 1024
_COLUMNS_OF, _KIND_OF = attrgetter(*COLUMN_TYPES), attrgetter("dtype")


def _joined(name: str, columns: Sequence[Column | None], lengths: Sequence[int]) -> Column | None:
    if all(column is None for column in columns):
        return None
    if type(None) in set(map(type, columns)):  # the fastest test for it
        columns = [
            _zeros(name, length) if column is None else column
            for column, length in zip(columns, lengths, strict=True)
        ]
    return _concatenated(cast("Sequence[Column]", columns))


def _zeros(name: str, length: int) -> Column:
    return _few_zeros(name, length) if length <= _FEW else np.zeros(length, COLUMN_TYPES[name])


@lru_cache(maxsize=1024)
def _few_zeros(name: str, length: int) -> Column:
    """Return a column of zeros that cannot be written to."""
    zeros = np.zeros(length, COLUMN_TYPES[name])
    zeros.flags.writeable = False
    return zeros


def _concatenated(columns: Sequence[Column]) -> Column:
    """Concatenate; columns that were decoded, which are read-only, by their bytes.

    Of many short columns that takes a third of the time.
    """
    kinds = set(map(_KIND_OF, columns))
    if len(kinds) > 1 or columns[0].flags.writeable:
        return np.concatenate(columns)
    try:
        return np.frombuffer(b"".join(cast("Sequence[bytes]", columns)), *kinds)
    except (TypeError, ValueError):  # a column with gaps, or none of them has rows
        return np.concatenate(columns)


def a_date(at_ms: int) -> int:
    """Return epoch ms; raise ValueError for a time that no calendar has."""
    if not 0 <= at_ms < YEAR_10000_MS:
        raise ValueError(f"no calendar has the time {at_ms} ms")
    return at_ms


class TickBatch(Event):
    """The ticks of one feed frame that belong to one partition, and the connection's clock.

    `clock_ms` is the highest exchange time seen on the connection (epoch ms): a watermark for
    every instrument of the partition. A batch without rows only carries the clock. `received_ms`
    is the arrival (epoch ms); `time_is_arrival` is True if the feed has no exchange time.
    `offset_ms` is how far the clock of ingest's machine is ahead of the exchange's, 0 within a
    second: `received_ms` is by the exchange's time. `started_ms` is the start of ingest (epoch ms),
    0 in a batch of former versions: with connection, `sequence` (the number of the frame there) and
    partition it is the batch's own.
    """

    type: Literal["TickBatch"] = "TickBatch"
    source: str
    connection: int
    sequence: int
    partition: int
    clock_ms: Annotated[int, AfterValidator(a_date)]
    received_ms: int
    time_is_arrival: bool = False
    offset_ms: int = 0
    started_ms: Annotated[int, AfterValidator(a_date)] = 0
    columns: TickColumns

    def timely(self, within_ms: int = 600_000) -> TickColumns:
        """Return the rows that can be current quotes: a possible price, a time near the clock."""
        columns, at_ms = self.columns, self.columns.exchange_timestamp
        is_timely = (at_ms <= self.clock_ms) & (at_ms > self.clock_ms - within_ms)
        is_timely &= (columns.last_price > 0) & (columns.last_price < IMPOSSIBLE_PRICE)
        for price in (columns.bid_price, columns.ask_price):
            if price is not None:  # nan: nobody bids, or asks
                is_timely &= ~(np.abs(price) >= IMPOSSIBLE_PRICE)
        return columns if is_timely.all() else columns.take(is_timely)
