"""The strategies at work: each candle goes to those that want it, and none can stop another."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date

from libs.events.candles import Candle, CandleBatch, Interval
from libs.events.control import StrategyStarted, StrategyStopped
from libs.events.event import Event, identity, utc_from_ms
from libs.events.signals import StrategySignal
from services.strategy.domain.strategy import Strategy

MakeStrategy = Callable[[], Strategy]
Stopwatch = Callable[[str], AbstractContextManager[object]]
"""Entered and left around the work of the strategy that it is told."""


@dataclass(slots=True)
class _Seat:
    """One strategy on one instrument."""

    strategy: Strategy
    seen: int = 0
    last_opened_ms: int = -1

    def take(self, candle: Candle) -> StrategySignal | None:
        """Feed a candle once, in order; repeats and steps back change nothing."""
        if candle.opened_ms <= self.last_opened_ms:
            return None
        self.last_opened_ms = candle.opened_ms
        self.seen += 1
        signal = self.strategy.on_candle(candle)
        return signal if self.seen > self.strategy.history_needed else None


@dataclass(slots=True)
class StrategyHost:
    """All strategies on all instruments.

    A strategy acts on an instrument once it has seen the history it needs, and only on live
    candles of revision 0. One that fails is stopped for all instruments and said so; the others
    go on. `signals_before` counts what the history would have signalled: it is not published.
    """

    makers: tuple[MakeStrategy, ...]
    stopwatch: Stopwatch = nullcontext
    _seats: dict[tuple[int, str], _Seat] = field(default_factory=dict)
    _warm: dict[tuple[int, str], _Seat] = field(default_factory=dict)
    _keys: dict[int, set[str]] = field(default_factory=dict)
    _stopped: dict[int, StrategyStopped] = field(default_factory=dict)
    _samples: tuple[Strategy, ...] = ()

    def __post_init__(self) -> None:
        self._samples = tuple(make() for make in self.makers)

    @property
    def intervals(self) -> frozenset[Interval]:
        """The intervals that any strategy asks for."""
        return frozenset(sample.interval for sample in self._samples)

    def warm(self, candles: Iterable[Candle]) -> None:
        """Feed history, oldest first, and publish nothing of it."""
        for candle in candles:
            list(self._feed(candle))
        self._warm = deepcopy(self._seats)

    def forget(self, partition: int) -> None:
        """Put the instruments of a partition back to where the history left them."""
        for key in self._keys.pop(partition, ()):
            for number in range(len(self._samples)):
                self._seats.pop((number, key), None)
                if (number, key) in self._warm:
                    self._seats[number, key] = deepcopy(self._warm[number, key])

    def replay(self, event: Event) -> None:
        """Feed live candles that were handled before, and publish nothing of them."""
        self.on_event(event)

    def on_event(self, event: Event) -> Iterable[Event]:
        """React to a batch of candles."""
        if not isinstance(event, CandleBatch):
            return ()
        candles = list(self._usable(event))
        self._keys.setdefault(event.partition, set()).update(candle.key for candle in candles)
        return [made for candle in candles for made in self._feed(candle)]

    def started(self, trading_day: date, at_ms: int) -> Iterator[StrategyStarted | StrategyStopped]:
        """Yield, per strategy, how many instruments are warm and which are not yet.

        Of one that failed on the history, yield that it is stopped.
        """
        for number, sample in enumerate(self._samples):
            if number in self._stopped:
                yield self._stopped[number]
                continue
            seats = {key: seat for (at, key), seat in self._seats.items() if at == number}
            cold = [k for k, s in seats.items() if s.seen < s.strategy.history_needed]
            event_id = identity("StrategyStarted", number, sample.name, trading_day, at_ms)
            yield StrategyStarted(
                event_id=event_id,
                occurred_at=utc_from_ms(at_ms),
                trading_day=trading_day,
                correlation_id=event_id,
                strategy=sample.name,
                instruments=len(seats) - len(cold),
                cold=tuple(sorted(cold)),
            )

    def _usable(self, batch: CandleBatch) -> Iterator[Candle]:
        if batch.source == "live" and batch.interval in self.intervals:
            yield from (candle for candle in batch.candles() if candle.revision == 0)

    def _feed(self, candle: Candle) -> Iterator[Event]:
        for number, sample in enumerate(self._samples):
            if number in self._stopped or sample.interval != candle.interval:
                continue
            try:
                with self.stopwatch(sample.name):
                    signal = self._seat(number, candle.key).take(candle)
            except Exception as error:  # noqa: BLE001  a strategy's bug must not stop the others
                yield self._stop(number, candle, error)
                continue
            if signal is not None:
                yield signal

    def _seat(self, number: int, key: str) -> _Seat:
        if (number, key) not in self._seats:
            self._seats[number, key] = _Seat(self.makers[number]())
        return self._seats[number, key]

    def _stop(self, number: int, candle: Candle, error: Exception) -> StrategyStopped:
        name = self._samples[number].name
        event_id = identity("StrategyStopped", number, name, candle.candle_id)
        self._stopped[number] = StrategyStopped(
            event_id=event_id,
            occurred_at=utc_from_ms(candle.closes_ms),
            trading_day=candle.trading_day,
            correlation_id=candle.candle_id,
            causation_id=candle.candle_id,
            strategy=name,
            reason=f"on {candle.key} {candle.interval}: {type(error).__name__}: {error}",
        )
        return self._stopped[number]
