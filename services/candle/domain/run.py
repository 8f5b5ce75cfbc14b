"""Tick batches of one partition, taken at once: their rows side by side, in order of arrival."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.ticks import TickBatch

UNKNOWN_VOLUME = -1
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Ticks:
    """Ticks of known instruments. `volume` is cumulative, -1 where unknown.

    `batch` is the number of each tick's batch in its run.
    """

    row: Array
    at_ms: Array
    price: Array
    volume: Array
    oi: Array
    batch: Array

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: Array) -> "Ticks":
        """Return the chosen ticks."""
        return Ticks(
            self.row[chosen],
            self.at_ms[chosen],
            self.price[chosen],
            self.volume[chosen],
            self.oi[chosen],
            self.batch[chosen],
        )


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When the batches of a run arrived, and the clocks that they brought (epoch ms)."""

    received_ms: Array
    clock_ms: Array

    def watermarks(self, before_ms: int) -> Array:
        """Return the highest clock before each batch, `before_ms` being that before the first."""
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
    arrivals: Arrivals

    def __len__(self) -> int:
        return len(self.token)

    def ticks(self, row: Array, chosen: Array | slice = slice(None)) -> Ticks:
        """Return the chosen ticks, whose rows are told."""
        return Ticks(
            row,
            self.at_ms[chosen],
            self.price[chosen],
            self.volume[chosen],
            self.oi[chosen],
            self.batch[chosen],
        )


def joined(batches: Sequence[TickBatch]) -> Run:
    """Return batches of one partition as a run."""
    sizes = [len(batch.columns) for batch in batches]
    return Run(
        token=column_of(batches, "instrument_token"),
        at_ms=column_of(batches, "exchange_timestamp"),
        price=column_of(batches, "last_price"),
        volume=_filled(batches, "volume_traded", UNKNOWN_VOLUME),
        oi=_filled(batches, "oi", 0),
        batch=np.repeat(np.arange(len(batches)), sizes),
        arrivals=Arrivals(
            np.array([batch.received_ms for batch in batches], np.int64),
            np.array([batch.clock_ms for batch in batches], np.int64),
        ),
    )


def column_of(batches: Sequence[TickBatch], name: str) -> Array:
    """Return a column that all feeds carry, of all batches."""
    return np.concatenate([getattr(batch.columns, name) for batch in batches])


def _filled(batches: Sequence[TickBatch], name: str, missing: int) -> Array:
    parts = [getattr(batch.columns, name) for batch in batches]
    for number, part in enumerate(parts):
        if part is None:
            parts[number] = np.full(len(batches[number].columns), missing, np.int64)
    return np.concatenate(parts)
