"""The signals of an instrument as orders: where each is entered, and what ends it at the latest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.events.event import ms_from_utc
from libs.events.signals import StrategySignal
from services.local.backtest.candles.history import CandleHistory, Floats, Integers
from services.local.backtest.candles.spans import trading_days
from services.local.backtest.trade import ExitReason
from services.local.backtest.trading_hours import trading_hours

_WINDOW = 32
"""Candles in which the levels of all orders are looked for at once."""


class Order(NamedTuple):
    """A signal that is entered at the open of `row`, if at all.

    It ends at the open of row `stop` for `reason`, at the close of the row before it where
    `is_at_close`, or before that in row `hit`, the first that reaches one of its levels.
    """

    signal: StrategySignal
    row: int
    is_late: bool
    stop: int
    is_at_close: bool
    reason: ExitReason
    hit: int | None


def orders_of(
    history: CandleHistory,
    signals: Sequence[StrategySignal],
    lowest: Floats,
    highest: Floats,
    overnight: Sequence[bool],
) -> list[Order]:
    """Return each signal as an order; `overnight`: whether it may be kept over night."""
    if not signals:
        return []
    closed = np.array([ms_from_utc(one.candle_closed_at) for one in signals], np.int64)
    rows = np.searchsorted(history.opened_ms, closed)
    buys = np.array([one.action == "BUY" for one in signals])
    stays = np.array(overnight)
    opposite = _next_opposite(rows, buys, len(history))
    stop, is_at_close, reasons = _ends(history, rows, stays, opposite)
    hits = _first_hits(rows, stop, _bounds(signals, buys), lowest, highest)
    late = _is_late(history, rows, closed) & ~stays
    columns = (rows, late, stop, is_at_close)
    listed = (column.tolist() for column in columns)
    return list(map(Order, signals, *listed, reasons, hits))


def _next_opposite(rows: Integers, buys: NDArray[np.bool_], count: int) -> Integers:
    """Return, for each signal, the row of the next one in the other direction."""
    turns = np.flatnonzero(buys[1:] != buys[:-1]) + 1
    following = np.searchsorted(turns, np.arange(len(rows)), "right")
    opposite: Integers = np.r_[rows[turns], count][following]
    return opposite


def _ends(
    history: CandleHistory, rows: Integers, stays: NDArray[np.bool_], opposite: Integers
) -> tuple[Integers, NDArray[np.bool_], list[ExitReason]]:
    """Return before which row each order ends, whether at a close, and why.

    At one open the square-off comes before the opposite signal.
    """
    count, hours = len(history), trading_hours(history)
    there = np.minimum(rows, count - 1)
    at_open = ~stays & hours.is_at_open[there]
    last = np.where(stays, count - 1, hours.end[there])
    until = np.where(at_open, last, last + 1)
    is_turned = opposite < until
    names = np.where(stays | hours.is_cut[there], "end_of_data", "square_off")
    reasons: list[ExitReason] = np.where(is_turned, "opposite_signal", names).tolist()
    return np.where(is_turned, opposite, until), ~is_turned & ~at_open, reasons


def _bounds(signals: Sequence[StrategySignal], buys: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the lower and the upper level of each signal."""
    stops = np.array([one.stop_loss for one in signals])
    targets = np.array([one.target for one in signals])
    return np.where(buys, stops, targets), np.where(buys, targets, stops)


def _is_late(history: CandleHistory, rows: Integers, closed: Integers) -> NDArray[np.bool_]:
    """Return which orders would be entered on another day, or after the last entry."""
    there = np.minimum(rows, len(history) - 1)
    opened = history.opened_ms[there]
    is_next_day = trading_days(opened) > trading_days(closed - 1)
    return is_next_day | (opened >= trading_hours(history).last_entry_ms[there])


def _first_hits(
    rows: Integers,
    stop: Integers,
    bounds: tuple[Floats, Floats],
    lowest: Floats,
    highest: Floats,
) -> list[int | None]:
    """Return the first row of each order, before its stop, that reaches one of its bounds."""
    low, high = bounds
    window = rows[:, None] + np.arange(_WINDOW)
    within = window < stop[:, None]
    window = np.minimum(window, len(lowest) - 1)
    reached = (lowest[window] <= low[:, None]) | (highest[window] >= high[:, None])
    reached &= within
    found = np.where(reached.any(axis=1), rows + reached.argmax(axis=1), -1)
    for at in np.flatnonzero((found < 0) & (stop - rows > _WINDOW)).tolist():
        found[at] = _far_hit(int(rows[at]), int(stop[at]), low[at], high[at], lowest, highest)
    return [None if row < 0 else row for row in found.tolist()]


def _far_hit(row: int, stop: int, low: float, high: float, lowest: Floats, highest: Floats) -> int:
    """Return the first row after the window that reaches a bound, -1 without one."""
    start, length = row + _WINDOW, _WINDOW * 4
    while start < stop:
        part = slice(start, min(start + length, stop))
        reached = (lowest[part] <= low) | (highest[part] >= high)
        if reached.any():
            return start + int(reached.argmax())
        start, length = start + length, length * 4
    return -1
