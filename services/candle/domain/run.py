"""Tick batches of one partition joined into one set of columns, in order of arrival."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from libs.events.ticks import TickBatch, TickColumns
from services.candle.domain.groups import Groups, grouped

UNKNOWN_VOLUME = -1
Array = NDArray[Any]
_COLUMNS = ("row", "at_ms", "price", "volume", "oi", "traded_ms", "place")


@dataclass(frozen=True, slots=True)
class Source:
    """The batches of a run: what only few ticks are asked for is not joined beforehand."""

    columns: Sequence[TickColumns]
    sizes: Sequence[int]

    def batch(self, place: Array) -> Array:
        """Return the numbers of the batches in which ticks came."""
        return np.searchsorted(np.cumsum(self.sizes), place, side="right")

    def quotes(self, place: Array) -> tuple[Array, Array]:
        """Return best bid and ask (rupees), 0 where unknown."""
        bid = _filled([one.bid_price for one in self.columns], self.sizes, 0.0)
        ask = _filled([one.ask_price for one in self.columns], self.sizes, 0.0)
        return bid[place], ask[place]


@dataclass(frozen=True)
class Ticks:
    """Ticks of known instruments. `volume` is cumulative, -1 where unknown.

    `traded_ms` is the time of the last trade (epoch ms), 0 where unknown. `place` is each tick's
    place in its run, by which `source` knows its batch and its quotes.
    """

    row: Array
    at_ms: Array
    price: Array
    volume: Array
    oi: Array
    traded_ms: Array
    place: Array
    source: Source

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def by_row(self) -> Groups:
        """The groups of equal rows, computed once: ticks by row are handed on as they are."""
        return grouped(self.row)

    @property
    def batch(self) -> Array:
        """Number of each tick's batch in its run."""
        return self.source.batch(self.place)

    @property
    def quotes(self) -> tuple[Array, Array]:
        """Best bid and ask of each tick (rupees), 0 where unknown."""
        return self.source.quotes(self.place)

    @classmethod
    def empty(cls) -> Self:
        """Return no ticks."""
        none, no_price = np.empty(0, np.int64), np.empty(0)
        return cls(none, none, no_price, none, none, none, none, Source((), ()))

    @classmethod
    def concat(cls, first: Self, second: Self) -> Self:
        """Return ticks one after the other; those of the first have left their source behind."""
        joined = {
            name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in _COLUMNS
        }
        return cls(**joined, source=second.source)

    def take(self, chosen: Array) -> "Ticks":
        """Return the chosen ticks."""
        return Ticks(
            self.row[chosen],
            self.at_ms[chosen],
            self.price[chosen],
            self.volume[chosen],
            self.oi[chosen],
            self.traded_ms[chosen],
            self.place[chosen],
            self.source,
        )


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Arrival time and clock of each batch of a run (epoch ms)."""

    received_ms: Array
    clock_ms: Array

    def watermarks(self, before_ms: int) -> Array:
        """Return the highest clock before each batch; `before_ms` is that before the first."""
        clocks = np.empty(len(self.clock_ms), np.int64)
        clocks[0], clocks[1:] = before_ms, self.clock_ms[:-1]
        return np.maximum.accumulate(clocks, out=clocks)


@dataclass(frozen=True, slots=True)
class Run:
    """The rows of batches as columns; `place` numbers them."""

    token: Array
    at_ms: Array
    price: Array
    volume: Array
    oi: Array
    traded_ms: Array
    place: Array
    source: Source
    arrivals: Arrivals

    def __len__(self) -> int:
        return len(self.token)

    def ticks(self, row: Array, chosen: Array | slice = slice(None)) -> Ticks:
        """Return the chosen ticks with their rows, which the caller knows."""
        return Ticks(
            row,
            self.at_ms[chosen],
            self.price[chosen],
            self.volume[chosen],
            self.oi[chosen],
            self.traded_ms[chosen],
            self.place[chosen],
            self.source,
        )


def joined(batches: Sequence[TickBatch]) -> Run:
    """Return batches of one partition as a run."""
    columns = [batch.columns for batch in batches]
    sizes = [len(one) for one in columns]
    return Run(
        token=np.concatenate([one.instrument_token for one in columns]),
        at_ms=np.concatenate([one.exchange_timestamp for one in columns]),
        price=np.concatenate([one.last_price for one in columns]),
        volume=_filled([one.volume_traded for one in columns], sizes, UNKNOWN_VOLUME),
        oi=_filled([one.oi for one in columns], sizes, 0),
        traded_ms=_filled([one.last_trade_time for one in columns], sizes, 0),
        place=np.arange(sum(sizes)),
        source=Source(columns, sizes),
        arrivals=Arrivals(
            np.array([batch.received_ms for batch in batches], np.int64),
            np.array([batch.clock_ms for batch in batches], np.int64),
        ),
    )


def _filled(parts: Sequence[Array | None], sizes: Sequence[int], missing: float) -> Array:
    """Join a column; a batch without it gets `missing` in each row."""
    filled = (
        np.full(size, missing) if part is None else part
        for part, size in zip(parts, sizes, strict=True)
    )
    return np.concatenate(list(filled))
