"""When the exchange closes, for the rules that exit before it."""

from datetime import date
from functools import lru_cache

from libs.market.calendar import Calendar, CalendarError


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
