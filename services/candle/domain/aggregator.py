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

    `clock_ms` is the clock so far: a session whose first tick comes late begins with it.
    """

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
    """Turns ticks into candles; a new trading day starts with empty state.

    Instruments of `segments` make candles; ticks of listed instruments of other segments are
    passed over, ticks of instruments that nobody listed are counted as `unknown_instrument`.
    """

    def __init__(self, calendar: Calendar, rules: CandleRules, segments: Iterable[str]) -> None:
        self._calendar = calendar
        self._rules = rules
        self._segments = frozenset(segments)
        self._listed: dict[int, Instrument] = {}
        self._trading_day: date | None = None
        self._places: dict[int, _Place] = {}
        self.counts = TickCounts()

    def on_event(self, event: Event) -> Iterable[Event]:
        """React to a listed instrument or to a batch of ticks."""
        if isinstance(event, InstrumentListed):
            self._listed[event.instrument_token] = event.instrument()
            return ()
        if isinstance(event, TickBatch):
            return list(self._on_ticks(event))
        return ()

    def restore(self, event: Event) -> None:
        """Take back listed instruments, the latest day's one-minute candles, and revisions."""
        if isinstance(event, InstrumentListed):
            self._listed[event.instrument_token] = event.instrument()
        if isinstance(event, CandleBatch) and event.source == "live":
            self._start_day(event.trading_day)
            for candle in event.candles() if event.trading_day == self._trading_day else ():
                self._restore(event.partition, candle)

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
        self._start_day(batch.trading_day)
        place = self._places.setdefault(batch.partition, _Place())
        if len(batch.columns):
            yield from self._fold(place, batch)
        place.clock_ms = max(place.clock_ms, batch.clock_ms)
        for book in place.books:
            yield from book.on_clock(place.clock_ms)

    def _start_day(self, day: date) -> None:
        if self._trading_day is None or day > self._trading_day:
            self._trading_day, self._places = day, {}

    def _fold(self, place: _Place, batch: TickBatch) -> Iterator[CandleBatch]:
        tokens = batch.columns.instrument_token
        at = place.find(tokens)
        if (at < 0).any():
            self._place_instruments(place, batch.partition, np.unique(tokens[at < 0]).tolist())
            at = place.find(tokens)
        self.counts.rejected["unknown_instrument"] += int((at < 0).sum())
        for number, book in enumerate(place.books):
            chosen = np.flatnonzero((at >= 0) & (place.book[at] == number))
            if len(chosen):
                ticks = _ticks(batch, chosen, place.row[at[chosen]])
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
        day = self._trading_day
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
        place = self._places.setdefault(partition, _Place())
        token = candle.instrument_token
        if place.find(np.array([token]))[0] < 0:
            self._place_instruments(place, partition, [token])
        at = int(place.find(np.array([token]))[0])
        if at < 0 or place.book[at] == _NO_BOOK:
            return
        book, row = place.books[place.book[at]], int(place.row[at])
        minute = (candle.opened_ms - book.schedule.open_ms) // MINUTE_MS
        if candle.interval == "1m":
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
