"""CandleAggregator: all partitions and sessions of the trading day."""

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np

from libs.events.candles import Candle, CandleBatch, Interval
from libs.events.event import Event
from libs.events.instruments import InstrumentListed
from libs.events.outages import Outages
from libs.events.ticks import TickBatch
from libs.market.calendar import Calendar, Session
from libs.market.instruments import Instrument
from services.candle.domain.minute_candles import CandleValues
from services.candle.domain.run import Array, Run, joined
from services.candle.domain.schedule import MINUTE_MS, Schedule, Span
from services.candle.domain.session_candles import CandleRules, SessionCandles
from services.candle.domain.tick_filter import TickCounts
from services.candle.domain.token_index import NO_SESSION, TokenIndex

_AUCTION_MS = 60 * MINUTE_MS
"""How long before an open its volume is of the same day."""


class CandleAggregator:
    """Folds ticks into candles; in each partition a new trading day starts with empty state.

    Candles are made of instruments of `segments`. Ticks of listed instruments of other segments
    are ignored; ticks of unlisted ones are counted as `unknown_instrument`. Where
    `needs_instruments` is True, list instruments before the batch is handled.
    """

    def __init__(self, calendar: Calendar, rules: CandleRules, segments: Iterable[str]) -> None:
        self._calendar = calendar
        self._rules = rules
        self._segments = frozenset(segments)
        self._listed: dict[int, Instrument] = {}
        self._unlisted: set[int] = set()
        self._listed_for: date | None = None
        self._indexes: dict[int, TokenIndex] = {}
        self.counts = TickCounts()

    def needs_instruments(self, batch: TickBatch) -> bool:
        """Return whether to list instruments first: some are unknown, or the day is new.

        Tokens are reused from day to day. One that stays unknown is reported once a day.
        """
        if self._listed_for is None or batch.trading_day > self._listed_for:
            self._listed_for, self._unlisted = batch.trading_day, set()
            return True
        tokens = batch.columns.instrument_token
        index = self._indexes.get(batch.partition)
        unseen = tokens if index is None else tokens[index.find(tokens) < 0]
        unknown = set(unseen.tolist()) - self._listed.keys() - self._unlisted
        self._unlisted |= unknown
        return bool(unknown)

    def list_instrument(self, event: InstrumentListed) -> None:
        """Add or replace the instrument of a token."""
        self._listed[event.instrument_token] = event.instrument()

    def run_length(self, batches: Sequence[TickBatch]) -> int:
        """Return how many of a partition's first batches may be handled together.

        They are of the index's day, their instruments are known, no tick is late, and only the
        last batch's clock closes a minute.
        """
        if len(batches) < 2:
            return len(batches)
        first = batches[0]
        index = self._indexes.get(first.partition)
        if index is None or self._listed_for is None or first.trading_day > self._listed_for:
            return 1
        return index.run_length(batches)

    def may_wait(self, batch: TickBatch) -> bool:
        """Return whether a batch may be handled together with later ones: it causes no candle.

        It is of the index's day, its instruments are known, no tick is late, its clock closes
        nothing.
        """
        index = self._indexes.get(batch.partition)
        if index is None or self._listed_for is None or batch.trading_day > self._listed_for:
            return False
        return index.may_wait(batch)

    def on_run(self, batches: Sequence[TickBatch]) -> list[CandleBatch]:
        """Return the candles that a run closes or revises: as `on_ticks` batch by batch."""
        return self._on_run(batches) if batches else []

    def on_ticks(self, batch: TickBatch) -> list[CandleBatch]:
        """Return the candles that a batch of ticks closes or revises."""
        return self.on_run([batch])

    def forget(self, partition: int) -> None:
        """Drop the state of a partition."""
        self._indexes.pop(partition, None)

    def resume_after(self, last: TickBatch) -> int:
        """Empty a partition's state after its last batch; return from when to replay (epoch ms).

        A late tick may still change minutes of the revision window. Published candles lack what
        it is compared with, so these minutes are rebuilt from ticks. Replay begins earlier by
        the grace, within which repeats are recognised.
        """
        rules = self._rules
        settled_ms = last.clock_ms - rules.grace_ms - rules.revision_ms
        from_ms = (settled_ms // MINUTE_MS - 1) * MINUTE_MS
        index = TokenIndex(last.trading_day, from_ms)
        index.outages.was_there(from_ms)
        self._indexes[last.partition] = index
        return min([from_ms - rules.grace_ms, *self._auctions_after(last, from_ms)])

    def _auctions_after(self, last: TickBatch, from_ms: int) -> list[int]:
        """Return when to begin where an open is near: volume before it is in no candle."""
        days = (self._calendar.sessions(one, last.trading_day) for one in self._segments)
        opens = {sessions[0].open_ms for sessions in days if sessions}
        return [at - _AUCTION_MS for at in opens if from_ms <= at < last.clock_ms + _AUCTION_MS]

    def restore(self, batch: CandleBatch) -> None:
        """Restore one-minute candles and revision numbers of the partition's latest day."""
        if batch.source != "live":
            return
        index = self._index_of(batch.partition, batch.trading_day)
        if batch.trading_day != index.day:
            return
        if batch.interval == "1m":
            _restore_outages(index.outages, batch)
        tokens = np.array(batch.columns.instrument_token, np.int64)
        found = self._found(index, batch.partition, tokens)
        for at, candle in zip(found.tolist(), batch.candles(), strict=True):
            if at >= 0 and index.session[at] != NO_SESSION:
                _restore(index, at, candle)

    def replay(self, batch: TickBatch) -> None:
        """Replay ticks that were handled before; those of restored minutes are not added again."""
        index = self._index_of(batch.partition, batch.trading_day)
        if len(batch.columns):
            self._fold(index, batch.partition, joined([batch]), is_replay=True)
        index.outages.on_batch(batch)
        self._on_clock(index, batch.clock_ms)

    def unpublished(self) -> list[Event]:
        """Return candles that a crash may have left unpublished at the last close."""
        sessions = (session for index in self._indexes.values() for session in index.sessions)
        return [batch for session in sessions for batch in session.unpublished()]

    def forming(
        self, exchange: str, tradingsymbol: str, interval: Interval, at_ms: int
    ) -> Candle | None:
        """Return the candle of an instrument that is forming at a time; None without a trade."""
        for session in (session for index in self._indexes.values() for session in index.sessions):
            candle = session.forming(exchange, tradingsymbol, interval, at_ms)
            if candle is not None:
                return candle
        return None

    def _on_run(self, batches: Sequence[TickBatch]) -> list[CandleBatch]:
        partition = batches[0].partition
        index = self._index_of(partition, batches[0].trading_day)
        run = joined(batches)
        revised = self._fold(index, partition, run) if len(run) else []
        for batch in batches:
            index.outages.on_batch(batch)
        return revised + self._on_clock(index, max(batch.clock_ms for batch in batches))

    def _on_clock(self, index: TokenIndex, clock_ms: int) -> list[CandleBatch]:
        index.clock_ms = max(index.clock_ms, clock_ms)
        sessions = index.sessions
        return [batch for session in sessions for batch in session.on_clock(index.clock_ms)]

    def _index_of(self, partition: int, day: date) -> TokenIndex:
        """Return the partition's index; a later day begins with an empty one."""
        index = self._indexes.get(partition)
        if index is None or day > index.day:
            index = self._indexes[partition] = TokenIndex(day)
        return index

    def _fold(
        self, index: TokenIndex, partition: int, run: Run, *, is_replay: bool = False
    ) -> list[CandleBatch]:
        at = self._found(index, partition, run.token)
        if not is_replay:
            self.counts.rejected["unknown_instrument"] += int((at < 0).sum())
        revised: list[CandleBatch] = []
        for number, session in enumerate(index.sessions):
            chosen = index.of_session(number, at)
            ticks = run.ticks(index.row[at[chosen]], chosen)
            if not len(ticks):
                continue
            if is_replay:
                session.replay(ticks, run.arrivals, index.replayed_from_ms or 0)
            else:
                revised += session.on_ticks(ticks, run.arrivals)
        return revised

    def _found(self, index: TokenIndex, partition: int, tokens: Array) -> Array:
        """Return the indexes of tokens, -1 for unlisted ones; add listed ones that are missing."""
        at = index.find(tokens)
        if (at < 0).any():
            self._add_instruments(index, partition, np.unique(tokens[at < 0]).tolist())
            at = index.find(tokens)
        return at

    def _add_instruments(self, index: TokenIndex, partition: int, tokens: list[int]) -> None:
        """Add listed instruments, those of a segment and exchange at once; tokens are ascending."""
        groups: dict[tuple[str, str], list[int]] = {}
        for token in tokens:
            if (one := self._listed.get(token)) is not None:
                groups.setdefault((one.segment, one.exchange), []).append(token)
        for (segment, exchange), mine in groups.items():
            number = self._session_of(index, partition, segment, exchange)
            if number == NO_SESSION:
                index.insert(mine, NO_SESSION, [NO_SESSION] * len(mine))
            else:
                rows = index.sessions[number].add([self._listed[token] for token in mine])
                index.insert(mine, number, rows)

    def _session_of(self, index: TokenIndex, partition: int, segment: str, exchange: str) -> int:
        sessions = self._hours_of(segment, exchange, index.day)
        for number, session in enumerate(index.sessions):
            if session.schedule.sessions == sessions:
                return number
        if not sessions:
            return NO_SESSION
        schedule, outages = Schedule(sessions), index.outages
        session = SessionCandles(partition, index.day, schedule, self._rules, self.counts, outages)
        session.on_clock(index.clock_ms)  # without a tick there is no candle to be closed
        index.sessions.append(session)
        return len(index.sessions) - 1

    def _hours_of(self, segment: str, exchange: str, day: date) -> tuple[Session, ...]:
        """Return the sessions of a segment by its exchange: an index may be of NSE, BSE or MCX."""
        if segment not in self._segments:
            return ()
        known = exchange if self._calendar.knows(exchange) else segment
        return self._calendar.sessions(known, day)


def _restore_outages(outages: Outages, batch: CandleBatch) -> None:
    """Note that the feed was there until the minute closed, and whether all the time."""
    since_ms, until_ms = min(batch.columns.opened_ms), max(batch.columns.closes_ms)
    outages.was_there(until_ms)
    if batch.is_partial:
        outages.note(since_ms, until_ms)


def _restore(index: TokenIndex, at: int, candle: Candle) -> None:
    session, row = index.sessions[index.session[at]], int(index.row[at])
    minute = (candle.opened_ms - session.schedule.open_ms) // MINUTE_MS
    is_settled = index.replayed_from_ms is None or candle.closes_ms <= index.replayed_from_ms
    if candle.interval == "1m" and is_settled:
        session.restore(row, minute, _values(row, candle))
    elif candle.interval == "1m":
        session.restore_base(row, minute, candle.cumulative_volume - candle.volume)
    stop = (candle.closes_ms - session.schedule.open_ms) // MINUTE_MS
    session.note_published(row, Span(candle.interval, minute, stop), candle.revision)


def _values(row: int, candle: Candle) -> CandleValues:
    return CandleValues(
        row=np.array([row]),
        open=np.array([candle.open]),
        high=np.array([candle.high]),
        low=np.array([candle.low]),
        close=np.array([candle.close]),
        volume=np.array([candle.volume]),
        vwap=np.array([np.nan if candle.vwap is None else candle.vwap]),
        ticks=np.array([candle.ticks]),
        oi=np.array([candle.oi]),
        cumulative_volume=np.array([candle.cumulative_volume]),
    )
