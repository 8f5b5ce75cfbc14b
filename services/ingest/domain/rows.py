"""Tick batches as rows of `market_data`.

A row is known by its instrument, the exchange's time, and the numbers `batch` and `row`, which are
functions of the batch alone: a batch that is delivered again makes the same rows.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from libs.events.event import Event
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch, TickColumns
from libs.market.words import Words

FRAME_BITS = 22
"""The lowest bits of `batch`: the number of the frame on its connection."""
PARTITION_AT, CONNECTION_AT = 16, 24
"""The bits of `row` from which on it holds the partition, and the connection."""
FOLDED = 256
"""So many batches are folded into one at a time, while they are in the processor's cache."""
_NUMBERS = ("started_ms", "sequence", "connection", "partition", "received_ms")
_FIELDS_OF = attrgetter(*_NUMBERS, "time_is_arrival", "trading_day")
_NO_ID = UUID(int=0)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
Integers = NDArray[np.int64]


class MarketDataRows:
    """Gathers tick batches and makes their rows, sorted as the table is.

    Names come from the instruments listed before; an unlisted instrument has empty ones.
    """

    restore_topics: tuple[str, ...] = ("instruments",)

    def __init__(self, max_rows: int = 500_000) -> None:
        self.max_rows = max_rows
        self._listed: dict[int, tuple[str, str]] = {}
        self._names: _Names | None = None
        self._batches: list[TickBatch] = []
        self._folded: list[_Folded] = []

    def add(self, event: Event) -> int:
        """Keep a batch, or note an instrument's name; return the number of rows."""
        if isinstance(event, TickBatch):
            rows = len(event.columns)
            if rows:
                self._batches.append(event)
            if len(self._batches) >= FOLDED:
                self._fold()
            return rows
        self.restore(event)
        return 0

    def restore(self, event: Event) -> None:
        """Note an instrument's name."""
        if isinstance(event, InstrumentListed):
            self._listed[event.instrument_token] = (event.exchange, event.tradingsymbol)
            self._names = None

    def take(self) -> Callable[[], dict[str, Any]]:
        """Return what makes the rows of the batches kept; times are epoch ms.

        A column that no batch has is left out.
        """
        self._fold()
        folded, self._folded = self._folded, []
        if self._names is None:
            self._names = _Names.of(self._listed)
        return partial(_rows, folded, self._names)

    def _fold(self) -> None:
        if self._batches:
            self._folded.append(_Folded.of(self._batches))
            self._batches = []


class _Folded(NamedTuple):
    """Batches in columns: their ticks, and a row for each batch."""

    ticks: TickColumns
    counts: Integers
    numbers: NDArray[np.int64]
    time_is_arrival: NDArray[np.uint8]
    trading_day: NDArray[np.datetime64]
    former_ids: NDArray[Any]

    @classmethod
    def of(cls, batches: Sequence[TickBatch]) -> Self:
        """Fold batches."""
        *numbers, is_arrival, days = zip(*map(_FIELDS_OF, batches), strict=True)
        ids = [_NO_ID if batch.started_ms else batch.event_id for batch in batches]
        return cls(
            TickColumns.concat([batch.columns for batch in batches]),
            np.array([len(batch.columns.instrument_token) for batch in batches], np.int64),
            np.array(numbers, np.int64),
            np.array(is_arrival, np.uint8),
            _days(days),
            np.array(ids, object),
        )

    @classmethod
    def joined(cls, parts: Sequence["_Folded"]) -> Self:
        """Join what was folded."""
        ticks, *of_batches = zip(*parts, strict=True)
        return cls(TickColumns.concat(ticks), *(np.concatenate(one, axis=-1) for one in of_batches))


class _Names(NamedTuple):
    """Tokens ascending, and their names; the last row is for tokens that are not listed."""

    tokens: Integers
    exchange: Words
    tradingsymbol: Words

    @classmethod
    def of(cls, listed: Mapping[int, tuple[str, str]]) -> Self:
        """Return the names of listed instruments, and empty ones for all others."""
        tokens = sorted(listed)
        exchanges, tradingsymbols = zip(*(listed[token] for token in tokens), ("", ""), strict=True)
        beyond = np.iinfo(np.int64).max
        return cls(np.array([*tokens, beyond]), Words.of(exchanges), Words.of(tradingsymbols))

    def find(self, instrument_token: NDArray[Any]) -> Integers:
        """Return the row of each token."""
        at = np.searchsorted(self.tokens, instrument_token.astype(np.int64))
        at[self.tokens[at] != instrument_token] = len(self.tokens) - 1
        return at


def _rows(parts: Sequence[_Folded], names: _Names) -> dict[str, Any]:
    if not parts:
        return {}
    folded = _Folded.joined(parts)
    batch_of = np.repeat(np.arange(len(folded.counts), dtype=np.int32), folded.counts)
    named = names.find(folded.ticks.instrument_token)
    order = _order(names.tradingsymbol.codes[named], folded.ticks.exchange_timestamp)
    ticks, batch_of, named = folded.ticks.take(order), batch_of[order], named[order]
    symbols = names.tradingsymbol.take(named)
    repeats = _repeats((symbols.codes, ticks.exchange_timestamp, batch_of))
    return {
        **{name: column for name, column in ticks.columns().items() if column is not None},
        "exchange": names.exchange.take(named),
        "tradingsymbol": symbols,
        "trading_day": _spread(folded.trading_day, batch_of),
        "time_is_arrival": _spread(folded.time_is_arrival, batch_of),
        "received_at": folded.numbers[_NUMBERS.index("received_ms")][batch_of],
        **_numbers(folded, batch_of, repeats, order),
    }


def _order(symbol_codes: NDArray[Any], at_ms: Integers) -> Integers:
    """Return the order by tradingsymbol, then exchange time, then arrival."""
    order: Integers = np.argsort(symbol_codes, kind="stable")
    codes, at_ms = symbol_codes[order], at_ms[order]
    is_late = (at_ms[1:] < at_ms[:-1]) & (codes[1:] == codes[:-1])
    return order[np.lexsort((at_ms, codes))] if is_late.any() else order


def _repeats(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return for each row how many before it are equal in all columns, without a gap."""
    is_same = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    if not is_same.any():
        return np.zeros(1, np.int64)
    rows = np.arange(len(columns[0]))
    first = np.where(np.concatenate(([False], is_same)), 0, rows)
    return rows - np.maximum.accumulate(first)


def _spread(of_batches: NDArray[Any], batch_of: NDArray[Any]) -> NDArray[Any]:
    """Return a batch's value for each of its rows."""
    if (of_batches == of_batches[0]).all():
        return np.broadcast_to(of_batches[0], len(batch_of))
    spread: NDArray[Any] = of_batches[batch_of]
    return spread


def _numbers(
    folded: _Folded, batch_of: NDArray[Any], repeats: NDArray[Any], order: Integers
) -> dict[str, Any]:
    """Return the numbers that make a row its own; those of former versions for their batches."""
    started_ms, sequence, connection, partition, _ = folded.numbers
    batch = ((started_ms << FRAME_BITS) + sequence).view(np.uint64)
    where = (connection << CONNECTION_AT) + (partition << PARTITION_AT)
    row = (where[batch_of] + repeats).astype(np.uint32)
    is_former = started_ms == 0
    if not is_former.any():
        return {"batch": batch[batch_of], "row": row}
    row_in_batch = order - (np.cumsum(folded.counts) - folded.counts)[batch_of]
    return {
        "batch_id": folded.former_ids[batch_of],
        "batch": np.where(is_former, np.uint64(0), batch)[batch_of],
        "row": np.where(is_former[batch_of], row_in_batch, row).astype(np.uint32),
    }


def _days(days: Sequence[date]) -> NDArray[np.datetime64]:
    ordinals = np.fromiter(map(date.toordinal, days), np.int64, len(days))
    return (ordinals - _EPOCH_ORDINAL).view("M8[D]")
