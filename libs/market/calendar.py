"""Trading sessions, holidays and special days of the Indian exchanges."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from libs.errors import AlphaStocksError
from libs.market.dated import DatedSeries, Known, Span
from libs.market.packaged import kept, layers

IST = ZoneInfo("Asia/Kolkata")
IST_OFFSET_MS = 330 * 60_000
"""India is ahead of UTC by this, all year."""

Hours: TypeAlias = tuple[tuple[time, time], ...]

_WEEKEND = {5: "Saturday", 6: "Sunday"}
_ONE_DAY = timedelta(days=1)
_FILE = "calendar.toml"


def day_in_india(at_ms: int) -> date:
    """Return the day in India at an epoch ms."""
    return datetime.fromtimestamp(at_ms / 1000, IST).date()


def midnight(day: date) -> datetime:
    """Return when a day begins in India (an aware time of India)."""
    return datetime.combine(day, time(), IST)


def midnight_ms(day: date) -> int:
    """Return when a day begins in India, epoch ms."""
    return round(midnight(day).timestamp() * 1000)


def day_span_ms(day: date) -> tuple[int, int]:
    """Return when a day begins in India and when the next one does, epoch ms."""
    return midnight_ms(day), midnight_ms(day + _ONE_DAY)


class CalendarError(AlphaStocksError, LookupError):
    """A day or segment that is not in the calendar's data files."""


@dataclass(frozen=True, slots=True)
class Session:
    """A continuous trading session of a day in India; `closes_at` is not part of it."""

    day: date
    opens_at: datetime
    closes_at: datetime

    @property
    def open_ms(self) -> int:
        """Open in epoch milliseconds."""
        return round(self.opens_at.timestamp() * 1000)

    @property
    def close_ms(self) -> int:
        """Close in epoch milliseconds."""
        return round(self.closes_at.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """Hours of one day that replace the usual ones, on a holiday or weekend too.

    `is_settlement` is False on days that expiry rules treat as holidays, such as Muhurat.
    """

    name: str
    hours: Hours
    is_settlement: bool
    source: str = ""


@dataclass(frozen=True, slots=True)
class Announced:
    """A session that is announced, but whose hours are not known."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class SegmentDays:
    """The data of one exchange segment."""

    hours: DatedSeries[Hours]
    holidays: dict[date, str]
    special: dict[date, SpecialDay]
    announced: dict[date, Announced] = field(default_factory=dict)


class Calendar:
    """Sessions by segment and day; segments are NSE, NFO, BSE, BFO and MCX, or Kite's names."""

    def __init__(self, segments: dict[str, SegmentDays], first_day: date, last_day: date) -> None:
        self._segments = segments
        self._first_day, self._last_day = first_day, last_day

    @property
    def first_day(self) -> date:
        """The first day that the data files cover."""
        return self._first_day

    @property
    def last_day(self) -> date:
        """The last day that the data files cover."""
        return self._last_day

    def covers(self, day: date) -> bool:
        """Whether the data files cover this day."""
        return self._first_day <= day <= self._last_day

    def knows(self, segment: str) -> bool:
        """Whether the data files have the hours of a segment."""
        return _exchange(segment) in self._segments

    def sessions(self, segment: str, day: date) -> tuple[Session, ...]:
        """Continuous sessions of a day in order; none when closed."""
        return tuple(_session(day, opens, closes) for opens, closes in self._hours(segment, day))

    def usual_hours(self, segment: str, day: date) -> Known[Hours]:
        """Return the hours of a segment's usual days at that time."""
        return self._days(segment, day).hours.at(day)

    def special_day(self, segment: str, day: date) -> SpecialDay | None:
        """Return what is special about a day's hours, None on other days."""
        return self._days(segment, day).special.get(day)

    def announced(self, segment: str, day: date) -> Announced | None:
        """Return a session of the day that is announced without its hours, None without one."""
        return self._days(segment, day).announced.get(day)

    def widest_hours(self, segment: str) -> tuple[time, time]:
        """Return the earliest usual open and the latest usual close, times in India."""
        usual = self._segments[_exchange(segment)].hours.values
        sessions = [session for hours in usual for session in hours]
        return min(opens for opens, _ in sessions), max(closes for _, closes in sessions)

    def is_in_session(self, segment: str, at_ms: int) -> bool:
        """Whether a segment trades at an epoch ms; it does not on days without data."""
        day = day_in_india(at_ms)
        sessions = self.sessions(segment, day) if self.covers(day) else ()
        return any(one.open_ms <= at_ms < one.close_ms for one in sessions)

    def is_trading_day(self, segment: str, day: date) -> bool:
        """Whether there is any session on this day, special ones included."""
        return bool(self._hours(segment, day))

    def is_settlement_day(self, segment: str, day: date) -> bool:
        """Whether contracts may expire on this day: no weekend, holiday or Muhurat session."""
        days = self._days(segment, day)
        special = days.special.get(day)
        if special is not None:
            return special.is_settlement
        return day.weekday() not in _WEEKEND and self.is_trading_day(segment, day)

    def closed_reason(self, segment: str, day: date) -> str | None:
        """Return why a day is closed (`Saturday`, `holiday: Republic Day`), None if it is open."""
        if self._hours(segment, day):
            return None
        holiday = self._days(segment, day).holidays.get(day)
        return _WEEKEND.get(day.weekday()) or f"holiday: {holiday}"

    def previous_trading_day(self, segment: str, day: date) -> date:
        """Last trading day before a day."""
        return self._search(segment, day, -_ONE_DAY)

    def next_trading_day(self, segment: str, day: date) -> date:
        """First trading day after a day."""
        return self._search(segment, day, _ONE_DAY)

    def _search(self, segment: str, day: date, step: timedelta) -> date:
        day += step
        while not self.is_trading_day(segment, day):
            day += step
        return day

    def _days(self, segment: str, day: date) -> SegmentDays:
        """Return a segment's data; raise CalendarError for a day or segment without data."""
        if not self.covers(day):
            known = f"{self._first_day} to {self._last_day}"
            raise CalendarError(f"no calendar for {day}: the data files cover {known}")
        exchange = _exchange(segment)
        if exchange not in self._segments:
            raise CalendarError(f"no calendar for segment {segment} on {day}")
        return self._segments[exchange]

    def _hours(self, segment: str, day: date) -> Hours:
        days = self._days(segment, day)
        if day in days.special:
            return days.special[day].hours
        if day.weekday() in _WEEKEND or day in days.holidays:
            return ()
        return days.hours.at(day).value


def _exchange(segment: str) -> str:
    """Return the segment whose hours count: `NFO-OPT` → `NFO`, `INDICES` → `NSE`."""
    return "NSE" if segment == "INDICES" else segment.partition("-")[0]


def _session(day: date, opens: time, closes: time) -> Session:
    opens_at = datetime.combine(day, opens, IST).astimezone(UTC)
    return Session(day, opens_at, datetime.combine(day, closes, IST).astimezone(UTC))


@kept
def load_calendar() -> Calendar:
    """Calendar from the data files."""
    tables = layers(_FILE)
    hours = [entry for table in tables for entry in table.get("hours", ())]
    names = {name: None for entry in hours for name in entry["segments"]}
    segments = {name: _segment_days(tables, name) for name in names}
    last_day = max(table["covers"]["to"] for table in tables if "covers" in table)
    return Calendar(segments, tables[0]["covers"]["from"], last_day)


def _segment_days(tables: Iterable[dict[str, Any]], segment: str) -> SegmentDays:
    """Return the days of a segment; of two tables that name a day the later one counts alone."""
    spans: list[Span[Hours]] = []
    holidays: dict[date, str] = {}
    special: dict[date, SpecialDay] = {}
    announced: dict[date, Announced] = {}
    for table in tables:
        closed = dict(_holidays(table, segment))
        opened = dict(_evenings(table, segment)) | dict(_special_days(table, segment))
        for day in closed:
            special.pop(day, None)
        for day in opened:
            announced.pop(day, None)
        spans += [Span.of(one, _read_hours(one)) for one in _of(segment, table.get("hours", ()))]
        holidays |= closed
        special |= opened
        announced |= dict(_announced(table, segment))
    return SegmentDays(DatedSeries(spans), holidays, special, announced)


def _holidays(table: dict[str, Any], segment: str) -> Iterator[tuple[date, str]]:
    for entry in _of(segment, table.get("holidays", ())):
        yield from _named_days(entry)


def _special_days(table: dict[str, Any], segment: str) -> Iterator[tuple[date, SpecialDay]]:
    for entry in _of(segment, table.get("special", ())):
        is_settlement, source = entry["is_settlement"], entry.get("source", "")
        yield entry["day"], SpecialDay(entry["name"], _read_hours(entry), is_settlement, source)


def _evenings(table: dict[str, Any], segment: str) -> Iterator[tuple[date, SpecialDay]]:
    """Yield holidays of other segments on which this one opens in the evening."""
    for entry in _of(segment, table.get("holidays", ()), "evening_segments"):
        hours, source = _read_hours(entry, "evening_sessions"), entry.get("source", "")
        for day, name in _named_days(entry):
            yield day, SpecialDay(name, hours, is_settlement=False, source=source)


def _announced(table: dict[str, Any], segment: str) -> Iterator[tuple[date, Announced]]:
    for entry in _of(segment, table.get("announced", ())):
        yield entry["day"], Announced(entry["name"], entry.get("source", ""))


def _named_days(entry: dict[str, Any]) -> Iterator[tuple[date, str]]:
    return ((date.fromisoformat(day), name) for day, name in entry["days"].items())


def _of(
    segment: str, entries: Iterable[dict[str, Any]], column: str = "segments"
) -> Iterator[dict[str, Any]]:
    return (entry for entry in entries if segment in entry.get(column, ()))


def _read_hours(entry: dict[str, Any], column: str = "sessions") -> Hours:
    return tuple((opens, closes) for opens, closes in entry[column])
