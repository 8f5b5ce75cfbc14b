"""The equity curve: the capital with the profit of closed and open trades, candle by candle."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from services.local.backtest.candles.history import CandleHistory, Days, Floats
from services.local.backtest.candles.spans import trading_days
from services.local.backtest.result import Equity
from services.local.backtest.trade import Trade


def equity_of(
    trades: Sequence[Trade], histories: Sequence[CandleHistory], capital: Decimal
) -> Equity:
    """Return the equity at each candle's close of any instrument.

    An open trade counts at the close of its own candle, one in another contract than the history's
    at its entry price; charges count from the exit on.
    """
    at_ms = np.unique(np.concatenate([one.closes_ms for one in histories]))
    rupees = np.full(len(at_ms), float(capital))
    for history in histories:
        mine = [trade for trade in trades if trade.instrument == history.key]
        profit = _profit(mine, history)
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
    """Return the profit of an instrument's trades at each of its closes, rupees."""
    realised, unrealised = np.zeros(len(history)), np.zeros(len(history))
    for trade in trades:
        first = int(np.searchsorted(history.closes_ms, trade.entered_ms, "right"))
        last = int(np.searchsorted(history.closes_ms, trade.exited_ms, "left"))
        if last < len(realised):
            realised[last] += float(trade.net)
        if trade.tradingsymbol == history.tradingsymbol and last > first:
            units = trade.quantity if trade.transaction_type == "BUY" else -trade.quantity
            unrealised[first:last] += units * (history.close[first:last] - float(trade.entry_price))
    total: Floats = np.cumsum(realised) + unrealised
    return total
