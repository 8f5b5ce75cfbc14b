"""opening_range_breakout: a close outside the range of the session's first minutes."""

from datetime import date
from typing import Annotated

from pydantic import Field

from libs.events.candles import Candle
from libs.events.signals import Action, StrategySignal
from libs.strategy.indicators import OpeningRange
from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies.bounds import Confidence, Intraday, Multiple


class OpeningRangeBreakout(Strategy):
    """BUY at the first close above the session's opening range, SELL at the first one below it.

    Each direction signals once a session. The stop is the other end of the range, the target
    `reward_to_risk` times as far away as the stop.
    """

    name = "opening_range_breakout"

    def __init__(
        self,
        interval: Intraday = "15m",
        minutes: Annotated[int, Field(ge=1, le=360)] = 30,
        reward_to_risk: Multiple = 2.0,
        confidence: Confidence = 0.7,
        history_needed: int = 50,
    ) -> None:
        self.interval = interval
        self.history_needed = history_needed
        self._reward = reward_to_risk
        self._confidence = confidence
        self._range = OpeningRange(minutes)
        self._day: date | None = None
        self._signalled: set[Action] = set()

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Return a signal at the session's first close above or below the range."""
        opening = self._range.update(candle)
        if candle.trading_day != self._day:
            self._day = candle.trading_day
            self._signalled.clear()
        if opening is None:
            return None
        if candle.close > opening.high:
            return self._broken(candle, "BUY", opening.high, opening.low)
        if candle.close < opening.low:
            return self._broken(candle, "SELL", opening.low, opening.high)
        return None

    def _broken(
        self, candle: Candle, action: Action, near: float, far: float
    ) -> StrategySignal | None:
        """Return the signal of a direction, None for its second one of the session."""
        if action in self._signalled:
            return None
        self._signalled.add(action)
        return self.signal(
            candle,
            action,
            stop_loss=far,
            target=candle.close + self._reward * (candle.close - far),
            confidence=self._confidence,
            indicators={"range_near": near, "range_far": far},
        )
