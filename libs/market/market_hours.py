"""Days and hours of several exchange segments together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from libs.market.calendar import Calendar, Session

USUAL = ("NSE", "NFO")
"""Segments of shares and indices, and of their options."""


@dataclass(frozen=True, slots=True)
class MarketHours:
    """The hours of some segments: the market is open while one of them is.

    Days and segments that the calendar's files lack raise CalendarError, except in `is_open`.
    """

    calendar: Calendar
    segments: tuple[str, ...] = USUAL

    def sessions(self, day: date) -> list[Session]:
        """Return the sessions of all segments, the one that closes last at the end."""
        all_of_them = (one for name in self.segments for one in self.calendar.sessions(name, day))
        return sorted(all_of_them, key=lambda session: session.closes_at)

    def span_ms(self, day: date) -> tuple[int, int] | None:
        """Return the first open and the last close of a day (epoch ms), None when all is closed."""
        sessions = self.sessions(day)
        if not sessions:
            return None
        return min(one.open_ms for one in sessions), sessions[-1].close_ms

    def is_open(self, at_ms: int) -> bool:
        """Whether one of the segments trades at an epoch ms; none does on days without data."""
        return any(self.calendar.is_in_session(name, at_ms) for name in self.segments)

    def closed_reason(self, day: date) -> str | None:
        """Return why no segment trades on a day, None if one does."""
        reasons = [self.calendar.closed_reason(name, day) for name in self.segments]
        return None if None in reasons else reasons[0]

    def next_trading_day(self, day: date) -> date:
        """Return the first day after a day on which one of the segments trades."""
        day += timedelta(days=1)
        while not any(self.calendar.is_trading_day(name, day) for name in self.segments):
            day += timedelta(days=1)
        return day


def exchanges_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return each exchange once; those of USUAL without any."""
    return tuple(sorted(set(names))) or USUAL
