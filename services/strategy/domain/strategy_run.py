"""One strategy of the settings on all instruments."""

import pickle
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeAlias

from libs.events.candles import Candle, Interval
from libs.events.control import StrategyStarted, StrategyStopped
from libs.events.event import Event, utc_from_ms
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy, WrongSignal
from services.strategy.domain.gaps import GapRule

MakeStrategy: TypeAlias = Callable[[], Strategy]


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
            series = _Series(StrategyInstance(self.make()), _packed(history))
            self._series[key] = series
            for candle in history:
                if self.stopped is None:
                    self._take(series, candle)

    def forget(self, keys: Iterable[str]) -> None:
        """Make the objects of instruments anew, with their history and no live candle."""
        if self.stopped is not None:
            return
        for key in self._series.keys() & set(keys):
            self.warm(_unpacked(self._series.pop(key).history))

    def feed(self, candles: Sequence[Candle]) -> tuple[Event, ...]:
        """Feed live candles of one close; return signals, and StrategyStopped after an error."""
        made = []
        for candle in candles:
            if self.stopped is not None:
                break
            event = self._take(self._series_before(candle), candle)
            if event is not None:
                made.append(event)
        return tuple(made)

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

    def _take(self, series: _Series, candle: Candle) -> Event | None:
        self.taken += 1
        self.current = candle
        if candle.opened_ms >= series.last.get(candle.interval, candle).opened_ms:
            series.last[candle.interval] = candle
        try:
            return series.instance.take(candle)
        except WrongSignal as refused:
            self.refused += 1
            self.last_refusal = f"on {candle.key} {candle.interval}: {refused}"
            return None
        except (Exception, SystemExit) as error:  # noqa: BLE001  a bug must not stop the others
            return self.stop(candle, f"{type(error).__name__}: {error}")

    def _series_before(self, candle: Candle) -> _Series:
        """Return what it has on an instrument: made anew where live candles are missing."""
        series = self._series.get(candle.key)
        if series is None:
            series = self._series[candle.key] = _Series(StrategyInstance(self.make()))
            return series
        last = series.last.get(candle.interval)
        if last is None or candle.opened_ms <= last.closes_ms:
            return series
        if missing := self.gaps(last, candle):
            reason = f"{missing} missing before {utc_from_ms(candle.opened_ms):%Y-%m-%dT%H:%MZ}"
            series = _Series(StrategyInstance(self.make()), series.history, reason=reason)
            self._series[candle.key] = series
        return series


def _packed(history: list[Candle]) -> bytes:
    return zlib.compress(pickle.dumps(history), 1)


def _unpacked(history: bytes) -> list[Candle]:
    return pickle.loads(zlib.decompress(history)) if history else []  # noqa: S301  our own bytes
