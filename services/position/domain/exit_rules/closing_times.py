"""When the exchange closes, as the rules that leave before it need it."""

from datetime import date
from functools import lru_cache

from libs.market.calendar import Calendar, CalendarError


@lru_cache(maxsize=256)
def last_close_ms(calendar: Calendar, exchange: str, day: date) -> int | None:
    """Return when a day's last session closes (epoch ms), None without one that is known.

    A day or an exchange that the calendar does not know has none: what was bought is watched by
    the other rules all the same.
    """
    try:
        sessions = calendar.sessions(exchange, day)
    except CalendarError:
        return None
    return sessions[-1].close_ms if sessions else None
