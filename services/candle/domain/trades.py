"""Which updates tell a trade: the rise of the volume, or a newer time of the last trade."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from libs.market.instruments import Instrument
from services.candle.domain.groups import running_before
from services.candle.domain.opening import OpeningVolume
from services.candle.domain.run import Array, Ticks
from services.candle.domain.schedule import MINUTE_MS

Mask = NDArray[np.bool_]


class Trades:
    """Tells updates of instruments apart: trades, repeats of the last price, none since the open.

    An index has no volume: each of its updates is a price. So is each update of a feed that knows
    neither volume nor the time of the last trade.
    """

    def __init__(self, open_ms: int, opening: OpeningVolume) -> None:
        self._open_ms = open_ms
        self._opening = opening
        self._is_index: Mask = np.empty(0, np.bool_)
        self._traded_ms: Array = np.empty(0, np.int64)

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Add instruments at the end."""
        is_index = np.array([one.segment == "INDICES" for one in instruments], np.bool_)
        self._is_index = np.concatenate([self._is_index, is_index])
        self._traded_ms = np.concatenate([self._traded_ms, np.zeros(len(is_index), np.int64)])

    def told(self, ticks: Ticks, minute: Array, starts: Array, rise: Array) -> Mask:
        """Return which ticks, by row and then arrival, are trades.

        Without an earlier one to compare with, the last trade must be of the tick's minute.
        """
        is_trade: Mask = rise > 0
        heads, before = ticks.row[starts], self._traded_ms
        traded_ms = np.minimum(ticks.traded_ms, ticks.at_ms)
        if is_trade.all():
            before[heads] = np.maximum(before[heads], np.maximum.reduceat(traded_ms, starts))
            return is_trade
        known = running_before(traded_ms, starts, before[heads])
        before[heads] = np.maximum(before[heads], np.maximum.reduceat(traded_ms, starts))
        is_trade |= traded_ms > np.where(known > 0, known, self._open_ms + minute * MINUTE_MS - 1)
        is_trade |= self._is_index[ticks.row]
        is_trade |= (ticks.volume < 0) & (ticks.traded_ms <= 0)
        return is_trade

    def untraded(self, ticks: Ticks, base: Array, running: Array) -> Mask:
        """Return which ticks show a price from before the open: nothing was traded since.

        `running`: the highest volume up to each tick. A base that is 0, or was seen before the
        open, is what had been traded at the open.
        """
        base = base[ticks.row]
        is_quiet = (base == 0) | (base == self._opening.volume[ticks.row])
        is_quiet &= ticks.volume >= 0
        is_quiet = np.where(ticks.traded_ms > 0, ticks.traded_ms < self._open_ms, is_quiet)
        untraded: Mask = is_quiet & (running <= base) & ~self._is_index[ticks.row]
        return untraded
