"""The equity curve: the capital with the profit of closed and open trades, candle by candle."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from services.local.backtest.candles.history import CandleHistory, Days, Floats
from services.local.backtest.candles.spans import trading_days
from services.local.backtest.options.desk import Marks
from services.local.backtest.result import Equity
from services.local.backtest.trade import Trade


def equity_of(
    trades: Sequence[Trade],
    histories: Sequence[CandleHistory],
    capital: Decimal,
    marks: Sequence[Marks] = (),
) -> Equity:
    """Return the equity at each candle's close of any instrument.

    An open trade counts at the close of its own candle, one in another contract than the history's
    at its mark, or at its entry price without one; charges count from the exit on.
    """
    at_ms = np.unique(np.concatenate([one.closes_ms for one in histories]))
    rupees = np.full(len(at_ms), float(capital))
    of_instrument: defaultdict[str, list[Trade]] = defaultdict(list)
    for trade in trades:
        of_instrument[trade.instrument].append(trade)
    for history in histories:
        profit = _profit(of_instrument[history.key], history)
        _add_marks(profit, trades, marks, history)
        last = np.searchsorted(history.closes_ms, at_ms, "right") - 1
        rupees += np.where(last >= 0, profit[np.maximum(last, 0)], 0.0)
    highest = np.maximum.accumulate(np.maximum(rupees, float(capital)))
    return Equity(at_ms, rupees, 1.0 - rupees / highest)


def by_day(equity: Equity) -> tuple[Days, Floats]:
    """Return the days in India, and the equity at the end of each."""
    days = trading_days(equity.at_ms - 1)
    last = np.r_[days[1:] != days[:-1], True]
    return days[last], equity.rupees[last]


def _profit(trades: Sequence[Trade], history: CandleHistory) -> Floats:
    """Return the profit of an instrument's trades at each of its closes, rupees.

    Sums are those of whole paise, so that a long curve ends where its trades do.
    """
    count = len(history)
    first = np.searchsorted(history.closes_ms, [one.entered_ms for one in trades], "right")
    last = np.searchsorted(history.closes_ms, [one.exited_ms for one in trades], "right")
    last = np.minimum(last, count - 1)
    realised, units, cost = (np.zeros(count + 1, np.int64) for _ in range(3))
    np.add.at(realised, last, [int(one.net * 100) for one in trades])
    held = [_units(one, history) for one in trades]
    paid = [number * int(one.entry_price * 100) for number, one in zip(held, trades, strict=True)]
    for column, values in ((units, held), (cost, paid)):
        np.add.at(column, first, values)
        np.subtract.at(column, last, values)
    closed, open_units, open_cost = (np.cumsum(one)[:-1] for one in (realised, units, cost))
    profit: Floats = (closed - open_cost) / 100 + open_units * history.close
    return profit


def _add_marks(
    profit: Floats, trades: Sequence[Trade], marks: Sequence[Marks], history: CandleHistory
) -> None:
    """Add what open trades in other contracts have gained, at the closes that have marks."""
    for trade, mark in zip(trades, marks, strict=False):
        if trade.instrument == history.key:
            rows = np.searchsorted(history.closes_ms, mark.at_ms)
            gained = trade.quantity * (mark.price - float(trade.entry_price))
            is_known = (rows < len(history)) & (mark.at_ms < trade.exited_ms)
            profit[rows[is_known]] += gained[is_known]


def _units(trade: Trade, history: CandleHistory) -> int:
    """Return how many units of the history's own instrument a trade holds, negative if short."""
    if trade.tradingsymbol != history.tradingsymbol:
        return 0
    return trade.quantity if trade.transaction_type == "BUY" else -trade.quantity
