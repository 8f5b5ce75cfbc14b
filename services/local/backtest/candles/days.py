"""The days of a history: which candles are of a day, and when the exchange is open."""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from libs.market.calendar import Session, load_calendar
from services.local.backtest.candles.history import Days


class DayRows(NamedTuple):
    """The rows [start, stop) of a trading day."""

    day: date
    start: int
    stop: int


def day_rows(trading_day: Days) -> Iterator[DayRows]:
    """Yield the days of candles that are in order of time."""
    if not len(trading_day):
        return
    changes = np.flatnonzero(trading_day[1:] != trading_day[:-1]) + 1
    starts = np.r_[0, changes]
    days = trading_day[starts].astype("datetime64[D]").tolist()
    stops = [*changes.tolist(), len(trading_day)]
    yield from map(DayRows, days, starts.tolist(), stops)


@lru_cache(maxsize=10_000)
def sessions_of(exchange: str, day: date) -> tuple[Session, ...] | None:
    """Return a day's sessions, none on a closed day; None where the calendar does not know."""
    calendar = load_calendar()
    if not (calendar.knows(exchange) and calendar.covers(day)):
        return None
    return calendar.sessions(exchange, day)
