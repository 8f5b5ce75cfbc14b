"""The last candles of one instrument as a pandas frame."""

from math import nan
from typing import Any

import numpy as np
import pandas as pd

from libs.events.candles import Candle
from libs.market.calendar import IST

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume", "vwap", "trades", "oi")
_PRICES = ("open", "high", "low", "close", "vwap")
_COUNTS = ("volume", "trades", "oi")
_FEWEST = 64


class CandleWindow:
    """Keeps the last `length` candles in columns, O(1) each.

    A frame is a slice of the columns: it is not copied, and later candles do not change it, since
    they are written behind it, or into new columns once these are full. pandas copies what its
    owner changes.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._end = 0
        self._make(_FEWEST)

    def __len__(self) -> int:
        return min(self._end, self._length)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the frame of all: a copy of it would have columns of its own."""
        return {name: value for name, value in vars(self).items() if name != "_all"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Frame the copied columns."""
        vars(self).update(state)
        self._frame()

    def add(self, candle: Candle) -> None:
        """Take the next candle."""
        if self._end == len(self._times):
            self._renew()
        at = self._end
        vwap = nan if candle.vwap is None else candle.vwap
        self._times[at] = candle.opened_ms
        self._prices[:, at] = candle.open, candle.high, candle.low, candle.close, vwap
        self._counts[:, at] = candle.volume, candle.ticks, candle.oi
        self._end = at + 1

    def frame(self) -> pd.DataFrame:
        """Return the candles, oldest first, with COLUMNS; index `date` is the timestamp."""
        return self._all.iloc[self._end - len(self) : self._end]

    def _make(self, room: int) -> None:
        self._times = np.zeros(room, np.int64)
        self._prices = np.zeros((len(_PRICES), room))
        self._counts = np.zeros((len(_COUNTS), room), np.int64)
        self._frame()

    def _frame(self) -> None:
        zone = pd.DatetimeTZDtype("ms", IST)
        index = pd.DatetimeIndex(self._times, dtype=zone, copy=False, name="date")
        columns = {
            "timestamp": pd.Series(index, index=index, copy=False),
            **dict(zip(_PRICES, self._prices, strict=True)),
            **dict(zip(_COUNTS, self._counts, strict=True)),
        }
        ordered = {name: columns[name] for name in COLUMNS}
        self._all = pd.DataFrame(ordered, index=index, copy=False)

    def _renew(self) -> None:
        """Move what later frames hold into new columns, with a quarter more room for the next."""
        kept = len(self)
        times, prices, counts = self._times, self._prices, self._counts
        first = self._end - kept
        self._make(min(2 * kept, self._length + max(self._length // 4, _FEWEST)))
        self._times[:kept] = times[first:]
        self._prices[:, :kept] = prices[:, first:]
        self._counts[:, :kept] = counts[:, first:]
        self._end = kept
