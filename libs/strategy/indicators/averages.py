"""Moving averages of one number per candle."""

from itertools import accumulate

from libs.strategy.indicators.arguments import refused, whole


class EMA:
    """Exponential moving average, as pandas' `ewm(span=span, adjust=False).mean()`.

    The first value is the average itself; then average += 2 / (span + 1) · (value − average).
    Defined from the first value. Raises ValueError for a span below 1.
    """

    __slots__ = ("_weight", "value")

    def __init__(self, span: int) -> None:
        self._weight = 2.0 / (whole("span", span) + 1.0)
        self.value: float | None = None

    def update(self, value: float) -> float:
        """Take the next value and return the average, in the unit of the values."""
        last = self.value
        # Constant values stay exact.
        average = value if last is None else last + self._weight * (value - last)
        if average - average != 0.0:
            raise refused(value)
        self.value = average
        return average


class SMA:
    """Simple moving average of the last `period` values, as pandas' `rolling(period).mean()`.

    TA-Lib: SMA. Defined from the value number `period`. Raises ValueError for a period below 1.
    """

    __slots__ = ("_block", "_older", "_period", "_total", "value")

    def __init__(self, period: int) -> None:
        self._period = whole("period", period)
        self._block: list[float] = []
        self._total = 0.0
        # Sums of what the window still holds of the block before: of none, of its last value, …
        self._older = [0.0] * self._period
        self.value: float | None = None

    def update(self, value: float) -> float | None:
        """Take the next value and return the average, None while it is undefined."""
        if value - value != 0.0:
            raise refused(value)
        older = self._older
        total = self._total + value
        self._block.append(value)
        whole_sum = total + older.pop()
        if not older:
            self._begin_block()
        elif self.value is None:
            self._total = total
            return None
        else:
            self._total = total
        self.value = average = whole_sum / self._period
        return average

    def _begin_block(self) -> None:
        newest_first = self._block[:0:-1]
        self._older = list(accumulate(newest_first, initial=0.0))
        self._block.clear()
        self._total = 0.0


class WMA:
    """Weighted moving average, weights 1 (oldest) to `period` (newest), as TA-Lib's WMA.

    Defined from the value number `period`. Raises ValueError for a period below 1.
    """

    __slots__ = ("_block", "_older", "_period", "_total", "_weighted", "_weights", "value")

    def __init__(self, period: int) -> None:
        self._period = whole("period", period)
        self._weights = self._period * (self._period + 1) / 2
        self._block: list[float] = []
        self._total = self._weighted = 0.0
        # Weighted sums of what the window still holds of the block before, its oldest weighing 1.
        self._older = [0.0] * self._period
        self.value: float | None = None

    def update(self, value: float) -> float | None:
        """Take the next value and return the average, None while it is undefined."""
        if value - value != 0.0:
            raise refused(value)
        older = self._older
        before = older.pop()
        count = len(older)
        self._block.append(value)
        self._total = total = self._total + value
        self._weighted = weighted = self._weighted + (self._period - count) * value
        if not older:
            self._begin_block()
        elif self.value is None:
            return None
        self.value = average = (before + count * total + weighted) / self._weights
        return average

    def _begin_block(self) -> None:
        # One value more in front raises the weight of each behind it by 1.
        sums = accumulate(self._block[:0:-1])
        self._older = list(accumulate(sums, initial=0.0))
        self._block.clear()
        self._total = self._weighted = 0.0
