"""rsi: Wilder's relative strength index leaves its oversold or overbought zone."""

from libs.events.candles import Candle, Interval
from libs.events.signals import Action, StrategySignal
from libs.strategy.indicators import RSI
from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies.bounds import Confidence, Percent, Period


class Rsi(Strategy):
    """BUY when the RSI crosses up through `oversold`, SELL when down through `overbought`.

    It crosses up when it is above now and was at or below at the candle before; down likewise.
    Target and stop are percentages of the close.
    """

    name = "rsi"
    history_needed = 150

    def __init__(
        self,
        interval: Interval = "15m",
        period: Period = 14,
        oversold: Percent = 30.0,
        overbought: Percent = 70.0,
        target_percent: Percent = 2.0,
        stop_percent: Percent = 1.0,
        confidence: Confidence = 0.7,
        history_needed: int = 150,
    ) -> None:
        if oversold >= overbought:
            raise ValueError(f"oversold ({oversold}) must be below overbought ({overbought})")
        self.interval = interval
        self.history_needed = history_needed
        self._levels = oversold, overbought
        self._percents = target_percent, stop_percent
        self._confidence = confidence
        self._rsi = RSI(period)

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Update the index and return a signal at a crossing."""
        before, now = self._rsi.value, self._rsi.update(candle.close)
        if before is None or now is None:
            return None
        oversold, overbought = self._levels
        if before <= oversold < now:
            return self._crossed(candle, "BUY", 1, now)
        if before >= overbought > now:
            return self._crossed(candle, "SELL", -1, now)
        return None

    def _crossed(
        self, candle: Candle, action: Action, direction: int, rsi: float
    ) -> StrategySignal:
        target_percent, stop_percent = self._percents
        return self.signal(
            candle,
            action,
            stop_loss=candle.close * (1 - direction * stop_percent / 100),
            target=candle.close * (1 + direction * target_percent / 100),
            confidence=self._confidence,
            indicators={"rsi": rsi},
        )
