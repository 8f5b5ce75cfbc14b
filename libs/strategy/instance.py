"""One strategy object on one instrument."""

from dataclasses import dataclass

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.strategy.strategy import Strategy


@dataclass(slots=True)
class StrategyInstance:
    """A strategy, how many candles it has seen, and the open time of the last (epoch ms)."""

    strategy: Strategy
    seen: int = 0
    last_opened_ms: int = -1

    @property
    def is_warm(self) -> bool:
        """Whether the strategy has seen the history that it needs."""
        return self.seen >= self.strategy.history_needed

    def take(self, candle: Candle) -> StrategySignal | None:
        """Feed a candle; repeated and older candles are ignored.

        Raises what the strategy raises, and TypeError if it returns anything but a signal or None.
        """
        if candle.opened_ms <= self.last_opened_ms:
            return None
        was_warm = self.is_warm
        self.last_opened_ms = candle.opened_ms
        self.seen += 1
        signal: object = self.strategy.on_candle(candle)
        if not (signal is None or isinstance(signal, StrategySignal)):
            kind = type(signal).__name__
            raise TypeError(f"on_candle returned a {kind}, not a StrategySignal or None")
        return signal if was_warm else None
