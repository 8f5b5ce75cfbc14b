"""Indicators of momentum."""

from typing import NamedTuple

from libs.events.candles import Candle
from libs.strategy.indicators.arguments import refused, refused_candle, whole
from libs.strategy.indicators.averages import SMA
from libs.strategy.indicators.window import Extremes


class RSI:
    """Wilder's relative strength index, 0 to 100, as TA-Lib's RSI.

    The first averages of gains and losses are the means of the first `period` changes; then
    average += (change − average) / period. It is None before that, and while no value has changed.
    Raises ValueError for a period below 1.
    """

    __slots__ = ("_decay", "_gain", "_last", "_loss", "_missing", "value")

    def __init__(self, period: int = 14) -> None:
        self._missing = whole("period", period)
        self._decay = (period - 1) / period
        # `period` times the averages: the index is their quotient.
        self._gain = self._loss = 0.0
        self._last: float | None = None
        self.value: float | None = None

    def update(self, value: float) -> float | None:
        """Take the next value and return the index, None while it is undefined."""
        if value - value != 0.0:
            raise refused(value)
        last = self._last
        self._last = value
        if last is None:
            return None
        if self._missing:
            return self._begin(value - last)
        change, decay = value - last, self._decay
        gain, loss = self._gain * decay, self._loss * decay
        if change > 0.0:
            gain += change
        else:
            loss -= change
        self._gain, self._loss = gain, loss
        both = gain + loss
        self.value = index = 100.0 * gain / both if both else None
        return index

    def _begin(self, change: float) -> float | None:
        self._gain += max(change, 0.0)
        self._loss += max(-change, 0.0)
        self._missing -= 1
        both = self._gain + self._loss
        if not self._missing and both:
            self.value = 100.0 * self._gain / both
        return self.value


class MACDValue(NamedTuple):
    """The line, its signal line and the difference of both, in the unit of the values."""

    macd: float
    signal: float
    histogram: float


class MACD:
    """Moving average convergence and divergence: EMA(fast) − EMA(slow), and its EMA(signal).

    In pandas `ewm(span=…, adjust=False).mean()` of the values, and of their difference. (TA-Lib's
    begins with simple averages.) Defined from the first value. Raises ValueError for a span below
    1, and for `fast` not below `slow`.
    """

    __slots__ = ("_fast", "_keeps", "_signal", "_slow", "_weights", "value")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        spans = whole("fast", fast), whole("slow", slow), whole("signal", signal)
        if fast >= slow:
            raise ValueError(f"fast ({fast}) must be below slow ({slow})")
        self._weights = tuple(2.0 / (span + 1.0) for span in spans)
        self._keeps = tuple(1.0 - weight for weight in self._weights)
        self._fast = self._slow = self._signal = 0.0
        self.value: MACDValue | None = None

    def update(self, value: float) -> MACDValue:
        """Take the next value and return the lines."""
        if value - value != 0.0:
            raise refused(value)
        if self.value is None:
            self._fast = self._slow = value
            self.value = MACDValue(0.0, 0.0, 0.0)
            return self.value
        fast, slow, signal = self._fast, self._slow, self._signal
        of_fast, of_slow, of_signal = self._weights
        keep_fast, keep_slow, keep_signal = self._keeps
        # In the order of pandas: where the line crosses zero, each rounding would show.
        if value != fast:
            self._fast = fast = keep_fast * fast + of_fast * value
        if value != slow:
            self._slow = slow = keep_slow * slow + of_slow * value
        line = fast - slow
        if line != signal:
            self._signal = signal = keep_signal * signal + of_signal * line
        self.value = lines = MACDValue(line, signal, line - signal)
        return lines


class StochasticValue(NamedTuple):
    """TA-Lib's slowk and slowd, 0 to 100."""

    k: float
    d: float


class Stochastic:
    """Lane's stochastic oscillator of a candle's high, low and close, as TA-Lib's STOCH.

    Where the close lies between the lowest low (0) and highest high (100) of `fastk_period`
    candles, 0 if these are equal; k is its SMA of `slowk_period`, d that of k of `slowd_period`.
    Defined from the candle number fastk_period + slowk_period + slowd_period − 2. Raises ValueError
    for a period below 1.
    """

    __slots__ = ("_d", "_extremes", "_k", "value")

    def __init__(
        self, fastk_period: int = 14, slowk_period: int = 3, slowd_period: int = 3
    ) -> None:
        self._extremes = Extremes(whole("fastk_period", fastk_period))
        self._k = SMA(whole("slowk_period", slowk_period))
        self._d = SMA(whole("slowd_period", slowd_period))
        self.value: StochasticValue | None = None

    def update(self, candle: Candle) -> StochasticValue | None:
        """Take the next candle and return k and d, None while they are undefined."""
        high, low, close = candle.high, candle.low, candle.close
        prices = high + low + close
        if prices - prices != 0.0:
            raise refused_candle(candle)
        extremes = self._extremes.update(high, low)
        if extremes is None:
            return None
        highest, lowest = extremes
        height = highest - lowest
        k = self._k.update(100.0 * (close - lowest) / height if height else 0.0)
        d = None if k is None else self._d.update(k)
        if k is None or d is None:
            return None
        self.value = lines = StochasticValue(k, d)
        return lines
