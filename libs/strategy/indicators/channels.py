"""Bands around the price: Bollinger, Keltner and Donchian."""

from math import sqrt
from typing import NamedTuple

from libs.events.candles import Candle
from libs.strategy.indicators.arguments import above_zero, refused, refused_candle, whole
from libs.strategy.indicators.averages import EMA
from libs.strategy.indicators.volatility import ATR
from libs.strategy.indicators.window import Extremes


class Bands(NamedTuple):
    """Upper band, middle line and lower band, in the unit of the values."""

    upper: float
    middle: float
    lower: float


class BollingerBands(NamedTuple):
    """Bands in the unit of the values; `deviation` is one, of the population."""

    upper: float
    middle: float
    lower: float
    deviation: float


class Bollinger:
    """Bollinger bands: SMA of the last `period` values ± `width` standard deviations.

    TA-Lib's BBANDS, with the deviation of the population: `rolling(period).std(ddof=0)` in pandas,
    but exact to 1e-12 of itself also where both lose digits (prices of 50,000 that hardly change).
    Defined from the value number `period`. Raises ValueError for a period below 1 and a width of 0
    or less.
    """

    __slots__ = (
        "_base",
        "_block",
        "_count",
        "_mean",
        "_older",
        "_older_base",
        "_period",
        "_squares",
        "_width",
        "value",
    )

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        self._period = whole("period", period)
        self._width = above_zero("width", width)
        # Of the block being filled: mean over its first value, and sum of squared distances to it.
        self._block: list[float] = []
        self._base = self._mean = self._squares = 0.0
        self._count = 0
        # The same of what the window still holds of the block before, over its last value.
        self._older_base = 0.0
        self._older = [(0.0, 0.0)] * self._period
        self.value: BollingerBands | None = None

    def update(self, value: float) -> BollingerBands | None:
        """Take the next value and return the bands, None while they are undefined."""
        if value - value != 0.0:
            raise refused(value)
        self._block.append(value)
        if not self._count:
            self._base = value
        self._count = count = self._count + 1
        base, mean = self._base, self._mean
        distance = value - base - mean
        mean += distance / count
        squares = self._squares + distance * distance * (count - 1) / count
        older_mean, older_squares = self._older.pop()
        older = len(self._older)
        period = self._period
        if not older:
            self._begin_block()
        else:
            self._mean, self._squares = mean, squares
            if self.value is None:
                return None
            # Chan, Golub and LeVeque: joins two sets by terms that are all positive.
            apart = (base - self._older_base) + (mean - older_mean)
            squares += older_squares + apart * apart * count * older / period
            mean -= apart * older / period
        middle = base + mean
        deviation = sqrt(squares / period)
        reach = self._width * deviation
        self.value = bands = BollingerBands(middle + reach, middle, middle - reach, deviation)
        return bands

    def _begin_block(self) -> None:
        newest_first = self._block[:0:-1]
        self._older_base = base = self._block[-1]
        mean = squares = 0.0
        self._older = [(mean, squares)]
        for count, value in enumerate(newest_first, 1):
            distance = value - base - mean
            mean += distance / count
            squares += distance * distance * (count - 1) / count
            self._older.append((mean, squares))
        self._block.clear()
        self._mean = self._squares = 0.0
        self._count = 0


class Keltner:
    """Keltner channel as Raschke's: EMA(`span`) of the close ± `width` times ATR(`period`).

    From a candle's high, low and close; with the EMA and the ATR of this package. Defined from the
    candle number period + 1. Raises ValueError for a span or period below 1 and a width of 0 or
    less.
    """

    __slots__ = ("_atr", "_ema", "_width", "value")

    def __init__(self, span: int = 20, period: int = 10, width: float = 2.0) -> None:
        self._ema, self._atr = EMA(span), ATR(period)
        self._width = above_zero("width", width)
        self.value: Bands | None = None

    def update(self, candle: Candle) -> Bands | None:
        """Take the next candle and return the bands, None while they are undefined."""
        reach = self._atr.update(candle)
        middle = self._ema.update(candle.close)
        if reach is None:
            return None
        reach *= self._width
        self.value = bands = Bands(middle + reach, middle, middle - reach)
        return bands


class Donchian:
    """Donchian channel: highest high and lowest low of the last `period` candles, and their middle.

    TA-Lib's MAX of the high and MIN of the low, this candle included: a breakout compares with
    `value` before `update`. Defined from the candle number `period`. Raises ValueError for a period
    below 1.
    """

    __slots__ = ("_extremes", "value")

    def __init__(self, period: int = 20) -> None:
        self._extremes = Extremes(whole("period", period))
        self.value: Bands | None = None

    def update(self, candle: Candle) -> Bands | None:
        """Take the next candle and return the channel, None while it is undefined."""
        high, low = candle.high, candle.low
        if (high + low) - (high + low) != 0.0:
            raise refused_candle(candle)
        extremes = self._extremes.update(high, low)
        if extremes is None:
            return None
        highest, lowest = extremes
        self.value = bands = Bands(highest, (highest + lowest) / 2.0, lowest)
        return bands
