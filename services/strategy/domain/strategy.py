"""What a strategy is: a small class without I/O, one object per instrument."""

from abc import ABC, abstractmethod
from typing import ClassVar

from libs.events.candles import Candle, Interval
from libs.events.event import identity, utc_from_ms
from libs.events.signals import Action, StrategySignal
from libs.market.instruments import underlying_name


class Strategy(ABC):
    """A strategy on one instrument.

    `on_candle` is called once per closed candle of `interval`, in order, first for the history.
    It takes O(1) time and returns a signal or None. `history_needed` candles must have been
    seen before signals count.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    interval: Interval = "15m"
    history_needed: int = 50

    @property
    @abstractmethod
    def parameters(self) -> dict[str, float | str]:
        """The parameters that, with name and version, make a signal's id."""

    @abstractmethod
    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Take the next candle and return a signal, or None."""

    def signal(
        self,
        candle: Candle,
        action: Action,
        *,
        stop_loss: float,
        target: float,
        confidence: float,
        price: float | None = None,
        indicators: dict[str, float] | None = None,
    ) -> StrategySignal:
        """Return the signal of this strategy on a candle; `price` defaults to its close."""
        at = candle.close if price is None else price
        event_id = identity(
            "StrategySignal",
            self.name,
            self.version,
            sorted(self.parameters.items()),
            candle.key,
            candle.candle_id,
            action,
        )
        return StrategySignal(
            event_id=event_id,
            occurred_at=utc_from_ms(candle.closes_ms),
            trading_day=candle.trading_day,
            correlation_id=candle.candle_id,
            causation_id=candle.candle_id,
            strategy=self.name,
            strategy_version=self.version,
            parameters=self.parameters,
            exchange=candle.exchange,
            tradingsymbol=candle.tradingsymbol,
            underlying=underlying_name(candle.tradingsymbol),
            interval=self.interval,
            candle_opened_at=utc_from_ms(candle.opened_ms),
            candle_closed_at=utc_from_ms(candle.closes_ms),
            action=action,
            price=at,
            stop_loss=stop_loss,
            target=target,
            confidence=confidence,
            expected_move=abs(target - at) / at * 100.0,
            indicators=indicators or {},
        )
