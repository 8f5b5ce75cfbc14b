"""How long a contract lives, found once: no tick and no check of the second asks the calendar."""

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from libs.market.calendar import Calendar, midnight_ms
from services.position.domain.exit_rules.closing_times import last_close_ms

_ONE_DAY = timedelta(days=1)


class Life(NamedTuple):
    """When the contract's last session is over (epoch ms), and whether the calendar covers it.

    Where no session is known, the contract lives until the end of its expiry day.
    """

    ends_ms: int
    is_covered: bool


@lru_cache(maxsize=256)
def life_of(calendar: Calendar, exchange: str, expiry: date) -> Life:
    """Return the life of a contract."""
    close_ms = last_close_ms(calendar, exchange, expiry)
    ends_ms = midnight_ms(expiry + _ONE_DAY) if close_ms is None else close_ms
    return Life(ends_ms, calendar.covers(expiry))
