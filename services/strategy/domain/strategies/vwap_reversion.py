"""vwap_reversion: a price far from the session's VWAP turns back to it."""

from libs.events.candles import Candle
from libs.events.signals import Action, StrategySignal
from libs.strategy.indicators import ATR, VWAP
from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies.bounds import Confidence, Intraday, Multiple, Period


class VwapReversion(Strategy):
    """BUY when the close comes back from `entry_atrs` or more below the session's VWAP, SELL above.

    The distance of the close to the VWAP is measured in average true ranges. It comes back when it
    was `entry_atrs` or more at the candle before, of the same session, and is less now. The target
    is the VWAP, the stop `stop_atrs` from the close. An index has no volume, so no VWAP and no
    signal.
    """

    name = "vwap_reversion"
    history_needed = 150

    def __init__(
        self,
        interval: Intraday = "15m",
        atr_period: Period = 14,
        entry_atrs: Multiple = 2.0,
        stop_atrs: Multiple = 1.0,
        confidence: Confidence = 0.65,
        history_needed: int = 150,
    ) -> None:
        self.interval = interval
        self.history_needed = history_needed
        self._entry = entry_atrs
        self._stop = stop_atrs
        self._confidence = confidence
        self._average, self._range = VWAP(), ATR(atr_period)
        self._before: Candle | None = None
        self._distance: float | None = None

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Update VWAP and range, and return a signal where the price turns back."""
        is_same_day = self._before is not None and self._before.trading_day == candle.trading_day
        before = self._distance if is_same_day else None
        vwap, reach = self._average.update(candle), self._range.update(candle)
        self._before = candle
        self._distance = (candle.close - vwap) / reach if vwap and reach else None
        now = self._distance
        if before is None or now is None or vwap is None or reach is None:
            return None
        if before <= -self._entry < now < 0:
            return self._turned(candle, "BUY", 1, vwap, reach)
        if before >= self._entry > now > 0:
            return self._turned(candle, "SELL", -1, vwap, reach)
        return None

    def _turned(
        self, candle: Candle, action: Action, direction: int, vwap: float, reach: float
    ) -> StrategySignal:
        return self.signal(
            candle,
            action,
            stop_loss=candle.close - direction * self._stop * reach,
            target=vwap,
            confidence=self._confidence,
            indicators={"vwap": vwap, "atr": reach},
        )
