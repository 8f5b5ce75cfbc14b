"""Runs strategies: each gets the candles of its intervals; an error of one stops no other."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from libs.events.candles import Candle, CandleBatch, HistoryFetched, Interval
from libs.events.control import StrategyStarted, StrategyStopped
from libs.events.event import Event
from libs.market.calendar import load_calendar
from services.strategy.domain.gaps import GapRule, gap_rule
from services.strategy.domain.patches import Patches
from services.strategy.domain.strategy_run import MakeStrategy, StrategyRun


@dataclass(slots=True)
class Pending:
    """A batch of live candles that some strategies have not taken yet.

    `made` are the events so far, strategy by strategy.
    """

    batch: CandleBatch
    candles: tuple[Candle, ...]
    waiting: list[StrategyRun]
    made: list[Event] = field(default_factory=list)

    def feed(self, run: StrategyRun) -> tuple[Event, ...]:
        """Feed a strategy; return its events."""
        batch = self.batch
        return run.feed(self.candles, is_partial=batch.is_partial, quiet=batch.quiet)


@dataclass(slots=True)
class StrategyHost:
    """All strategies on all instruments.

    They signal only on live candles of revision 0. When the last batch of a partition is delivered
    again, the same events are returned, since they may not have been published; its candles are
    not fed again.
    """

    makers: tuple[MakeStrategy, ...]
    gaps: GapRule = field(default_factory=lambda: gap_rule(load_calendar()))
    patches: Patches = field(default_factory=Patches)
    runs: tuple[StrategyRun, ...] = ()
    _keys: dict[int, set[str]] = field(default_factory=dict)
    _names: dict[tuple[int, Interval], tuple[str, ...]] = field(default_factory=dict)
    _last: dict[int, tuple[UUID, tuple[Event, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runs = tuple(
            StrategyRun(number, make, self.gaps, self.patches)
            for number, make in enumerate(self.makers)
        )

    @property
    def intervals(self) -> frozenset[Interval]:
        """The intervals of all strategies."""
        return frozenset().union(*(run.intervals for run in self.runs))

    @property
    def is_waiting(self) -> bool:
        """Whether live candles wait for the broker's."""
        return any(run.waiting for run in self.runs)

    def stopped(self) -> dict[str, bool]:
        """Return by name whether a strategy was stopped, with whatever parameters."""
        names = {run.name for run in self.runs if run.stopped is not None}
        return {run.name: run.name in names for run in self.runs}

    def warm(self, candles: Iterable[Candle]) -> None:
        """Feed history, oldest first; its signals are dropped."""
        history = tuple(candles)
        for run in self.runs:
            run.warm(history)

    def forget(self, partition: int) -> None:
        """Reset the instruments of a partition to their state after the warm-up."""
        self._last.pop(partition, None)
        keys = self._keys.get(partition, set())
        for run in self.runs:
            run.forget(keys)

    def replay(self, event: Event) -> None:
        """Feed live candles that were handled before; their signals are dropped."""
        if isinstance(event, CandleBatch):
            self._feed(self.to_feed(event))

    def on_event(self, event: Event) -> tuple[Event, ...]:
        """React to a batch of candles."""
        pending = self.pending(event)
        if isinstance(pending, tuple):
            return pending
        self._feed(pending)
        return self.done(pending)

    def to_feed(self, batch: CandleBatch) -> Pending:
        """Return the live candles of revision 0, and the strategies that want them."""
        wanting = [run for run in self.runs if batch.interval in run.intervals]
        if batch.source != "live" or not wanting:
            return Pending(batch, (), [])
        candles = tuple(batch.candles())
        if any(batch.columns.revision):
            candles = tuple(candle for candle in candles if candle.revision == 0)
        self._note(batch)
        self.patches.begin(batch.trading_day)
        return Pending(batch, candles, wanting if candles else [])

    def pending(self, event: Event) -> Pending | tuple[Event, ...]:
        """Return what is to be fed to whom, or the events where nothing is to be fed."""
        if not isinstance(event, CandleBatch):
            return ()
        last_id, made = self._last.get(event.partition, (None, ()))
        return made if event.event_id == last_id else self.to_feed(event)

    def patched(self, event: Event) -> frozenset[str]:
        """Note the broker's candles of today; return the instruments that may go on with them.

        They go on once it has been asked for all of a time: HistoryFetched comes last.
        """
        if isinstance(event, CandleBatch):
            self.patches.note(event)
        return frozenset({event.key}) if isinstance(event, HistoryFetched) else frozenset()

    def done(self, pending: Pending) -> tuple[Event, ...]:
        """Return the events of a batch that all strategies have taken, and remember them."""
        made = tuple(pending.made)
        self._last[pending.batch.partition] = pending.batch.event_id, made
        return made

    def started(
        self, trading_day: date, at_ms: int
    ) -> tuple[StrategyStarted | StrategyStopped, ...]:
        """Return, per strategy, how many instruments are warm and which are cold.

        For one that failed on the history, return its StrategyStopped.
        """
        return tuple(run.started(trading_day, at_ms) for run in self.runs)

    def _note(self, batch: CandleBatch) -> None:
        """Note which instruments a partition has, where they differ from the batch before."""
        place, names = (batch.partition, batch.interval), batch.columns.tradingsymbol
        if self._names.get(place) != names:
            self._names[place] = names
            keys = {candle.key for candle in batch.candles()}
            self._keys.setdefault(batch.partition, set()).update(keys)

    def _feed(self, pending: Pending) -> None:
        for run in pending.waiting:
            pending.made.extend(pending.feed(run))
