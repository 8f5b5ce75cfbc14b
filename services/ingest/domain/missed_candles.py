"""Candles of today that the feed missed, and when they can be asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from libs.events.candles import MINUTES, Interval
from libs.events.outages import Outages
from libs.market.calendar import Calendar, Session
from libs.market.candle_grid import spans_of
from libs.market.instruments import Instrument, partition_of
from services.ingest.domain.history import MINUTE_MS
from services.ingest.domain.missing_history import Ask


@dataclass(slots=True)
class MissedCandles:
    """What the feed misses on a day, by partition: before its first tick, and in each outage.

    The candles that had closed by `fetched_ms` (epoch ms) were asked for before. One is due
    `settled_ms` after its close.
    """

    day: date
    instruments: Sequence[Instrument]
    intervals: Sequence[Interval]
    calendar: Calendar
    partitions: int
    fetched_ms: int
    settled_ms: int
    _outages: dict[int, Outages] = field(default_factory=dict)
    _waiting: list[Ask] = field(default_factory=list)

    def on_clock(self, partition: int, clock_ms: int) -> None:
        """Note the clock of a partition (epoch ms), and what it has missed.

        At the first one all up to it: who saw the feed before a restart counts from there.
        """
        outages = self._outages.setdefault(partition, Outages())
        span = outages.on_clock(clock_ms)
        if span is not None:
            self._waiting += self._asks(partition, span[0], clock_ms)

    def due(self, clock_ms: int) -> list[Ask]:
        """Return what can be asked for by now, each once."""
        if not self._waiting:
            return []
        now, later = list[Ask](), list[Ask]()
        for one in self._waiting:
            (now if one.until_ms + self.settled_ms <= clock_ms else later).append(one)
        self._waiting = later
        return now

    def _asks(self, partition: int, since_ms: int, until_ms: int) -> Iterator[Ask]:
        """Yield what asks for the candles of which a part lies within an outage.

        Those that have closed by its end are asked for together, the one after them by itself.
        """
        asked: dict[str, list[tuple[Interval, int, int]]] = {}
        for one in self.instruments:
            if partition_of(one.instrument_token, self.partitions) != partition:
                continue
            if one.segment not in asked:
                asked[one.segment] = list(self._asked_of(one.segment, since_ms, until_ms))
            for interval, first_ms, last_ms in asked[one.segment]:
                yield Ask(one, interval, (self.day,), first_ms, last_ms)

    def _asked_of(
        self, segment: str, since_ms: int, until_ms: int
    ) -> Iterator[tuple[Interval, int, int]]:
        """Yield the times that are asked for of each instrument of a segment, by interval."""
        for interval in self.intervals:
            spans = list(self._missed(segment, interval, since_ms, until_ms))
            closed = [span for span in spans if span[1] <= until_ms]
            if closed:
                yield interval, closed[0][0], closed[-1][1]
            yield from ((interval, *span) for span in spans[len(closed) :])

    def _missed(
        self, segment: str, interval: Interval, since_ms: int, until_ms: int
    ) -> Iterator[tuple[int, int]]:
        """Yield open and close of the candles that overlap an outage and were not fetched."""
        sessions = self.calendar.sessions(segment, self.day)
        for opened_ms, closes_ms in _candles(sessions, interval):
            if opened_ms < until_ms and closes_ms > max(since_ms, self.fetched_ms):
                yield opened_ms, closes_ms


def _candles(sessions: Sequence[Session], interval: Interval) -> Iterator[tuple[int, int]]:
    """Yield open and close of a day's candles, as candle makes them: each session has its own."""
    if interval == "day":
        if sessions:
            yield sessions[0].open_ms, sessions[-1].close_ms
        return
    length_ms = MINUTES[interval] * MINUTE_MS
    for session in sessions:
        yield from spans_of(session, length_ms)
