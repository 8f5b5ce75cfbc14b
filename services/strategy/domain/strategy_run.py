"""One strategy of the settings on all instruments."""

import pickle
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeAlias

from libs.events.candles import Candle, Interval
from libs.events.control import StrategyStarted, StrategyStopped
from libs.events.event import Event, utc_from_ms
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy, WrongSignal

MakeStrategy: TypeAlias = Callable[[], Strategy]
GapRule: TypeAlias = Callable[[Candle, Candle], int]
"""Returns how many candles are missing between two of an instrument, 0 for none."""


class Cold(NamedTuple):
    """An instrument on which a strategy is silent: candles missing, and since when (epoch ms)."""

    instrument: str
    missing: int
    since_ms: int | None
    reason: str


@dataclass(slots=True)
class _Series:
    """What a strategy has on one instrument; `history` is packed, since it is rarely needed."""

    instance: StrategyInstance
    history: bytes = b""
    last: dict[Interval, Candle] = field(default_factory=dict)
    reason: str = "history"


@dataclass(slots=True)
class StrategyRun:
    """A strategy with its parameters: one object per instrument.

    It signals for an instrument once it has seen the history that it needs. A gap in the live
    candles makes the object anew, without history. One that raises is stopped for all instruments.
    A signal that is refused at its source is counted, and the strategy goes on. `taken` counts the
    candles, and `current` is the last one that it was given.
    """

    number: int
    make: MakeStrategy
    gaps: GapRule
    stopped: StrategyStopped | None = None
    taken: int = 0
    current: Candle | None = None
    refused: int = 0
    last_refusal: str = ""
    sample: Strategy = field(init=False)
    _series: dict[str, _Series] = field(default_factory=dict)
    _keys: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sample = self.make()

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self.sample.name

    @property
    def intervals(self) -> frozenset[Interval]:
        """The intervals whose candles it takes."""
        return frozenset((self.sample.interval, *self.sample.other_intervals))

    def warm(self, candles: Iterable[Candle]) -> None:
        """Feed history, oldest first, gaps included; its signals are dropped."""
        by_key: dict[str, list[Candle]] = {}
        for candle in candles:
            if candle.interval in self.intervals:
                by_key.setdefault(candle.key, []).append(candle)
        for key, history in by_key.items():
            self._series[key] = _Series(StrategyInstance(self.make()), _packed(history))
            for candle in history:
                self._feed(candle)

    def forget(self, partition: int) -> None:
        """Make the objects of a partition anew, with their history and no live candle."""
        if self.stopped is not None:
            return
        for key in self._keys.pop(partition, ()):
            self.warm(_unpacked(self._series.pop(key).history))

    def note(self, partition: int, candles: Sequence[Candle]) -> None:
        """Note which instruments are of a partition."""
        self._keys.setdefault(partition, set()).update(candle.key for candle in candles)

    def feed(self, candles: Sequence[Candle]) -> tuple[Event, ...]:
        """Feed live candles of one close; return signals, and StrategyStopped after an error."""
        return tuple(self._fed(candles))

    def stop(self, candle: Candle, reason: str) -> StrategyStopped:
        """Stop it for all instruments, with a reason; the first reason stays."""
        if self.stopped is not None:
            return self.stopped
        self.stopped = StrategyStopped(
            **StrategyStopped.after(candle, self.number, self.name, candle.candle_id),
            strategy=self.name,
            reason=f"on {candle.key} {candle.interval}: {reason}",
        )
        return self.stopped

    def started(self, trading_day: date, at_ms: int) -> StrategyStarted | StrategyStopped:
        """Return how many instruments are warm and which are cold, or why it is stopped."""
        if self.stopped is not None:
            return self.stopped
        cold = tuple(sorted(one.instrument for one in self.cold()))
        parts = (self.number, self.name, trading_day, at_ms)
        envelope = StrategyStarted.without_cause(
            *parts, occurred_at=utc_from_ms(at_ms), trading_day=trading_day
        )
        instruments = len(self._series) - len(cold)
        return StrategyStarted(**envelope, strategy=self.name, instruments=instruments, cold=cold)

    def cold(self) -> list[Cold]:
        """Return the instruments without enough history, and what they lack."""
        return [
            Cold(key, one.instance.missing, first.opened_ms if first else None, one.reason)
            for key, one in sorted(self._series.items())
            if not one.instance.is_warm
            for first in (one.instance.first,)
        ]

    def _fed(self, candles: Sequence[Candle]) -> Iterator[Event]:
        for candle in candles:
            if self.stopped is not None:
                return
            self._note_gap(candle)
            yield from self._feed(candle)

    def _feed(self, candle: Candle) -> tuple[Event, ...]:
        if self.stopped is not None:
            return ()
        series = self._of(candle.key)
        self.taken += 1
        self.current = candle
        if candle.opened_ms >= series.last.get(candle.interval, candle).opened_ms:
            series.last[candle.interval] = candle
        try:
            signal = series.instance.take(candle)
        except WrongSignal as refused:
            self.refused += 1
            self.last_refusal = f"on {candle.key} {candle.interval}: {refused}"
            return ()
        except (Exception, SystemExit) as error:  # noqa: BLE001  a bug must not stop the others
            return (self.stop(candle, f"{type(error).__name__}: {error}"),)
        return () if signal is None else (signal,)

    def _note_gap(self, candle: Candle) -> None:
        """Make the object anew where live candles are missing before this one."""
        series = self._of(candle.key)
        last = series.last.get(candle.interval)
        if last is None or candle.opened_ms <= last.closes_ms:
            return
        if missing := self.gaps(last, candle):
            reason = f"{missing} missing before {utc_from_ms(candle.opened_ms):%Y-%m-%dT%H:%MZ}"
            anew = StrategyInstance(self.make())
            self._series[candle.key] = _Series(anew, series.history, reason=reason)

    def _of(self, key: str) -> _Series:
        if key not in self._series:
            self._series[key] = _Series(StrategyInstance(self.make()))
        return self._series[key]


def _packed(history: list[Candle]) -> bytes:
    return zlib.compress(pickle.dumps(history), 1)


def _unpacked(history: bytes) -> list[Candle]:
    return pickle.loads(zlib.decompress(history)) if history else []  # noqa: S301  our own bytes
