"""One strategy of the settings on all instruments."""

import pickle
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeAlias

from libs.events.candles import Candle, Interval
from libs.events.control import StrategyStarted, StrategyStopped
from libs.events.event import Event, utc_from_ms
from libs.market.calendar import midnight_ms
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy, WrongSignal
from services.strategy.domain.gaps import GapRule
from services.strategy.domain.patches import Patches

MakeStrategy: TypeAlias = Callable[[], Strategy]
HELD_MS = 30 * 60_000
"""Live candles wait so long for those before them that the feed missed."""


class Cold(NamedTuple):
    """An instrument on which a strategy is silent: candles missing, and since when (epoch ms)."""

    instrument: str
    missing: int
    since_ms: int | None
    reason: str


class _Held(NamedTuple):
    """A live candle that may have to wait for those before it that the feed missed.

    With `is_partial` ticks are missing from it: it stands for the broker's, or gives no signal.
    """

    candle: Candle
    is_partial: bool
    waits: bool


@dataclass(slots=True)
class _Series:
    """What a strategy has on one instrument; `history` is packed, since it is rarely needed.

    `held` are live candles that wait for those which the feed missed.
    """

    instance: StrategyInstance
    history: bytes = b""
    last: dict[Interval, Candle] = field(default_factory=dict)
    reason: str = "history"
    held: deque[_Held] = field(default_factory=deque)


@dataclass(slots=True)
class StrategyRun:
    """A strategy with its parameters: one object per instrument.

    It signals for an instrument once it has seen the history that it needs. Where live candles are
    missing or partial the broker's candles take their place, without signals, and those behind them
    wait. Where these are not awaited, or do not come in time, the object is made anew, without
    history. One that raises is stopped for all instruments.
    A signal that is refused at its source is counted, and the strategy goes on. `taken` counts the
    candles, and `current` is the last one that it was given.
    """

    number: int
    make: MakeStrategy
    gaps: GapRule
    patches: Patches = field(default_factory=Patches)
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

    def feed(self, candles: Sequence[Candle], *, is_partial: bool = False) -> tuple[Event, ...]:
        """Feed live candles of one close; return signals, and StrategyStopped after an error.

        With `is_partial` ticks are missing from them: they give no signal.
        """
        made: list[Event] = []
        for candle in candles:
            if self.stopped is not None:
                break
            series = self._series.get(candle.key)
            if series is None:
                series = self._series[candle.key] = _Series(StrategyInstance(self.make()))
            waits = self.patches.are_awaited(candle)
            made += self._fed(series, _Held(candle, is_partial, waits))
        return tuple(made)

    def patch(self, keys: Collection[str]) -> tuple[Event, ...]:
        """Go on with instruments whose missing candles have come, as far as they have."""
        made: list[Event] = []
        for key in sorted(self._series.keys() & set(keys)):
            if self.stopped is None and self._series[key].held:
                made += self._let_go(key)
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
        """Return the instruments without enough history or with missing candles."""
        return [
            _cold(key, one)
            for key, one in sorted(self._series.items())
            if one.held or not one.instance.is_warm
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

    def _fed(self, series: _Series, held: _Held) -> list[Event]:
        last = series.last.get(held.candle.interval)
        is_repeat = last is not None and held.candle.opened_ms <= last.opened_ms
        is_plain = not held.is_partial and not self._missing(series, held.candle)
        if is_repeat or (is_plain and not series.held):
            event = self._take(series, held.candle)
            return [] if event is None else [event]
        series.held.append(held)
        return self._let_go(held.candle.key)

    def _let_go(self, key: str) -> list[Event]:
        """Feed the candles that are held, up to the first one that still has to wait."""
        made: list[Event] = []
        series = self._series[key]
        while series.held and self.stopped is None:
            if self._fill(series, made):
                self._feed_first(series, made)
            elif series.held[0].waits and _held_ms(series) < HELD_MS:
                break
            else:
                series = self._series[key] = self._anew(series)
        return made

    def _fill(self, series: _Series, made: list[Event]) -> bool:
        """Feed what the broker has before the first candle; return whether it may be fed now."""
        candle, is_partial, waits = series.held[0]
        for one in self.patches.before(candle, self.intervals, series.last):
            made += self._silently(series, one)
        is_asked = self._is_asked(candle, candle.opened_ms, candle.closes_ms)
        if is_partial and waits and not is_asked:
            return False
        last = series.last.get(candle.interval)
        is_gap = last is not None and self._missing(series, candle) > 0
        return not is_gap or (last is not None and self._is_explained(last, candle))

    def _is_explained(self, last: Candle, candle: Candle) -> bool:
        """Whether the broker has no candle either where some are missing on this day."""
        is_today = last.trading_day == candle.trading_day
        since_ms = last.closes_ms if is_today else midnight_ms(candle.trading_day)
        return self._is_asked(candle, since_ms, candle.opened_ms)

    def _is_asked(self, candle: Candle, since_ms: int, until_ms: int) -> bool:
        return self.patches.are_there(candle.key, candle.interval, since_ms, until_ms)

    def _feed_first(self, series: _Series, made: list[Event]) -> None:
        candle, is_partial, _ = series.held.popleft()
        if is_partial:
            made += self._silently(series, self.patches.of(candle) or candle)
        else:
            event = self._take(series, candle)
            made += [] if event is None else [event]

    def _silently(self, series: _Series, candle: Candle) -> list[Event]:
        """Feed a candle of the broker: no signal follows, but an error still stops the strategy."""
        if self.stopped is not None:
            return []
        event = self._take(series, candle)
        return [event] if isinstance(event, StrategyStopped) else []

    def _missing(self, series: _Series, candle: Candle) -> int:
        """Return how many candles are missing before one, 0 for a repeat."""
        last = series.last.get(candle.interval)
        if last is None or candle.opened_ms <= last.closes_ms:
            return 0
        return self.gaps(last, candle)

    def _anew(self, series: _Series) -> _Series:
        """Return the series without history; what is held is taken as it is."""
        candle = series.held[0].candle
        missing = self._missing(series, candle) or 1
        reason = f"{missing} missing before {utc_from_ms(candle.opened_ms):%Y-%m-%dT%H:%MZ}"
        held = deque(one._replace(waits=False) for one in series.held)
        return _Series(StrategyInstance(self.make()), series.history, reason=reason, held=held)


def _cold(key: str, series: _Series) -> Cold:
    if series.held:
        waits = "candles that the feed missed are awaited from the broker"
        return Cold(key, series.instance.missing, series.held[0].candle.opened_ms, waits)
    first = series.instance.first
    since_ms = first.opened_ms if first else None
    return Cold(key, series.instance.missing, since_ms, series.reason)


def _held_ms(series: _Series) -> int:
    """Return how long the last candle that is not whole has been awaited, by those behind it."""
    partial = [one.candle.closes_ms for one in series.held if one.is_partial]
    since_ms = max(partial, default=series.held[0].candle.closes_ms)
    return series.held[-1].candle.closes_ms - since_ms


def _packed(history: list[Candle]) -> bytes:
    return zlib.compress(pickle.dumps(history), 1)


def _unpacked(history: bytes) -> list[Candle]:
    return pickle.loads(zlib.decompress(history)) if history else []  # noqa: S301  our own bytes
