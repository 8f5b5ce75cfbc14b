"""When the exchange closes, for the rules that exit before it."""

from datetime import date
from functools import lru_cache

from libs.market.calendar import Calendar, CalendarError
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


@lru_cache(maxsize=1024)
def last_day(calendar: Calendar, underlying: str, expiry: date, days: int | None) -> date:
    """Return the last day on which an option may be held: its expiry day, or before it."""
    return load_physical_settlement().last_day(underlying, expiry, calendar, days) or expiry
