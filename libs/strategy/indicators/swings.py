"""Swing highs and lows."""

from collections import deque
from typing import NamedTuple

from libs.events.candles import Candle
from libs.strategy.indicators.arguments import refused_candle, whole


class Swing(NamedTuple):
    """The price of a swing, and the open time (epoch ms) of the candle that made it."""

    price: float
    opened_ms: int


class _Swings:
    __slots__ = ("_peaks", "_right", "_seen", "_width", "value")

    def __init__(self, left: int = 2, right: int = 2) -> None:
        self._right = whole("right", right)
        self._width = whole("left", left) + 1 + right
        # Number, height and swing of candles that may still be the highest of a window, falling.
        self._peaks: deque[tuple[int, float, float, int]] = deque()
        self._seen = 0
        self.value: Swing | None = None

    def _take(self, height: float, price: float, candle: Candle) -> Swing | None:
        if price - price != 0.0:
            raise refused_candle(candle)
        peaks, seen = self._peaks, self._seen
        while peaks and peaks[-1][1] < height:
            peaks.pop()
        peaks.append((seen, height, price, candle.opened_ms))
        oldest = seen - self._width
        if peaks[0][0] <= oldest:
            peaks.popleft()
        number, _, swing, opened_ms = peaks[0]
        if number == seen - self._right and oldest >= -1:
            self.value = Swing(swing, opened_ms)
        self._seen = seen + 1
        return self.value


class SwingHigh(_Swings):
    """The last swing high: above the highs of `left` before it, below none of `right` after.

    It is known when the last of these has closed, and holds until the next; its `opened_ms` tells
    one from another. Williams' fractal is 2 and 2. Raises ValueError for a length below 1.
    """

    __slots__ = ()

    def update(self, candle: Candle) -> Swing | None:
        """Take the next candle and return the last swing high, None before the first."""
        return self._take(candle.high, candle.high, candle)


class SwingLow(_Swings):
    """The last swing low: below the lows of `left` before it, above none of `right` after.

    It is known when the last of these has closed, and holds until the next; its `opened_ms` tells
    one from another. Williams' fractal is 2 and 2. Raises ValueError for a length below 1.
    """

    __slots__ = ()

    def update(self, candle: Candle) -> Swing | None:
        """Take the next candle and return the last swing low, None before the first."""
        return self._take(-candle.low, candle.low, candle)
