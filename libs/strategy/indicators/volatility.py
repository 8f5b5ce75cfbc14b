"""How far prices move."""

from libs.events.candles import Candle
from libs.strategy.indicators.arguments import refused_candle, whole


class ATR:
    """Wilder's average true range of a candle's high, low and close, as TA-Lib's ATR.

    True range: the largest of high − low, high − last close and last close − low; the first candle
    has none. The first average is the mean of `period` ranges; then average += (range − average) /
    period. Defined from the candle number period + 1. Raises ValueError for a period below 1.
    """

    __slots__ = ("_close", "_missing", "_others", "_period", "_total", "value")

    def __init__(self, period: int = 14) -> None:
        self._period = self._missing = whole("period", period)
        self._others = period - 1
        self._close: float | None = None
        self._total = 0.0
        self.value: float | None = None

    def update(self, candle: Candle) -> float | None:
        """Take the next candle and return the average, None while it is undefined."""
        high, low, close = candle.high, candle.low, candle.close
        prices = high + low + close
        if prices - prices != 0.0:
            raise refused_candle(candle)
        last = self._close
        self._close = close
        if last is None:
            return None
        reach = high - low
        if high - last > reach:
            reach = high - last
        elif last - low > reach:
            reach = last - low
        average = self.value
        if average is None:
            return self._begin(reach)
        self.value = average = (average * self._others + reach) / self._period
        return average

    def _begin(self, reach: float) -> float | None:
        self._total += reach
        self._missing -= 1
        if not self._missing:
            self.value = self._total / self._period
        return self.value
