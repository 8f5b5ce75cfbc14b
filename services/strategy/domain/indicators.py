"""Indicators that take O(1) per candle."""


class Ema:
    """Exponential moving average, as pandas' `ewm(span=span, adjust=False).mean()`.

    The first value is the average itself; then average += 2 / (span + 1) · (value − average).
    """

    def __init__(self, span: int) -> None:
        if span < 1:
            raise ValueError(f"span must be at least 1, not {span}")
        self._weight = 2.0 / (span + 1.0)
        self.value: float | None = None

    def update(self, value: float) -> float:
        """Take the next value and return the average."""
        if self.value is None:
            self.value = value
        else:
            self.value += self._weight * (value - self.value)  # constant values stay exact
        return self.value
