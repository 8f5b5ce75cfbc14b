"""Tick batches as rows of `market_data`.

A row is known by its instrument, the exchange's time, and the numbers `batch` and `row`, which are
functions of the batch alone: a batch that is delivered again makes the same rows.
"""

from collections.abc import Mapping, Sequence
from datetime import date
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
PARTITION_AT, CONNECTION_AT = 16, 24
_NUMBERS = ("started_ms", "sequence", "connection", "partition", "received_ms")
_FIELDS = (*_NUMBERS, "time_is_arrival", "trading_day")
_FIELDS_OF = attrgetter(*_FIELDS)
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

    def add(self, event: Event) -> int:
        """Keep a batch, or note an instrument's name; return the number of rows."""
        if isinstance(event, TickBatch):
            rows = len(event.columns)
            if rows:
                self._batches.append(event)
            return rows
        self.restore(event)
        return 0

    def restore(self, event: Event) -> None:
        """Note an instrument's name."""
        if isinstance(event, InstrumentListed):
            self._listed[event.instrument_token] = (event.exchange, event.tradingsymbol)
            self._names = None

    def take(self) -> dict[str, Any]:
        """Return the rows of the batches kept; times are epoch ms, absent columns are left out."""
        batches, self._batches = self._batches, []
        if not batches:
            return {}
        if self._names is None:
            self._names = _Names.of(self._listed)
        return _rows(batches, self._names)


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


def _rows(batches: Sequence[TickBatch], names: _Names) -> dict[str, Any]:
    ticks = TickColumns.concat([batch.columns for batch in batches])
    counts = [len(batch.columns.instrument_token) for batch in batches]
    batch_of = np.repeat(np.arange(len(batches)), counts)
    row_of = np.arange(len(ticks)) - np.repeat(np.cumsum(counts) - counts, counts)
    named = names.find(ticks.instrument_token)
    order = _order(names.tradingsymbol.codes[named], ticks.exchange_timestamp)
    ticks, batch_of, named = ticks.take(order), batch_of[order], named[order]
    symbols = names.tradingsymbol.take(named)
    repeats = _repeats((symbols.codes, ticks.exchange_timestamp, batch_of))
    return {
        **{name: column for name, column in ticks.columns().items() if column is not None},
        "exchange": names.exchange.take(named),
        "tradingsymbol": symbols,
        **_of_batches(batches, batch_of, repeats, row_of[order]),
    }


def _order(symbol_codes: NDArray[Any], at_ms: Integers) -> Integers:
    """Return the order by tradingsymbol, then exchange time, then arrival."""
    order: Integers = np.argsort(symbol_codes, kind="stable")
    codes, at_ms = symbol_codes[order], at_ms[order]
    is_late = (at_ms[1:] < at_ms[:-1]) & (codes[1:] == codes[:-1])
    return order[np.lexsort((at_ms, codes))] if is_late.any() else order


def _repeats(columns: Sequence[NDArray[Any]]) -> Integers:
    """Return for each row how many before it are equal in all columns, without a gap."""
    rows = np.arange(len(columns[0]))
    is_same = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    first = np.where(np.concatenate(([False], is_same)), 0, rows)
    return rows - np.maximum.accumulate(first)


def _of_batches(
    batches: Sequence[TickBatch], batch_of: Integers, repeats: Integers, row_of: Integers
) -> dict[str, Any]:
    """Return the columns that are the same for a whole batch, and the numbers of the rows."""
    fields = dict(zip(_FIELDS, zip(*map(_FIELDS_OF, batches), strict=True), strict=True))
    numbers = {name: np.array(fields[name], np.int64) for name in _NUMBERS}
    batch = (numbers["started_ms"] << FRAME_BITS) + numbers["sequence"]
    where = (numbers["connection"] << CONNECTION_AT) + (numbers["partition"] << PARTITION_AT)
    made = {
        "trading_day": _days(fields["trading_day"])[batch_of],
        "time_is_arrival": np.array(fields["time_is_arrival"], np.uint8)[batch_of],
        "received_at": numbers["received_ms"][batch_of],
        "batch": batch.view(np.uint64)[batch_of],
        "row": (where[batch_of] + repeats).astype(np.uint32),
    }
    is_former = numbers["started_ms"] == 0
    return (
        made | _of_former(batches, is_former, batch_of, row_of, made) if is_former.any() else made
    )


def _days(days: Sequence[date]) -> NDArray[np.datetime64]:
    ordinals = np.fromiter(map(date.toordinal, days), np.int64, len(days))
    return (ordinals - _EPOCH_ORDINAL).view("M8[D]")


def _of_former(
    batches: Sequence[TickBatch],
    is_former: NDArray[np.bool_],
    batch_of: Integers,
    row_of: Integers,
    made: Mapping[str, NDArray[Any]],
) -> dict[str, Any]:
    """Return the numbers where some batches are of former versions: those have the former ones."""
    ids = [
        batch.event_id if former else _NO_ID
        for batch, former in zip(batches, is_former, strict=True)
    ]
    return {
        "batch_id": np.array(ids, object)[batch_of],
        "batch": np.where(is_former[batch_of], np.uint64(0), made["batch"]),
        "row": np.where(is_former[batch_of], row_of, made["row"]).astype(np.uint32),
    }
