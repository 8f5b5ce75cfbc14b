"""Which expiries of a future are followed, and when the near one changes."""

from collections.abc import Iterable
from datetime import date, timedelta

from libs.market.calendar import Calendar

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


def near_expiries(
    expiries: Iterable[date],
    on: date,
    months: int,
    roll_days: int,
    calendar: Calendar,
    exchange: str,
) -> tuple[date, ...]:
    """Return the nearest expiries that are followed on a day.

    An expiry is followed until `roll_days` trading days before it: with 0 until its own day. The
    last one that is listed has no successor, and is followed to its end.
    """
    coming = sorted({expiry for expiry in expiries if expiry >= on})
    near = [one for one in coming if on <= last_day(one, roll_days, calendar, exchange)]
    return tuple((near or coming[-1:])[:months])


def last_day(expiry: date, roll_days: int, calendar: Calendar, exchange: str) -> date:
    """Return the last day on which an expiry is the near one.

    Beyond the calendar each weekday counts as a trading day.
    """
    day = expiry
    for _ in range(roll_days):
        day -= _ONE_DAY
        while not _trades(day, calendar, exchange):
            day -= _ONE_DAY
    return day


def _trades(day: date, calendar: Calendar, exchange: str) -> bool:
    if not calendar.covers(day):
        return day.weekday() < _SATURDAY
    return calendar.is_trading_day(exchange, day)
