"""The candles of a period."""

from datetime import date

import numpy as np

from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.errors import BacktestError


def until(history: CandleHistory, last_day: date | None) -> CandleHistory:
    """Return the candles up to a day, which is included."""
    return _rows(history, None, last_day)


def within(history: CandleHistory, first: date | None, last: date | None) -> CandleHistory:
    """Return the candles from a day to a day, both included; BacktestError if there are none."""
    found = _rows(history, first, last)
    if not len(found):
        days = history.trading_day
        has = f"{history.key} has candles from {days[0]} to {days[-1]}" if len(history) else "none"
        raise BacktestError(f"no candle from {first or 'the first'} to {last or 'the last'}: {has}")
    return found


def _rows(history: CandleHistory, first: date | None, last: date | None) -> CandleHistory:
    days = history.trading_day
    start = 0 if first is None else int(np.searchsorted(days, np.datetime64(first)))
    stop = len(days) if last is None else int(np.searchsorted(days, np.datetime64(last), "right"))
    if (start, stop) == (0, len(days)):
        return history
    columns = {
        name: getattr(history, name)[start:stop]
        for name in CandleHistory.__slots__
        if isinstance(getattr(history, name), np.ndarray)
    }
    return CandleHistory(history.exchange, history.tradingsymbol, history.interval, **columns)
