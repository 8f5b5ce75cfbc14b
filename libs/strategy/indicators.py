"""Indicators that take one value at a time, in O(1)."""


class EMA:
    """Exponential moving average, as pandas' `ewm(span=span, adjust=False).mean()`.

    The first value is the average itself; then average += 2 / (span + 1) · (value − average).
    Raises ValueError for a span below 1.
    """

    def __init__(self, span: int) -> None:
        if span < 1:
            raise ValueError(f"span must be at least 1, not {span}")
        self._weight = 2.0 / (span + 1.0)
        self.value: float | None = None

    def update(self, value: float) -> float:
        """Take the next value and return the average, in the unit of the values."""
        if self.value is None:
            self.value = value
        else:
            self.value += self._weight * (value - self.value)  # constant values stay exact
        return self.value


class RSI:
    """Wilder's relative strength index, 0 to 100, as TA-Lib's RSI.

    The first averages of gains and losses are the means of the first `period` changes; then
    average += (change − average) / period. It is None before that, and while no value has changed.
    Raises ValueError for a period below 1.
    """

    def __init__(self, period: int = 14) -> None:
        if period < 1:
            raise ValueError(f"period must be at least 1, not {period}")
        self._period = period
        self._changes = 0
        self._gain = self._loss = 0.0
        self._last: float | None = None
        self.value: float | None = None

    def update(self, value: float) -> float | None:
        """Take the next value and return the index, None while it is undefined."""
        last, self._last = self._last, value
        if last is not None:
            self._take(value - last)
            self.value = self._index()
        return self.value

    def _take(self, change: float) -> None:
        # The running mean of the first changes, then Wilder's average with the same formula.
        self._changes = min(self._changes + 1, self._period)
        self._gain += (max(change, 0.0) - self._gain) / self._changes
        self._loss += (max(-change, 0.0) - self._loss) / self._changes

    def _index(self) -> float | None:
        both = self._gain + self._loss
        return 100.0 * self._gain / both if self._changes == self._period and both > 0 else None
