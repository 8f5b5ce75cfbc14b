"""The highest and the lowest of a sliding window."""

from itertools import accumulate
from math import inf


class Extremes:
    """Highest high and lowest low of the last `period` candles, in O(1) on average.

    The algorithm of van Herk, Gil and Werman: the extremes of the block being filled, joined with
    those of what the window still holds of the block before.
    """

    __slots__ = ("_bottom", "_highs", "_is_full", "_lows", "_older_highs", "_older_lows", "_top")

    def __init__(self, period: int) -> None:
        self._highs: list[float] = []
        self._lows: list[float] = []
        self._older_highs, self._older_lows = [-inf] * period, [inf] * period
        self._top, self._bottom = -inf, inf
        self._is_full = False

    def update(self, high: float, low: float) -> tuple[float, float] | None:
        """Take the next candle's numbers; return highest and lowest, None in a short window."""
        self._highs.append(high)
        self._lows.append(low)
        self._top = max(self._top, high)
        self._bottom = min(self._bottom, low)
        top, bottom = self._top, self._bottom
        older_high, older_low = self._older_highs.pop(), self._older_lows.pop()
        if not self._older_highs:
            self._begin_block()
        elif not self._is_full:
            return None
        return (
            older_high if older_high > top else top,
            older_low if older_low < bottom else bottom,
        )

    def _begin_block(self) -> None:
        self._older_highs = list(accumulate(self._highs[:0:-1], max, initial=-inf))
        self._older_lows = list(accumulate(self._lows[:0:-1], min, initial=inf))
        self._highs.clear()
        self._lows.clear()
        self._top, self._bottom = -inf, inf
        self._is_full = True
