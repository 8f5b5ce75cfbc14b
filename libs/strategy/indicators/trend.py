"""Direction and strength of a trend."""

from typing import NamedTuple

from libs.events.candles import Candle
from libs.strategy.indicators.arguments import above_zero, refused_candle, whole
from libs.strategy.indicators.volatility import ATR


class ADXValue(NamedTuple):
    """Average directional index, +DI and −DI, 0 to 100."""

    adx: float
    plus_di: float
    minus_di: float


class ADX:
    """Wilder's average directional index of a candle's high, low and close.

    TA-Lib's ADX, PLUS_DI and MINUS_DI, with their start: sums of period − 1 movements and ranges,
    then sum −= sum / period, += the next; the first ADX is the mean of `period` indices. Defined
    from the candle number 2 · period. Raises ValueError for a period below 1.
    """

    __slots__ = (
        "_close",
        "_decay",
        "_high",
        "_low",
        "_minus",
        "_period",
        "_plus",
        "_seen",
        "_sum",
        "_true",
        "value",
    )

    def __init__(self, period: int = 14) -> None:
        self._period = whole("period", period)
        self._decay = (period - 1) / period
        self._high = self._low = self._close = 0.0
        self._plus = self._minus = self._true = 0.0
        self._seen = 0
        self._sum = 0.0
        self.value: ADXValue | None = None

    def update(self, candle: Candle) -> ADXValue | None:
        """Take the next candle and return the indices, None while they are undefined."""
        high, low, close = candle.high, candle.low, candle.close
        prices = high + low + close
        if prices - prices != 0.0:
            raise refused_candle(candle)
        seen = self._seen
        if seen:
            self._move(high, low, seen)
        self._high, self._low, self._close = high, low, close
        self._seen = seen + 1
        return self._index(seen) if seen >= self._period else None

    def _move(self, high: float, low: float, seen: int) -> None:
        up, down, last = high - self._high, self._low - low, self._close
        reach = high - low
        if high - last > reach:
            reach = high - last
        elif last - low > reach:
            reach = last - low
        decay = self._decay if seen >= self._period else 1.0
        self._true = self._true * decay + reach
        self._plus *= decay
        self._minus *= decay
        if up > down and up > 0.0:
            self._plus += up
        elif down > up and down > 0.0:
            self._minus += down

    def _index(self, seen: int) -> ADXValue | None:
        true, plus, minus, period = self._true, self._plus, self._minus, self._period
        both, last = plus + minus, self.value
        index = 100.0 * abs(plus - minus) / both if both else None
        if last is not None:
            adx = last.adx if index is None else (last.adx * (period - 1) + index) / period
        else:
            self._sum += index or 0.0
            if seen < 2 * period - 1:
                return None
            adx = self._sum / period
        if true:
            plus, minus = 100.0 * plus / true, 100.0 * minus / true
        self.value = indices = ADXValue(adx, plus, minus)
        return indices


class SuperTrendValue(NamedTuple):
    """The level that ends the trend, and the trend: 1 up (level below the price), −1 down."""

    level: float
    direction: int


class SuperTrend:
    """Seban's SuperTrend of a candle's high, low and close, by the formula of TradingView.

    Bands at (high + low) / 2 ± `multiplier` times ATR(`period`). While the last close was within,
    the upper band only falls and the lower one only rises. The trend is down until a close above
    the upper band, up until one below the lower. It begins down, with the ATR of this package.
    Defined from the candle number period + 1. Raises ValueError for a period below 1 and a
    multiplier of 0 or less.
    """

    __slots__ = ("_atr", "_close", "_lower", "_multiplier", "_upper", "value")

    def __init__(self, period: int = 10, multiplier: float = 3.0) -> None:
        self._atr = ATR(period)
        self._multiplier = above_zero("multiplier", multiplier)
        self._upper = self._lower = self._close = 0.0
        self.value: SuperTrendValue | None = None

    def update(self, candle: Candle) -> SuperTrendValue | None:
        """Take the next candle and return level and direction, None while they are undefined."""
        reach = self._atr.update(candle)
        if reach is None:
            return None
        close, middle = candle.close, (candle.high + candle.low) / 2.0
        upper, lower = middle + self._multiplier * reach, middle - self._multiplier * reach
        value, last = self.value, self._close
        is_up = False
        if value is not None:
            if upper > self._upper and last <= self._upper:
                upper = self._upper
            if lower < self._lower and last >= self._lower:
                lower = self._lower
            is_up = close >= lower if value.direction > 0 else close > upper
        self._upper, self._lower, self._close = upper, lower, close
        self.value = value = SuperTrendValue(lower, 1) if is_up else SuperTrendValue(upper, -1)
        return value
