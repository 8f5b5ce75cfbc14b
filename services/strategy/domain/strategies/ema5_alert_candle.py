"""ema5_alert_candle: a candle apart from a short average, and the break of its near end."""

from typing import Annotated, NamedTuple

from pydantic import Field

from libs.events.candles import Candle
from libs.events.signals import Action, StrategySignal
from libs.strategy.indicators import EMA
from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies.bounds import Intraday, Multiple

LEAST_CONFIDENCE = 0.60
OF_REWARD = 0.15
OF_GAP = 0.20
FULL_REWARD = 3.0
FULL_GAP = 0.5
"""Reward/risk, and gap in percent, from which on they add no more confidence."""


class Alert(NamedTuple):
    """A candle wholly on one side of the average, and how far from it, in percent."""

    candle: Candle
    gap: float


class Ema5AlertCandle(Strategy):
    """SELL when the low of an alert candle above the EMA breaks, BUY when the high of one below.

    A candle is an alert if it lies wholly on one side of the EMA at its close, `gap_percent` of the
    EMA or more away. The next one on that side takes its place, unless it breaks the alert's far
    end. Alerts end with the session. The price of a signal is the alert's level, also where the
    candle opened beyond it.
    """

    name = "ema5_alert_candle"

    def __init__(
        self,
        interval: Intraday = "15m",
        span: Annotated[int, Field(ge=1, le=1000)] = 5,
        gap_percent: Annotated[float, Field(ge=0, lt=100)] = 0.05,
        reward_to_risk: Multiple = 3.0,
        history_needed: int = 50,
    ) -> None:
        self.interval = interval
        self.history_needed = history_needed
        self._least_gap = gap_percent
        self._reward = reward_to_risk
        self._average = EMA(span)
        self._before: Candle | None = None
        self._above: Alert | None = None
        self._below: Alert | None = None

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Return a signal if the candle breaks an alert; then see if it is one itself."""
        average = self._average.update(candle.close)
        before, self._before = self._before, candle
        if before is None or before.trading_day != candle.trading_day:
            self._above = self._below = None
            before = candle
        signal = self._entry(candle, before)
        self._watch(candle, average)
        return signal

    def _entry(self, candle: Candle, before: Candle) -> StrategySignal | None:
        """Return the entry at an alert that the candle breaks; a broken alert has ended."""
        above, below = self._above, self._below
        sells = above is not None and candle.low < above.candle.low
        buys = below is not None and candle.high > below.candle.high
        if sells:
            self._above = None
        if buys:
            self._below = None
        if above and sells and not (below and buys and _is_buy_first(candle, above, below)):
            swing = max(before.high, candle.high)
            return self._signal(candle, "SELL", above, above.candle.low, swing)
        if below and buys:
            swing = min(before.low, candle.low)
            return self._signal(candle, "BUY", below, below.candle.high, swing)
        return None

    def _signal(
        self, candle: Candle, action: Action, alert: Alert, level: float, swing: float
    ) -> StrategySignal | None:
        """Return the entry, or None if the swing leaves no risk: the candles were flat."""
        risk = level - swing
        if risk == 0.0:
            return None
        return self.signal(
            candle,
            action,
            price=level,
            stop_loss=swing,
            target=level + self._reward * risk,
            confidence=confidence(self._reward, alert.gap),
            indicators={"ema": self._average.value or 0.0, "gap_percent": alert.gap},
        )

    def _watch(self, candle: Candle, average: float) -> None:
        """Let the candle become an alert, or take the place of one that waits."""
        above = 100.0 * (candle.low - average) / average
        below = 100.0 * (average - candle.high) / average
        if above > 0.0 and above >= self._least_gap:
            waiting = self._above
            is_broken = waiting is not None and candle.high > waiting.candle.high
            self._above = waiting if is_broken else Alert(candle, above)
        elif below > 0.0 and below >= self._least_gap:
            waiting = self._below
            is_broken = waiting is not None and candle.low < waiting.candle.low
            self._below = waiting if is_broken else Alert(candle, below)


def confidence(reward_to_risk: float, gap: float) -> float:
    """Return 0.60 to 0.95: up to 0.15 for reward/risk (full at 3), 0.20 for the gap (at 0.5 %)."""
    reward = min(reward_to_risk / FULL_REWARD, 1.0)
    return LEAST_CONFIDENCE + OF_REWARD * reward + OF_GAP * min(gap / FULL_GAP, 1.0)


def _is_buy_first(candle: Candle, above: Alert, below: Alert) -> bool:
    """Tell whether the BUY level was reached first: the one nearer to the open."""
    return below.candle.high - candle.open < candle.open - above.candle.low
