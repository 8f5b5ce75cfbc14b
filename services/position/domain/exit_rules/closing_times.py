"""When the exchange closes, for the rules that exit before it."""

from datetime import date
from functools import lru_cache

from libs.market.calendar import Calendar, CalendarError, day_in_india
from libs.market.physical_settlement import load_physical_settlement


@lru_cache(maxsize=256)
def last_close_ms(calendar: Calendar, exchange: str, day: date) -> int | None:
    """Return when a day's last session closes (epoch ms); None if there is no known session.

    A day or an exchange outside the calendar is no error: the other rules still hold.
    """
    try:
        sessions = calendar.sessions(exchange, day)
    except CalendarError:
        return None
    return sessions[-1].close_ms if sessions else None


def is_open(calendar: Calendar, exchange: str, now_ms: int) -> bool:
    """Return whether a session runs (epoch ms); yes where the calendar does not know the day."""
    try:
        sessions = calendar.sessions(exchange, day_in_india(now_ms))
    except CalendarError:
        return True
    return any(one.open_ms <= now_ms < one.close_ms for one in sessions)


@lru_cache(maxsize=1024)
def last_day(calendar: Calendar, underlying: str, expiry: date, days: int | None) -> date:
    """Return the last day on which an option may be held: its expiry day, or before it."""
    return load_physical_settlement().last_day(underlying, expiry, calendar, days) or expiry
