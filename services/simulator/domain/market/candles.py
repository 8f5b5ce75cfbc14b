"""Candles in columns, and their folding into longer ones."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from libs.market.arrays import BoolArray, FloatArray, IntArray
from services.simulator.domain.market.history import MinuteCandles

Number = TypeVar("Number", np.float64, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Candles of one instrument, oldest first: columns of one length.

    `opened_at_ms` in epoch ms, prices in rupees or points, `volume` and `oi` in units.
    """

    opened_at_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: IntArray
    oi: IntArray

    def __len__(self) -> int:
        return self.opened_at_ms.size

    def take(self, rows: BoolArray | IntArray) -> "Candles":
        """Return the candles chosen by a mask or an index array."""
        return Candles(*(getattr(self, field.name)[rows] for field in fields(self)))

    @staticmethod
    def joined(parts: Sequence["Candles"]) -> "Candles":
        """Candles of several days in the order given; at least one part."""
        names = [field.name for field in fields(Candles)]
        return Candles(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))

    def folded(self, opened_at_ms: IntArray) -> "Candles":
        """Fold into the candles that open at the times given for each, which do not step back."""
        if not len(self):
            return self
        first = np.flatnonzero(np.diff(opened_at_ms, prepend=-1))
        last = np.append(first[1:], len(self)) - 1
        return Candles(
            opened_at_ms=opened_at_ms[first],
            open=self.open[first],
            high=_reduced(np.maximum, self.high, first),
            low=_reduced(np.minimum, self.low, first),
            close=self.close[last],
            volume=_reduced(np.add, self.volume, first),
            oi=self.oi[last],
        )


def of_minutes(minutes: MinuteCandles) -> Candles:
    """Candles of an earlier day, of which no open interest is kept."""
    return Candles(
        opened_at_ms=minutes["opened_at_ms"],
        open=minutes["open"],
        high=minutes["high"],
        low=minutes["low"],
        close=minutes["close"],
        volume=minutes["volume"],
        oi=np.zeros(minutes["opened_at_ms"].size, np.int64),
    )


def traded_since(cumulative_volume: IntArray) -> IntArray:
    """Volume of each candle from the day's at its close; the first has all that came before."""
    return np.asarray(np.diff(cumulative_volume, prepend=0), np.int64)


def _reduced(ufunc: np.ufunc, column: NDArray[Number], first: IntArray) -> NDArray[Number]:
    return np.asarray(ufunc.reduceat(column, first), column.dtype)
