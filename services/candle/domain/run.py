"""Tick batches of one partition joined into one set of columns, in order of arrival."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from libs.events.ticks import TickBatch

UNKNOWN_VOLUME = -1
Array = NDArray[Any]
_KINDS = {"price": np.float64, "bid": np.float64, "ask": np.float64}


@dataclass(frozen=True, slots=True)
class Ticks:
    """Ticks of known instruments. `volume` is cumulative, -1 where unknown.

    `batch` is the number of each tick's batch in its run. `traded_ms` is the time of the last
    trade (epoch ms), `bid` and `ask` the best quotes (rupees); 0 is unknown in all three.
    """

    row: Array
    at_ms: Array
    price: Array
    volume: Array
    oi: Array
    batch: Array
    traded_ms: Array
    bid: Array
    ask: Array

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def empty(cls) -> Self:
        """Return no ticks."""
        return cls(**{f.name: np.empty(0, _KINDS.get(f.name, np.int64)) for f in fields(cls)})

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return ticks one part after the other."""
        names = (field.name for field in fields(cls))
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})

    def take(self, chosen: Array) -> "Ticks":
        """Return the chosen ticks."""
        return Ticks(
            self.row[chosen],
            self.at_ms[chosen],
            self.price[chosen],
            self.volume[chosen],
            self.oi[chosen],
            self.batch[chosen],
            self.traded_ms[chosen],
            self.bid[chosen],
            self.ask[chosen],
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
    """The rows of batches as columns; `batch` is the number of each row's batch."""

    token: Array
    at_ms: Array
    price: Array
    volume: Array
    oi: Array
    batch: Array
    traded_ms: Array
    bid: Array
    ask: Array
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
            self.batch[chosen],
            self.traded_ms[chosen],
            self.bid[chosen],
            self.ask[chosen],
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
        batch=np.repeat(np.arange(len(batches)), sizes),
        traded_ms=_filled([one.last_trade_time for one in columns], sizes, 0),
        bid=_filled([one.bid_price for one in columns], sizes, 0.0),
        ask=_filled([one.ask_price for one in columns], sizes, 0.0),
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
