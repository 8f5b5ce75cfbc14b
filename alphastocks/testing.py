"""A test harness for strategies: makes candles from numbers, and collects their signals."""

from datetime import date
from pathlib import Path

import pandas as pd

from libs.events.candles import Candle, Interval
from libs.strategy.harness import FIRST_DAY, WrongCandles, make_candles, signals_of

__all__ = ["WrongCandles", "make_candles", "read_candles", "signals_of"]


def read_candles(
    path: str | Path,
    interval: Interval = "15m",
    exchange: str = "NSE",
    tradingsymbol: str = "RELIANCE",
    first_day: date = FIRST_DAY,
) -> tuple[Candle, ...]:
    """Return the candles of a CSV file with columns open, high, low, close, [volume, date].

    Raises OSError for a file that cannot be read, and what `make_candles` raises.
    """
    return make_candles(pd.read_csv(path), interval, exchange, tradingsymbol, first_day)
