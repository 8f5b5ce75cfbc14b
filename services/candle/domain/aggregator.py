"""CandleAggregator: all partitions and sessions of the trading day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.candles import Candle, CandleBatch, Interval
from libs.events.event import Event
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch
from libs.market.calendar import Calendar
from libs.market.instruments import Instrument
from services.candle.domain.book import Book, CandleRules
from services.candle.domain.gate import TickCounts, Ticks
from services.candle.domain.grid import CandleValues
from services.candle.domain.schedule import MINUTE_MS, Schedule, Span

_NO_BOOK = -1


@dataclass(slots=True)
class _Place:
    """Where the instruments of a partition are: token → book and row, for numpy look-ups.

    All of one trading day. `clock_ms` is the clock so far: a session whose first tick comes late
    begins with it. Minutes from `replayed_from_ms` on are made of ticks again after a restart.
    """

    day: date | None = None
    replayed_from_ms: int | None = None

    tokens: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    book: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    row: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    books: list[Book] = field(default_factory=list)
    clock_ms: int = 0

    def find(self, tokens: NDArray[Any]) -> NDArray[np.int64]:
        """Return each token's index, -1 where it has not been seen."""
        if not len(self.tokens):
            return np.full(len(tokens), -1)
        at = np.minimum(np.searchsorted(self.tokens, tokens), len(self.tokens) - 1)
        return np.where(self.tokens[at] == tokens, at, -1)

    def insert(self, tokens: list[int], book: int, rows: list[int]) -> None:
        """Add tokens of a book, keeping the order."""
        at = np.searchsorted(self.tokens, tokens)
        self.tokens = np.insert(self.tokens, at, tokens)
        self.book = np.insert(self.book, at, book)
        self.row = np.insert(self.row, at, rows)


class CandleAggregator:
    """Turns ticks into candles; in each partition a new trading day starts with empty state.

    Instruments of `segments` make candles; ticks of listed instruments of other segments are
    passed over, ticks of instruments that nobody listed are counted as `unknown_instrument`:
    list what has `strangers` before its ticks are handled.
    """

    def __init__(self, calendar: Calendar, rules: CandleRules, segments: Iterable[str]) -> None:
        self._calendar = calendar
        self._rules = rules
        self._segments = frozenset(segments)
        self._listed: dict[int, Instrument] = {}
        self._strangers: set[int] = set()
        self._listed_for: date | None = None
        self._places: dict[int, _Place] = {}
        self.counts = TickCounts()

    def strangers(self, batch: TickBatch) -> bool:
        """Return whether instruments should be listed first: unknown ones, or a new day's.

        Tokens are reused from day to day. One that stays unknown is not asked for again.
        """
        if self._listed_for is None or batch.trading_day > self._listed_for:
            self._listed_for, self._strangers = batch.trading_day, set()
            return True
        tokens = batch.columns.instrument_token
        place = self._places.get(batch.partition)
        unseen = tokens if place is None else tokens[place.find(tokens) < 0]
        unknown = set(unseen.tolist()) - self._listed.keys() - self._strangers
        self._strangers |= unknown
        return bool(unknown)

    def list_instrument(self, event: InstrumentListed) -> None:
        """Take in what a token means."""
        self._listed[event.instrument_token] = event.instrument()

    def on_ticks(self, batch: TickBatch) -> list[CandleBatch]:
        """Return the candles that a batch of ticks closes or revises."""
        return list(self._on_ticks(batch))

    def forget(self, partition: int) -> None:
        """Drop the state of a partition."""
        self._places.pop(partition, None)

    def resume_after(self, last: TickBatch) -> int:
        """Begin a partition's state anew after a batch; return since when to replay ticks.

        A late tick may still change the minutes of the revision window, and published candles do
        not tell what it must be compared with: those minutes are made of their ticks again.
        Earlier by the grace, within which repeats are recognised.
        """
        rules = self._rules
        settled_ms = last.clock_ms - rules.grace_ms - rules.revision_ms
        from_ms = (settled_ms // MINUTE_MS - 1) * MINUTE_MS
        place = _Place(day=last.trading_day, replayed_from_ms=from_ms)
        self._places[last.partition] = place
        return from_ms - rules.grace_ms

    def restore(self, batch: CandleBatch) -> None:
        """Take back one-minute candles of the partition's latest day, and revisions."""
        if batch.source != "live":
            return
        place = self._place_of(batch.partition, batch.trading_day)
        for candle in batch.candles() if batch.trading_day == place.day else ():
            self._restore(batch.partition, candle)

    def replay(self, batch: TickBatch) -> None:
        """Take in ticks that were handled before: those of closed minutes are in their candles."""
        place = self._place_of(batch.partition, batch.trading_day)
        if len(batch.columns):
            list(self._fold(place, batch, is_replay=True))
        list(self._on_clock(place, batch.clock_ms))

    def resumed(self) -> list[Event]:
        """Return what may not have been published at the last close before a restart."""
        books = (book for place in self._places.values() for book in place.books)
        return [batch for book in books for batch in book.resumed()]

    def forming(self, tradingsymbol: str, interval: Interval, at_ms: int) -> CandleValues | None:
        """Return the candle of an instrument that is still open at a time, as it stands."""
        for book in (book for place in self._places.values() for book in place.books):
            span = _open_span(book.schedule, interval, at_ms)
            for instrument, values in book.forming(span) if span else ():
                if instrument.tradingsymbol == tradingsymbol:
                    return values
        return None

    def _on_ticks(self, batch: TickBatch) -> Iterator[CandleBatch]:
        place = self._place_of(batch.partition, batch.trading_day)
        if len(batch.columns):
            yield from self._fold(place, batch)
        yield from self._on_clock(place, batch.clock_ms)

    def _on_clock(self, place: _Place, clock_ms: int) -> Iterator[CandleBatch]:
        place.clock_ms = max(place.clock_ms, clock_ms)
        for book in place.books:
            yield from book.on_clock(place.clock_ms)

    def _place_of(self, partition: int, day: date) -> _Place:
        """Return the partition's state, which is empty on a new day; days do not go back."""
        place = self._places.get(partition)
        if place is None or place.day is None or day > place.day:
            place = self._places[partition] = _Place(day=day)
        return place

    def _fold(
        self, place: _Place, batch: TickBatch, *, is_replay: bool = False
    ) -> Iterator[CandleBatch]:
        tokens = batch.columns.instrument_token
        at = place.find(tokens)
        if (at < 0).any():
            self._place_instruments(place, batch.partition, np.unique(tokens[at < 0]).tolist())
            at = place.find(tokens)
        if not is_replay:
            self.counts.rejected["unknown_instrument"] += int((at < 0).sum())
        for number, book in enumerate(place.books):
            chosen = np.flatnonzero((at >= 0) & (place.book[at] == number))
            if len(chosen):
                ticks = _ticks(batch, chosen, place.row[at[chosen]])
                if is_replay:
                    book.replay(ticks, batch.received_ms, place.replayed_from_ms or 0)
                else:
                    yield from book.on_ticks(ticks, batch.received_ms)

    def _place_instruments(self, place: _Place, partition: int, tokens: list[int]) -> None:
        """Give listed instruments their rows, those of a segment at once: tokens ascend."""
        by_segment: dict[str, list[int]] = {}
        for token in tokens:
            if token in self._listed:
                by_segment.setdefault(self._listed[token].segment, []).append(token)
        for segment, mine in by_segment.items():
            number = self._book_of(place, partition, segment)
            if number == _NO_BOOK:
                place.insert(mine, _NO_BOOK, [_NO_BOOK] * len(mine))
            else:
                rows = place.books[number].add([self._listed[token] for token in mine])
                place.insert(mine, number, rows)

    def _book_of(self, place: _Place, partition: int, segment: str) -> int:
        day = place.day
        is_wanted = segment in self._segments and day is not None
        sessions = self._calendar.sessions(segment, day) if day and is_wanted else ()
        for number, book in enumerate(place.books):
            if book.schedule.sessions == sessions:
                return number
        if not sessions or day is None:
            return _NO_BOOK
        book = Book(partition, day, Schedule(sessions), self._rules, self.counts)
        list(book.on_clock(place.clock_ms))  # without a tick there is no candle to be closed
        place.books.append(book)
        return len(place.books) - 1

    def _restore(self, partition: int, candle: Candle) -> None:
        place = self._places[partition]
        token = candle.instrument_token
        if place.find(np.array([token]))[0] < 0:
            self._place_instruments(place, partition, [token])
        at = int(place.find(np.array([token]))[0])
        if at < 0 or place.book[at] == _NO_BOOK:
            return
        book, row = place.books[place.book[at]], int(place.row[at])
        minute = (candle.opened_ms - book.schedule.open_ms) // MINUTE_MS
        is_settled = place.replayed_from_ms is None or candle.closes_ms <= place.replayed_from_ms
        if candle.interval == "1m" and is_settled:
            book.restore(row, minute, _values(row, candle))
        stop = (candle.closes_ms - book.schedule.open_ms) // MINUTE_MS
        book.note_published(row, Span(candle.interval, minute, stop), candle.revision)


def _ticks(batch: TickBatch, chosen: NDArray[np.int64], row: NDArray[np.int64]) -> Ticks:
    columns = batch.columns
    unknown = np.full(len(chosen), -1, np.int64)
    volume, oi = columns.volume_traded, columns.oi
    return Ticks(
        row=row,
        at_ms=columns.exchange_timestamp[chosen],
        price=columns.last_price[chosen],
        volume=unknown if volume is None else volume[chosen],
        oi=np.zeros(len(chosen), np.int64) if oi is None else oi[chosen],
    )


def _values(row: int, candle: Candle) -> CandleValues:
    numbers = {
        name: np.array([getattr(candle, name)])
        for name in ("open", "high", "low", "close", "volume", "ticks", "oi", "cumulative_volume")
    }
    vwap = np.array([np.nan if candle.vwap is None else candle.vwap])
    return CandleValues(row=np.array([row]), vwap=vwap, **numbers)


def _open_span(schedule: Schedule, interval: Interval, at_ms: int) -> Span | None:
    minute = (at_ms - schedule.open_ms) // MINUTE_MS
    spans = (span for spans in schedule.ending_at.values() for span in spans)
    return next((s for s in spans if s.interval == interval and s.start <= minute < s.stop), None)
