"""ma_crossover: a fast exponential average crosses a slow one."""

from typing import Annotated

from pydantic import Field

from libs.events.candles import Candle, Interval
from libs.events.signals import StrategySignal
from libs.strategy.indicators import EMA
from libs.strategy.strategy import Strategy


class MaCrossover(Strategy):
    """BUY when the fast EMA crosses above the slow one, SELL when it crosses below.

    It crosses above when it was at or below at the candle before; crossing below likewise.
    Target and stop are percentages of the close.
    """

    name = "ma_crossover"
    version = "1"

    def __init__(
        self,
        interval: Interval = "15m",
        fast: Annotated[int, Field(ge=1)] = 9,
        slow: Annotated[int, Field(ge=2)] = 21,
        target_percent: Annotated[float, Field(gt=0, lt=100)] = 2.0,
        stop_percent: Annotated[float, Field(gt=0, lt=100)] = 1.0,
        confidence: Annotated[float, Field(ge=0, le=1)] = 0.85,
        history_needed: int = 50,
    ) -> None:
        if fast >= slow:
            raise ValueError(f"fast ({fast}) must be below slow ({slow})")
        self.interval = interval
        self.history_needed = history_needed
        self._spans = (fast, slow)
        self._percents = (target_percent, stop_percent)
        self._confidence = confidence
        self._fast, self._slow = EMA(fast), EMA(slow)
        self._distance: float | None = None

    @property
    def parameters(self) -> dict[str, float | str]:
        """Interval, spans and percentages."""
        (fast, slow), (target, stop) = self._spans, self._percents
        return {
            "interval": self.interval,
            "fast": fast,
            "slow": slow,
            "target_percent": target,
            "stop_percent": stop,
            "confidence": self._confidence,
        }

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Update both averages and return a signal at a crossing."""
        before, close = self._distance, candle.close
        fast, slow = self._fast.update(close), self._slow.update(close)
        self._distance = distance = fast - slow
        if before is None:
            return None
        if before <= 0 < distance:
            return self._crossed(candle, 1, fast, slow)
        if before >= 0 > distance:
            return self._crossed(candle, -1, fast, slow)
        return None

    def _crossed(self, candle: Candle, direction: int, fast: float, slow: float) -> StrategySignal:
        target_percent, stop_percent = self._percents
        return self.signal(
            candle,
            "BUY" if direction > 0 else "SELL",
            stop_loss=candle.close * (1 - direction * stop_percent / 100),
            target=candle.close * (1 + direction * target_percent / 100),
            confidence=self._confidence,
            indicators={"ema_fast": fast, "ema_slow": slow},
        )
