"""Runs strategies: each gets the candles of its interval; an error of one stops no other."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from libs.events.candles import Candle, CandleBatch, Interval
from libs.events.control import StrategyStarted, StrategyStopped
from libs.events.event import Event, utc_from_ms
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy

MakeStrategy = Callable[[], Strategy]
Stopwatch = Callable[[str], AbstractContextManager[object]]
"""Times the strategy of a name while it handles a candle."""


@dataclass(slots=True)
class StrategyHost:
    """All strategies on all instruments.

    A strategy signals for an instrument once it has seen the history it needs, and only on live
    candles of revision 0. One that fails is stopped for all instruments and reported; the others
    go on. When the last batch of a partition is delivered again, the same events are returned,
    since they may not have been published; its candles are not fed again.
    """

    makers: tuple[MakeStrategy, ...]
    stopwatch: Stopwatch = nullcontext
    _instances: dict[tuple[int, str], StrategyInstance] = field(default_factory=dict)
    _warm: dict[tuple[int, str], StrategyInstance] = field(default_factory=dict)
    _keys: dict[int, set[str]] = field(default_factory=dict)
    _last: dict[int, tuple[UUID, tuple[Event, ...]]] = field(default_factory=dict)
    _stopped: dict[int, StrategyStopped] = field(default_factory=dict)
    _samples: tuple[Strategy, ...] = ()

    def __post_init__(self) -> None:
        self._samples = tuple(make() for make in self.makers)

    @property
    def intervals(self) -> frozenset[Interval]:
        """The intervals of all strategies."""
        return frozenset(sample.interval for sample in self._samples)

    def stopped(self) -> dict[str, bool]:
        """Return by name whether a strategy was stopped, with whatever parameters."""
        stopped = {self._samples[number].name for number in self._stopped}
        return {sample.name: sample.name in stopped for sample in self._samples}

    def warm(self, candles: Iterable[Candle]) -> None:
        """Feed history, oldest first; its signals are dropped."""
        for candle in candles:
            self._feed(candle)
        self._warm = deepcopy(self._instances)

    def forget(self, partition: int) -> None:
        """Reset the instruments of a partition to their state after the warm-up."""
        self._last.pop(partition, None)
        for key in self._keys.pop(partition, ()):
            for number in range(len(self._samples)):
                self._instances.pop((number, key), None)
                if (number, key) in self._warm:
                    self._instances[number, key] = deepcopy(self._warm[number, key])

    def replay(self, event: Event) -> None:
        """Feed live candles that were handled before; their signals are dropped."""
        if isinstance(event, CandleBatch):
            self._feed_batch(event)

    def on_event(self, event: Event) -> tuple[Event, ...]:
        """React to a batch of candles."""
        if not isinstance(event, CandleBatch):
            return ()
        last_id, made = self._last.get(event.partition, (None, ()))
        if event.event_id != last_id:
            made = self._feed_batch(event)
            self._last[event.partition] = event.event_id, made
        return made

    def started(
        self, trading_day: date, at_ms: int
    ) -> tuple[StrategyStarted | StrategyStopped, ...]:
        """Return, per strategy, how many instruments are warm and which are cold.

        For one that failed on the history, return its StrategyStopped.
        """
        return tuple(
            self._stopped.get(number) or self._started(number, trading_day, at_ms)
            for number in range(len(self._samples))
        )

    def _started(self, number: int, trading_day: date, at_ms: int) -> StrategyStarted:
        name = self._samples[number].name
        mine = {key: one for (at, key), one in self._instances.items() if at == number}
        cold = [key for key, one in mine.items() if not one.is_warm]
        parts = (number, name, trading_day, at_ms)
        envelope = StrategyStarted.without_cause(
            *parts, occurred_at=utc_from_ms(at_ms), trading_day=trading_day
        )
        return StrategyStarted(
            **envelope,
            strategy=name,
            instruments=len(mine) - len(cold),
            cold=tuple(sorted(cold)),
        )

    def _feed_batch(self, batch: CandleBatch) -> tuple[Event, ...]:
        candles = self._usable(batch)
        self._keys.setdefault(batch.partition, set()).update(candle.key for candle in candles)
        return tuple(made for candle in candles for made in self._feed(candle))

    def _usable(self, batch: CandleBatch) -> list[Candle]:
        if batch.source != "live" or batch.interval not in self.intervals:
            return []
        return [candle for candle in batch.candles() if candle.revision == 0]

    def _feed(self, candle: Candle) -> tuple[Event, ...]:
        """Feed a candle to the strategies of its interval; return signals and StrategyStopped."""
        made: list[Event] = []
        for number, sample in enumerate(self._samples):
            if number in self._stopped or sample.interval != candle.interval:
                continue
            try:
                with self.stopwatch(sample.name):
                    signal = self._instance(number, candle.key).take(candle)
            except Exception as error:  # noqa: BLE001  a strategy's bug must not stop the others
                made.append(self._stop(number, candle, error))
                continue
            if signal is not None:
                made.append(signal)
        return tuple(made)

    def _instance(self, number: int, key: str) -> StrategyInstance:
        if (number, key) not in self._instances:
            self._instances[number, key] = StrategyInstance(self.makers[number]())
        return self._instances[number, key]

    def _stop(self, number: int, candle: Candle, error: Exception) -> StrategyStopped:
        name = self._samples[number].name
        self._stopped[number] = StrategyStopped(
            **StrategyStopped.after(candle, number, name, candle.candle_id),
            strategy=name,
            reason=f"on {candle.key} {candle.interval}: {type(error).__name__}: {error}",
        )
        return self._stopped[number]
