"""Longer candles out of shorter ones, aligned to the open of their session."""

from dataclasses import replace

import numpy as np

from libs.events.candles import MINUTES, Interval
from libs.market.candle_grid import closes_of, opens_of
from libs.market.names import unknown
from services.local.backtest.candles.days import DayRows, day_rows, sessions_of
from services.local.backtest.candles.history import CandleHistory, Floats, Integers
from services.local.backtest.errors import BacktestError

_MINUTE_MS = 60_000


def longer(history: CandleHistory, interval: Interval) -> CandleHistory:
    """Fold candles into those of a longer interval; the same history for its own interval.

    A candle opens at its session's open, or so many whole intervals after it, as the candle
    service makes them. Raises BacktestError for an interval that does not consist of these candles.
    """
    if interval == history.interval:
        return history
    if interval not in history.memo:
        history.memo[interval] = _longer(history, interval)
    folded: CandleHistory = history.memo[interval]
    return folded


def _longer(history: CandleHistory, interval: Interval) -> CandleHistory:
    _check(history, interval)
    if not len(history):
        return _folded(history, interval, history.opened_ms, history.closes_ms, np.empty(0, int))
    opened, closes, firsts = [], [], []
    for rows in day_rows(history.trading_day):
        open_ms, close_ms = _grid(history, rows, interval)
        first = np.flatnonzero(np.r_[True, open_ms[1:] != open_ms[:-1]])
        last = np.r_[first[1:], len(open_ms)] - 1
        opened.append(open_ms[first])
        closes.append(np.maximum(close_ms[first], history.closes_ms[rows.start + last]))
        firsts.append(rows.start + first)
    columns = (np.concatenate(column) for column in (opened, closes, firsts))
    return _folded(history, interval, *columns)


def _check(history: CandleHistory, interval: Interval) -> None:
    if history.interval == "day" or interval not in (*MINUTES, "day"):
        raise BacktestError(_no(history, interval))
    if interval != "day" and MINUTES[interval] % MINUTES[history.interval]:
        raise BacktestError(_no(history, interval))


def _no(history: CandleHistory, interval: str) -> str:
    if interval not in (*MINUTES, "day"):
        return unknown(interval, (*MINUTES, "day"), "interval")
    return f"{history.key}: candles of {interval} cannot be made of candles of {history.interval}"


def _grid(history: CandleHistory, rows: DayRows, interval: Interval) -> tuple[Integers, Integers]:
    """Return, for each candle of a day, when the longer one that holds it opens and closes."""
    opened = history.opened_ms[rows.start : rows.stop]
    sessions = sessions_of(history.exchange, rows.day)
    open_ms = sessions[0].open_ms if sessions else int(opened[0])
    close_ms = sessions[-1].close_ms if sessions else None
    if interval == "day":
        ends = close_ms if close_ms is not None else int(history.closes_ms[rows.stop - 1])
        return np.full_like(opened, open_ms), np.full_like(opened, ends)
    length = MINUTES[interval] * _MINUTE_MS
    if not sessions:
        starts = open_ms + (opened - open_ms) // length * length
        return starts, starts + length
    starts = opens_of(opened, length, sessions)
    stops = closes_of(starts, length, sessions)
    return starts, np.where(stops > starts, stops, starts + length)


def _folded(
    history: CandleHistory,
    interval: Interval,
    opened_ms: Integers,
    closes_ms: Integers,
    first: Integers,
) -> CandleHistory:
    if not len(first):
        return replace(history, interval=interval)
    last = np.r_[first[1:], len(history)] - 1
    volume = np.add.reduceat(history.volume, first)
    return CandleHistory(
        exchange=history.exchange,
        tradingsymbol=history.tradingsymbol,
        interval=interval,
        opened_ms=opened_ms,
        closes_ms=closes_ms,
        open=history.open[first],
        high=np.maximum.reduceat(history.high, first),
        low=np.minimum.reduceat(history.low, first),
        close=history.close[last],
        volume=volume,
        vwap=_vwap(history, first, volume),
        trading_day=history.trading_day[first],
    )


def _vwap(history: CandleHistory, first: Integers, volume: Integers) -> Floats:
    """Return the average price by volume, nan where one of the candles has none but volume."""
    turnover = np.where(history.volume == 0, 0.0, history.vwap * history.volume)
    sums = np.add.reduceat(turnover, first)
    return np.where(volume > 0, sums / np.maximum(volume, 1), np.nan)
