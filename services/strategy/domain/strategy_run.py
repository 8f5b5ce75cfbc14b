"""One strategy of the settings on all instruments."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
from typing import TypeAlias

from libs.events.candles import Candle, Interval
from libs.events.control import StrategyStarted, StrategyStopped
from libs.events.event import Event, utc_from_ms
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy, WrongSignal
from services.strategy.domain.gaps import GapRule
from services.strategy.domain.patches import Patches
from services.strategy.domain.series import Cold, Held, Series, cold_of, held_ms, packed, unpacked

MakeStrategy: TypeAlias = Callable[[], Strategy]
HELD_MS = 30 * 60_000
"""Live candles wait so long for those before them that the feed missed."""


@dataclass(slots=True)
class StrategyRun:
    """A strategy with its parameters: one object per instrument.

    It signals for an instrument once it has seen the history that it needs. Where live candles are
    missing or partial the broker's candles take their place, without signals, and those behind them
    wait. Where these are not awaited, or do not come in time, the object is made anew, without
    history. One that raises is stopped for all instruments.
    A signal that is refused at its source is counted, and the strategy goes on. `taken` counts the
    candles, and `current` is the last one that it was given. `waiting` are the instruments of which
    candles are held.
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
    waiting: set[str] = field(default_factory=set)
    sample: Strategy = field(init=False)
    _series: dict[str, Series] = field(default_factory=dict)

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
            series = Series(StrategyInstance(self.make()), packed(history))
            self._series[key] = series
            for candle in history:
                if self.stopped is None:
                    self._take(series, candle)

    def forget(self, keys: Iterable[str]) -> None:
        """Make the objects of instruments anew, with their history and no live candle."""
        if self.stopped is not None:
            return
        for key in self._series.keys() & set(keys):
            self.waiting.discard(key)
            self.warm(unpacked(self._series.pop(key).history))

    def feed(
        self, candles: Sequence[Candle], *, is_partial: bool = False, quiet: Sequence[int] = ()
    ) -> tuple[Event, ...]:
        """Feed live candles of one close; return signals, and StrategyStopped after an error.

        With `is_partial` ticks are missing from them: they give no signal. `quiet` are the numbers
        of candles that are not there before each since nothing was traded; none: 0 of each.
        """
        made: list[Event] = []
        for candle, not_traded in zip(candles, quiet or repeat(0), strict=False):
            if self.stopped is not None:
                break
            series = self._series.get(candle.key)
            if series is None:
                series = self._series[candle.key] = Series(StrategyInstance(self.make()))
            waits = self.patches.are_awaited(candle)
            made += self._fed(series, Held(candle, is_partial, waits, not_traded))
        return tuple(made)

    def patch(self, keys: Collection[str]) -> tuple[Event, ...]:
        """Go on with instruments whose missing candles have come, as far as they have."""
        made: list[Event] = []
        for key in sorted(self.waiting & set(keys)):
            if self.stopped is None:
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
            cold_of(key, one)
            for key, one in sorted(self._series.items())
            if one.held or not one.instance.is_warm
        ]

    def _take(self, series: Series, candle: Candle) -> Event | None:
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

    def _fed(self, series: Series, held: Held) -> list[Event]:
        last = series.last.get(held.candle.interval)
        is_repeat = last is not None and held.candle.opened_ms <= last.opened_ms
        is_plain = not held.is_partial and not self._missing(series, held)
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
            elif series.held[0].waits and held_ms(series) < HELD_MS:
                break
            else:
                series = self._series[key] = self._anew(series)
        (self.waiting.add if series.held else self.waiting.discard)(key)
        return made

    def _fill(self, series: Series, made: list[Event]) -> bool:
        """Feed what the broker has before the first candle; return whether it may be fed now."""
        first = series.held[0]
        if not first.waits:
            return not self._missing(series, first)
        for one in self.patches.before(first.candle, self.intervals, series.last):
            if self._missing(series, Held(one, is_partial=False, waits=False)):
                return False
            made += self._silently(series, one)
        if first.is_partial and self.patches.of(first.candle) is None:
            return False
        return not self._missing(series, first)

    def _feed_first(self, series: Series, made: list[Event]) -> None:
        candle, is_partial, *_ = series.held.popleft()
        if is_partial:
            made += self._silently(series, self.patches.of(candle) or candle)
        else:
            event = self._take(series, candle)
            made += [] if event is None else [event]

    def _silently(self, series: Series, candle: Candle) -> list[Event]:
        """Feed a candle of the broker: no signal follows, but an error still stops the strategy."""
        if self.stopped is not None:
            return []
        event = self._take(series, candle)
        return [event] if isinstance(event, StrategyStopped) else []

    def _missing(self, series: Series, held: Held) -> int:
        """Return how many candles are missing before one, 0 for a repeat or where none was made."""
        last = series.last.get(held.candle.interval)
        if last is None or held.candle.opened_ms <= last.closes_ms:
            return 0
        missing = self.gaps(last, held.candle)
        return missing if missing > held.quiet else 0

    def _anew(self, series: Series) -> Series:
        """Return the series without history; what is held is taken as it is."""
        candle = series.held[0].candle
        missing = self._missing(series, series.held[0]) or 1
        reason = f"{missing} missing before {utc_from_ms(candle.opened_ms):%Y-%m-%dT%H:%MZ}"
        held = deque(one._replace(waits=False) for one in series.held)
        return Series(StrategyInstance(self.make()), series.history, reason=reason, held=held)
