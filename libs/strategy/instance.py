"""One strategy object on one instrument."""

from dataclasses import dataclass, field
from datetime import date

from libs.events.candles import Candle, Interval
from libs.events.signals import StrategySignal
from libs.strategy.strategy import Strategy, check_signal


@dataclass(slots=True)
class StrategyInstance:
    """A strategy, how many candles of its interval it has seen, and the last of each interval."""

    strategy: Strategy
    seen: int = 0
    last_opened_ms: int = -1
    first: Candle | None = None
    _day: date | None = None
    _others: dict[Interval, int] = field(default_factory=dict)

    @property
    def is_warm(self) -> bool:
        """Whether the strategy has seen the history that it needs."""
        return self.seen >= self.strategy.history_needed

    @property
    def missing(self) -> int:
        """How many more candles it must see before its signals count."""
        return max(0, self.strategy.history_needed - self.seen)

    def take(self, candle: Candle) -> StrategySignal | None:
        """Feed a candle; repeated and older candles are ignored.

        Raises what the strategy raises, TypeError if it returns anything but a signal or None, and
        WrongSignal for a signal whose levels contradict it.
        """
        if candle.interval != self.strategy.interval:
            self._take_other(candle)
            return None
        if candle.opened_ms <= self.last_opened_ms:
            return None
        if candle.trading_day != self._day:
            self._open_day(candle)
        was_warm = self.seen >= self.strategy.history_needed
        self.last_opened_ms = candle.opened_ms
        self.seen += 1
        signal: object = self.strategy.on_candle(candle)
        if signal is None:
            return None
        if not isinstance(signal, StrategySignal):
            kind = type(signal).__name__
            raise TypeError(f"on_candle returned a {kind}, not a StrategySignal or None")
        check_signal(signal)
        return signal if was_warm else None

    def _take_other(self, candle: Candle) -> None:
        if candle.opened_ms <= self._others.get(candle.interval, -1):
            return
        if candle.trading_day != self._day:
            self._open_day(candle)
        self._others[candle.interval] = candle.opened_ms
        self.strategy.on_other_candle(candle)

    def _open_day(self, candle: Candle) -> None:
        """Tell the strategy that the day before has closed, and that this one opens."""
        if self._day is not None and candle.trading_day < self._day:
            return
        self.first = self.first or candle
        closed, self._day = self._day, candle.trading_day
        if closed is not None:
            self.strategy.on_session_close(closed)
        self.strategy.on_session_open(self._day)
