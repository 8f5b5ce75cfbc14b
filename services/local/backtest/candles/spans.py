"""When candles close, from when they open."""

import numpy as np

from libs.market.calendar import IST_OFFSET_MS
from services.local.backtest.candles.days import day_rows, sessions_of
from services.local.backtest.candles.history import Days, Integers

DAY_MS = 86_400_000


def trading_days(opened_ms: Integers) -> Days:
    """Return the day in India of each time (epoch ms)."""
    return ((opened_ms + IST_OFFSET_MS) // DAY_MS).astype("datetime64[D]")


def closes_of(exchange: str, opened_ms: Integers, trading_day: Days, length_ms: int) -> Integers:
    """Return when each candle closes (epoch ms): after its length, at the latest when its session
    does, and not after the next one of its day has opened.
    """
    closes = opened_ms + length_ms
    for day, start, stop in day_rows(trading_day):
        for session in sessions_of(exchange, day) or ():
            opened = opened_ms[start:stop]
            within = (opened >= session.open_ms) & (opened < session.close_ms)
            cut = np.minimum(closes[start:stop], session.close_ms)
            closes[start:stop] = np.where(within, cut, closes[start:stop])
    is_same_day = trading_day[1:] == trading_day[:-1]
    earlier = np.minimum(closes[:-1], opened_ms[1:])
    closes[:-1] = np.where(is_same_day, earlier, closes[:-1])
    return closes
