"""Candles that are missing between two of an instrument, by the calendar."""

from collections.abc import Iterator
from datetime import date, timedelta

from libs.events.candles import Candle, length_ms
from libs.market.calendar import Calendar

_MOST_DAYS = timedelta(days=15)
"""No exchange is closed for longer, so after more at least one candle is missing."""


def missing_candles(last: Candle, candle: Candle, calendar: Calendar) -> int:
    """Return how many candles of their interval should lie between two candles.

    The days of a history are taken as they were recorded: after its last candle only those of the
    second candle's day can be missing. A day that the calendar does not cover, and an exchange
    that it does not know, has none missing.
    """
    if candle.opened_ms == last.closes_ms or not calendar.knows(candle.exchange):
        return 0
    if candle.trading_day - last.trading_day > _MOST_DAYS:
        return 1
    first = candle.trading_day if last.source == "backfill" else last.trading_day
    days = [day for day in _days(first, candle.trading_day) if calendar.covers(day)]
    if candle.interval == "day":
        between = (day for day in days if last.trading_day < day < candle.trading_day)
        return sum(calendar.is_trading_day(candle.exchange, day) for day in between)
    return sum(_missing_on(day, last, candle, calendar) for day in days)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _missing_on(day: date, last: Candle, candle: Candle, calendar: Calendar) -> int:
    missing, step_ms = 0, length_ms(candle.interval)
    for session in calendar.sessions(candle.exchange, day):
        opened_ms = max(session.open_ms, last.closes_ms)
        until_ms = min(session.close_ms, candle.opened_ms)
        missing += max(0, -(-(until_ms - opened_ms) // step_ms))
    return missing
