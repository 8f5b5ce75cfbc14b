"""supertrend: the SuperTrend turns in the direction that it has on a higher interval."""

from typing import Annotated

from pydantic import Field

from libs.events.candles import Candle, Interval, length_ms
from libs.events.signals import Action, StrategySignal
from libs.strategy.indicators import SuperTrend
from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies.bounds import Confidence, Multiple, Period


class Supertrend(Strategy):
    """BUY when the SuperTrend turns up while that of `higher` is up, SELL likewise down.

    Of the higher interval only closed candles count. The stop is the SuperTrend's level, the
    target `reward_to_risk` times as far away; a turn whose level the close has passed gives none.
    """

    name = "supertrend"
    history_needed = 300

    def __init__(
        self,
        interval: Interval = "15m",
        higher: Interval = "60m",
        period: Period = 10,
        multiplier: Annotated[float, Field(gt=0, le=20)] = 3.0,
        reward_to_risk: Multiple = 2.0,
        confidence: Confidence = 0.75,
        history_needed: int = 300,
    ) -> None:
        if length_ms(higher) <= length_ms(interval):
            raise ValueError(f"higher ({higher}) must be longer than interval ({interval})")
        self.interval = interval
        self.other_intervals = (higher,)
        self.history_needed = history_needed
        self._reward = reward_to_risk
        self._confidence = confidence
        self._trend = SuperTrend(period, multiplier)
        self._higher = SuperTrend(period, multiplier)

    def on_other_candle(self, candle: Candle) -> None:
        """Update the trend of the higher interval."""
        self._higher.update(candle)

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Update the trend and return a signal where it turns along with the higher one."""
        before, now = self._trend.value, self._trend.update(candle)
        higher = self._higher.value
        if before is None or now is None or higher is None or now.direction == before.direction:
            return None
        risk = candle.close - now.level
        if now.direction != higher.direction or risk * now.direction <= 0:
            return None
        action: Action = "BUY" if now.direction > 0 else "SELL"
        return self.signal(
            candle,
            action,
            stop_loss=now.level,
            target=candle.close + self._reward * risk,
            confidence=self._confidence,
            indicators={"supertrend": now.level, "supertrend_higher": higher.level},
        )
