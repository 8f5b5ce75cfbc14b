"""Which candles of a broker are not stored yet, and what its history lacks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

from libs.events.candles import MINUTES, Interval
from libs.market.calendar import IST, Calendar, day_span_ms
from libs.market.closing_auction import closing_auction
from libs.market.instruments import Instrument
from services.ingest.domain.history import MINUTE_MS, HistoryRules

ASKS = 2
"""On so many days a broker is asked for a day that it has not whole: then it has no more of it."""
JOINED = timedelta(days=60)
"""Days that are missing within such a span are asked for together: each call may span as many."""

Series: TypeAlias = tuple[str, str, date | None, Interval]
"""Exchange, tradingsymbol, expiry and interval."""


@dataclass(frozen=True, slots=True)
class KeptDay:
    """What is kept of a day of a series.

    How many candles are stored, how many the broker had when it was last asked (None: never), and
    on how many later days it was asked.
    """

    stored: int = 0
    had: int | None = None
    asked: int = 0


Kept: TypeAlias = Mapping[Series, Mapping[date, KeptDay]]
_NOTHING = KeptDay()


@dataclass(frozen=True, slots=True)
class Ask:
    """Days of an instrument and interval to be asked for, oldest first.

    Of these the candles that open from a time and close by another (epoch ms).
    """

    instrument: Instrument
    interval: Interval
    days: tuple[date, ...]
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Window:
    """What strategies need before a trading day, or at a time (epoch ms) within it."""

    rules: HistoryRules
    day: date
    now_ms: int
    calendar: Calendar
    _counted: dict[tuple[str, bool, Interval, date], int] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def since(self) -> date:
        """The first day."""
        return self.day - timedelta(days=self.rules.days)

    def days(self, instrument: Instrument) -> list[date]:
        """Return the trading days of an instrument before the day, and the day if it has begun."""
        covered = filter(self.calendar.covers, _days(self.since, self.day))
        days = [one for one in covered if self.calendar.is_trading_day(instrument.segment, one)]
        return days if self._has_begun(instrument) else [one for one in days if one < self.day]

    def expected(self, instrument: Instrument, interval: Interval, day: date) -> int:
        """Return how many candles of a day have closed by now, by the calendar.

        Of a share in the closing auction only those before it count.
        """
        auction = closing_auction(day)
        segment, name = instrument.segment, instrument.tradingsymbol
        in_auction = auction is not None and auction.concerns(segment, name)
        key = (segment, in_auction, interval, day)
        if key not in self._counted:
            begins = auction.begins if auction is not None and in_auction else None
            self._counted[key] = self._count(segment, interval, day, begins)
        return self._counted[key]

    def asks(self, instruments: Iterable[Instrument], kept: Kept) -> list[Ask]:
        """Return what has to be asked for: the days that are neither whole nor known to be short.

        Today is asked for as often as it is looked at.
        """
        return [
            Ask(one, interval, tuple(run), day_span_ms(run[0])[0], self._until_ms(run[-1]))
            for one in instruments
            for interval in self.rules.intervals
            for run in _runs(self._missing(one, interval, kept.get(series_of(one, interval), {})))
        ]

    def _missing(
        self, instrument: Instrument, interval: Interval, kept: Mapping[date, KeptDay]
    ) -> Iterator[date]:
        for day in self.days(instrument):
            expected = self.expected(instrument, interval, day)
            if expected and not _is_settled(kept.get(day, _NOTHING), expected):
                yield day

    def _has_begun(self, instrument: Instrument) -> bool:
        sessions = self.calendar.sessions(instrument.segment, self.day)
        return bool(sessions) and self.now_ms > sessions[0].open_ms

    def _count(self, segment: str, interval: Interval, day: date, ends: time | None) -> int:
        """Return the number of candles that open before `ends` (None: the close)."""
        sessions = self.calendar.sessions(segment, day)
        if interval == "day":
            return int(sessions[-1].close_ms <= self.now_ms)
        ends_ms = day_span_ms(day)[1]
        if ends is not None:
            ends_ms = round(datetime.combine(day, ends, IST).timestamp() * 1000)
        length_ms, count = MINUTES[interval] * MINUTE_MS, 0
        for session in sessions:
            span_ms = max(0, min(session.close_ms, ends_ms) - session.open_ms)
            closed_ms = max(0, min(span_ms, self.now_ms - session.open_ms))
            count += -(-span_ms // length_ms) if day < self.day else closed_ms // length_ms
        return count

    def _until_ms(self, last: date) -> int:
        return min(day_span_ms(last)[1], self.now_ms) if last >= self.day else day_span_ms(last)[1]


def series_of(instrument: Instrument, interval: Interval) -> Series:
    """Return the series of an instrument's candles."""
    return instrument.exchange, instrument.tradingsymbol, instrument.expiry, interval


class Tally:
    """Counts the candles that strategies will find, and says what is missing from them."""

    def __init__(self, window: Window, instruments: Sequence[Instrument], kept: Kept) -> None:
        self._window = window
        self._instruments = instruments
        self._stored: dict[tuple[Series, date], int] = {
            (series, day): one.stored
            for series, days in kept.items()
            for day, one in days.items()
            if one.stored
        }

    def note(self, ask: Ask, counts: Mapping[date, int]) -> None:
        """Note how many candles of each day have been fetched."""
        series = series_of(ask.instrument, ask.interval)
        for day in ask.days:
            number = max(counts.get(day, 0), self._stored.get((series, day), 0))
            if number:
                self._stored[series, day] = number

    @property
    def days(self) -> tuple[date, ...]:
        """The days of which there are candles."""
        since = self._window.since
        return tuple(sorted({day for _, day in self._stored if day >= since}))

    @property
    def candles(self) -> int:
        """How many candles there are on these days."""
        return sum(self._stored.values())

    def gaps(self) -> Iterator[str]:
        """Yield a line per span of trading days without candles, and per day that lacks some."""
        found: dict[tuple[date, Interval], tuple[int, int]] = {}
        for one in self._instruments:
            for interval in self._window.rules.intervals:
                for day in self._window.days(one):
                    number, expected = found.get((day, interval), (0, 0))
                    wanted = self._window.expected(one, interval, day)
                    there = self._stored.get((series_of(one, interval), day), 0)
                    found[day, interval] = number + min(there, wanted), expected + wanted
        missing = sorted(
            {day for day, _ in found} - {day for (day, _), had in found.items() if had[0]}
        )
        yield from (f"{_span(run)}: no candles" for run in self._consecutive(missing))
        for (day, interval), (number, expected) in sorted(found.items()):
            if day not in missing and number < expected:
                lacking = expected - number
                yield f"{day}: {lacking} of {expected} {interval} candles are missing"

    def _consecutive(self, days: Sequence[date]) -> Iterator[list[date]]:
        """Cut trading days into runs without a trading day between them."""
        run: list[date] = []
        for day in days:
            if run and self._window.calendar.next_trading_day("NSE", run[-1]) != day:
                yield run
                run = []
            run.append(day)
        if run:
            yield run


def _is_settled(kept: KeptDay, expected: int) -> bool:
    """Whether nothing is left to ask for: all is stored that the broker has."""
    if kept.had is None or not kept.asked or kept.stored < kept.had:
        return False
    return kept.had >= expected or kept.asked >= ASKS


def _runs(days: Iterable[date]) -> Iterator[list[date]]:
    """Cut missing days into runs that are asked for together."""
    run: list[date] = []
    for day in days:
        if run and day - run[0] >= JOINED and day - run[-1] > timedelta(days=7):
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _span(run: Sequence[date]) -> str:
    return f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}"
