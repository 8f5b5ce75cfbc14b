"""Candles that are missing between two of an instrument, by the calendar."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from libs.events.candles import Candle, Interval, length_ms
from libs.market.calendar import Calendar

GapRule: TypeAlias = Callable[[Candle, Candle], int]
"""Returns how many candles are missing between two of an instrument, 0 for none."""
_MOST_DAYS = timedelta(days=15)
"""No exchange is closed for longer, so after more at least one candle is missing."""


class Between(NamedTuple):
    """What lies between two candles of an instrument: the first's close and the second's open.

    The days of a history are taken as they were recorded: after its last candle only those of the
    second candle's day can be missing.
    """

    exchange: str
    interval: Interval
    is_after_history: bool
    closed_ms: int
    closed_day: date
    opened_ms: int
    opened_day: date


def gap_rule(calendar: Calendar, tolerated: int = 0) -> GapRule:
    """Return the rule of gaps by the calendar: more missing candles than `tolerated` count.

    At the open all instruments have the same time behind them, so the answers are remembered.
    """
    counted = lru_cache(maxsize=1024)(lambda between: missing_candles(between, calendar))

    def beyond_tolerance(last: Candle, candle: Candle) -> int:
        missing = counted(between(last, candle))
        return missing if missing > tolerated else 0

    return beyond_tolerance


def between(last: Candle, candle: Candle) -> Between:
    """Return what lies between two candles."""
    return Between(
        candle.exchange,
        candle.interval,
        last.source == "backfill",
        last.closes_ms,
        last.trading_day,
        candle.opened_ms,
        candle.trading_day,
    )


def missing_candles(gap: Between, calendar: Calendar) -> int:
    """Return how many candles of an interval should lie between two.

    A day that the calendar does not cover, and an exchange that it does not know, has none missing.
    """
    if gap.opened_ms == gap.closed_ms or not calendar.knows(gap.exchange):
        return 0
    if gap.opened_day - gap.closed_day > _MOST_DAYS:
        return 1
    first = gap.opened_day if gap.is_after_history else gap.closed_day
    days = [day for day in _days(first, gap.opened_day) if calendar.covers(day)]
    if gap.interval == "day":
        within = (day for day in days if gap.closed_day < day < gap.opened_day)
        return sum(calendar.is_trading_day(gap.exchange, day) for day in within)
    return sum(_missing_on(day, gap, calendar) for day in days)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _missing_on(day: date, gap: Between, calendar: Calendar) -> int:
    missing, step_ms = 0, length_ms(gap.interval)
    for session in calendar.sessions(gap.exchange, day):
        opened_ms = max(session.open_ms, gap.closed_ms)
        until_ms = min(session.close_ms, gap.opened_ms)
        missing += max(0, -(-(until_ms - opened_ms) // step_ms))
    return missing
