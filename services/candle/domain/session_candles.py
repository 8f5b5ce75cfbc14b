"""The candles of one partition and session: ticks in, closed and revised candles out."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from libs.events.candles import Candle, CandleBatch, CandleColumns, Interval
from libs.events.outages import Outages
from libs.market.bounds import STRICT, refuse
from libs.market.instruments import Instrument
from libs.market.units import Milliseconds
from services.candle.domain.columns import Names, candle_columns
from services.candle.domain.minute_candles import CandleValues, Defects, MinuteCandles
from services.candle.domain.opening import OpeningVolume
from services.candle.domain.quiet import QuietTimes
from services.candle.domain.run import Arrivals, Ticks
from services.candle.domain.schedule import MINUTE_MS, Schedule, Span
from services.candle.domain.tick_filter import TickCounts, TickFilter

_NEVER_MS = 1 << 62


@dataclass(frozen=True, slots=True, config=STRICT)
class CandleRules:
    """A candle closes `grace_ms` after its end and may be revised for `revision_ms` after that.

    Ticks stamped more than `ahead_ms` after their arrival are refused. All are in milliseconds.
    """

    grace_ms: Annotated[int, Milliseconds(0, 10 * MINUTE_MS)] = 2000
    revision_ms: Annotated[int, Milliseconds(0, 60 * MINUTE_MS)] = 5 * MINUTE_MS
    ahead_ms: Annotated[int, Milliseconds(0, 60 * MINUTE_MS)] = 60_000

    def __post_init__(self) -> None:
        if self.grace_ms >= self.revision_ms:
            refuse(
                "grace_ms",
                f"{self.grace_ms} must be less than revision_ms, {self.revision_ms}: "
                "a candle is revised after it has closed",
            )


class SessionCandles:
    """State of a partition's instruments that share a session, for one trading day."""

    def __init__(
        self,
        partition: int,
        trading_day: date,
        schedule: Schedule,
        rules: CandleRules,
        counts: TickCounts,
        outages: Outages | None = None,
    ) -> None:
        self.partition = partition
        self.trading_day = trading_day
        self.schedule = schedule
        self.rules = rules
        self.counts = counts
        self.outages = outages or Outages()
        self._instruments: list[Instrument] = []
        self._names = Names()
        self._tokens: NDArray[np.int64] = np.empty(0, np.int64)
        self._revisions: dict[tuple[int, Span], int] = {}
        self._restored: set[tuple[int, Span]] = set()
        self._closed_minutes = 0
        self._watermark_ms = 0
        self._quiet = QuietTimes(schedule, self.outages)
        opening = OpeningVolume()
        self._minutes = MinuteCandles(schedule.open_ms, schedule.minutes, opening)
        self._filter = TickFilter(schedule, opening, rules.grace_ms, rules.ahead_ms)

    def add(self, instruments: Iterable[Instrument]) -> list[int]:
        """Add instruments and return their rows."""
        added = list(instruments)
        first = len(self._instruments)
        self._instruments += added
        self._names.add(added)
        tokens = np.array([one.instrument_token for one in added], np.int64)
        self._tokens = np.concatenate([self._tokens, tokens])
        self._minutes.grow(added)
        self._quiet.grow(len(added))
        self._filter.add(added)
        return list(range(first, len(self._instruments)))

    @property
    def closes_ms(self) -> int:
        """The clock at which the next minute closes (epoch ms); in the far future when all have."""
        if self._closed_minutes >= self.schedule.minutes:
            return _NEVER_MS
        return self.schedule.start_ms(self._closed_minutes + 1) + self.rules.grace_ms

    @property
    def closed_span_ms(self) -> tuple[int, int]:
        """Time span (epoch ms, end excluded) of ticks that may be late: of the closed minutes.

        Its end is a millisecond after theirs: a tick at the close belongs to the last minute.
        """
        closed = self._closed_minutes
        return self.schedule.open_ms, self.schedule.start_ms(closed) + (1 if closed else 0)

    @property
    def late_if_confirmed(self) -> NDArray[np.int64]:
        """Rows whose refused tick is late by now: their next update may revise a candle."""
        held = self._filter.held
        late: NDArray[np.int64] = held.row
        if len(held):
            late = held.row[self.schedule.minute_of(held.at_ms) < self._closed_minutes]
        return late

    def on_ticks(self, ticks: Ticks, arrivals: Arrivals) -> list[CandleBatch]:
        """Fold ticks of a run into their candles; return the revisions that late ticks cause."""
        ticks = self._filter.admit(ticks, arrivals, self._watermark_ms, self.counts)
        if not len(ticks):
            return []
        revised: list[CandleBatch] = []
        minute = self.schedule.minute_of(ticks.at_ms)
        late = minute < self._closed_minutes
        if late.any():
            revised = self._revise(ticks.take(late), minute[late])
            ticks, minute = ticks.take(~late), minute[~late]
        self._fold(ticks, minute)
        return revised

    def replay(self, ticks: Ticks, arrivals: Arrivals, from_ms: int) -> None:
        """Fold ticks that were handled before a restart, late ones too; publish nothing.

        Minutes before `from_ms` (epoch ms) were restored from published candles.
        """
        ticks = self._filter.admit(ticks, arrivals, self._watermark_ms, TickCounts())
        minute = self.schedule.minute_of(ticks.at_ms)
        is_rebuilt = self.schedule.open_ms + minute * MINUTE_MS >= from_ms
        is_late = minute < self._closed_minutes
        for chosen in (is_rebuilt & is_late & self._may_revise(minute), is_rebuilt & ~is_late):
            if chosen.any():
                self._minutes.add(ticks.take(chosen), minute[chosen])

    def on_clock(self, clock_ms: int) -> list[CandleBatch]:
        """Close the candles that ended at least the grace ago; return them, shortest first."""
        self._watermark_ms = max(self._watermark_ms, clock_ms)
        closed: list[CandleBatch] = []
        while self._closed_minutes < self.schedule.minutes and self._watermark_ms >= self.closes_ms:
            stop = self._closed_minutes + 1
            for span in self.schedule.ending_at[stop]:
                values = self._minutes.values(span)
                if len(values):
                    closed.append(self._batch(span, values, self.schedule.start_ms(stop)))
            self._closed_minutes = stop
        return closed

    def unpublished(self) -> list[CandleBatch]:
        """Return candles that ended with the last restored minute and were not published.

        A crash may come between publishing the one-minute candles of a close and the longer ones.
        """
        made: list[CandleBatch] = []
        stop = self._closed_minutes
        for span in self.schedule.ending_at.get(stop, ()):
            rows = [row for row in range(len(self._minutes)) if (row, span) not in self._restored]
            values = self._minutes.values(span, np.array(rows, np.int64))
            if len(values):
                made.append(self._batch(span, values, self.schedule.start_ms(stop)))
        self._restored.clear()
        return made

    def note_published(self, row: int, span: Span, revision: int) -> None:
        """Note a candle that was published before a restart, and its revision."""
        self._restored.add((row, span))
        self._quiet.note(row, span)
        if revision:
            self._revisions[row, span] = max(revision, self._revisions.get((row, span), 0))

    def forming(
        self, exchange: str, tradingsymbol: str, interval: Interval, at_ms: int
    ) -> Candle | None:
        """Return the latest candle of an instrument that has begun and is not published yet.

        Right after a boundary it is the one before, within its grace, until the next one has a
        trade. None without such a candle.
        """
        key = (exchange, tradingsymbol)
        known = enumerate(self._instruments)
        row = next((row for row, i in known if (i.exchange, i.tradingsymbol) == key), None)
        if row is None:
            return None
        until_ms = max(at_ms, self._watermark_ms)
        for span in reversed(self._open_spans(interval, until_ms)):
            values = self._minutes.values(span, np.array([row]))
            if len(values):
                columns = candle_columns(self.schedule, self._names, span, values, (0,))
                return next(self._batch_of(span, columns, until_ms).candles())
        return None

    def _open_spans(self, interval: Interval, until_ms: int) -> list[Span]:
        """Return the spans of an interval that have begun and are not closed, earliest first."""
        stops = range(self._closed_minutes + 1, self.schedule.minutes + 1)
        spans = (span for stop in stops for span in self.schedule.ending_at[stop])
        mine = (span for span in spans if span.interval == interval)
        return [span for span in mine if self.schedule.start_ms(span.start) <= until_ms]

    def restore(self, row: int, minute: int, values: CandleValues) -> None:
        """Restore a one-minute candle that was published before a restart."""
        starts_ms = self.schedule.start_ms(minute)
        self._minutes.restore(minute, values, starts_ms + MINUTE_MS)
        self._filter.restore(values.row, values.close, values.cumulative_volume)
        self._closed_minutes = max(self._closed_minutes, minute + 1)
        self._watermark_ms = max(self._watermark_ms, starts_ms + MINUTE_MS + self.rules.grace_ms)

    def restore_base(self, row: int, minute: int, base: int) -> None:
        """Restore the volume that the first candle of an instrument began with."""
        self._minutes.restore_base(row, minute, base)

    def _fold(self, ticks: Ticks, minute: NDArray[np.int64]) -> None:
        if not len(ticks):
            return
        defects = self._minutes.add(ticks, minute)
        self.counts.accepted += len(ticks)
        for reason, count in zip(Defects._fields, defects, strict=True):
            if count:
                self.counts.flagged[reason] += count

    def _revise(self, ticks: Ticks, minute: NDArray[np.int64]) -> list[CandleBatch]:
        self.counts.rejected["late"] += len(ticks)
        in_window = self._may_revise(minute)
        ticks, minute = ticks.take(in_window), minute[in_window]
        if not len(ticks):
            return []
        rows, revised = np.unique(ticks.row), list[CandleBatch]()
        spans = self._closed_spans(int(minute.min()))
        before = [self._minutes.values(span, rows) for span in spans]
        self._minutes.add(ticks, minute)
        for span, old in zip(spans, before, strict=True):
            changed = _changed(old, self._minutes.values(span, rows))
            if len(changed):
                revised.append(self._batch(span, changed, self._watermark_ms, is_revision=True))
        return revised

    def _may_revise(self, minute: NDArray[np.int64]) -> NDArray[np.bool_]:
        oldest_ms = self._watermark_ms - self.rules.revision_ms - self.rules.grace_ms
        return self.schedule.open_ms + (minute + 1) * MINUTE_MS >= oldest_ms

    def _closed_spans(self, from_minute: int) -> list[Span]:
        stops = range(from_minute + 1, self._closed_minutes + 1)
        return [span for stop in stops for span in self.schedule.ending_at[stop]]

    def _batch(
        self, span: Span, values: CandleValues, at_ms: int, *, is_revision: bool = False
    ) -> CandleBatch:
        # Sorted by token: rows depend on which ticks came first, and ids must not.
        values = values.take(np.argsort(self._tokens[values.row]))
        revisions = self._next_revisions(values.row, span) if is_revision else (0,) * len(values)
        columns = candle_columns(self.schedule, self._names, span, values, revisions)
        quiet = () if is_revision else self._quiet.before(values.row, span)
        self._quiet.note(values.row, span)
        return self._batch_of(span, columns, at_ms, quiet)

    def _batch_of(
        self, span: Span, columns: CandleColumns, at_ms: int, quiet: tuple[int, ...] = ()
    ) -> CandleBatch:
        opened_ms, closes_ms = self.schedule.start_ms(span.start), self.schedule.start_ms(span.stop)
        is_partial = self.outages.touch(opened_ms, closes_ms)
        given = (self.partition, span.interval, at_ms, self.trading_day, columns)
        return CandleBatch.live(*given, is_partial=is_partial, quiet=quiet)

    def _next_revisions(self, rows: NDArray[np.int64], span: Span) -> tuple[int, ...]:
        for row in rows.tolist():
            self._revisions[row, span] = self._revisions.get((row, span), 0) + 1
        return tuple(self._revisions[row, span] for row in rows.tolist())


def _compared(values: CandleValues) -> tuple[NDArray[Any], ...]:
    return values.open, values.high, values.low, values.close, values.volume, values.oi


def _changed(old: CandleValues, new: CandleValues) -> CandleValues:
    """Return the new candles that differ from the old ones, or have none.

    The number of ticks is not compared: a repeat after the grace changes only that.
    """
    index = {row: at for at, row in enumerate(old.row.tolist())}
    pairs = list(zip(_compared(old), _compared(new), strict=True))

    def differs(at: int, row: int) -> bool:
        was = index.get(row)
        return was is None or any(before[was] != after[at] for before, after in pairs)

    chosen: NDArray[Any] = np.array(
        [at for at, row in enumerate(new.row.tolist()) if differs(at, row)], np.int64
    )
    return new.take(chosen)
