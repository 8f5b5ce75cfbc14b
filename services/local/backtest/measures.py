"""What a backtest came to, in figures: those of summary.json and of the report.

Ratios are of daily returns: the equity at the end of a day in India over that of the day before,
the first day's over the capital. A year has 252 trading days, the risk-free rate is zero. A figure
that is not defined is None. Money is after charges, in rupees, unless its name says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

import numpy as np

from libs.events.candles import Interval, length_ms
from libs.market.calendar import IST_OFFSET_MS
from services.local.backtest.candles.history import Floats, Integers
from services.local.backtest.result import BacktestRequest, Equity
from services.local.backtest.trade import Trade

Measures = dict[str, float | int | None]
TRADING_DAYS_A_YEAR = 252
_DAYS_A_YEAR = 365
_DAY_MS = 86_400_000
_ROUNDING = 1e-12
"""A spread of returns, or a fall, below this is the rounding of floats."""


def measures(trades: Sequence[Trade], equity: Equity, request: BacktestRequest) -> Measures:
    """Return all measures by name; fractions, not percent; rupees; seconds; days."""
    capital = float(request.capital)
    return {
        **_of_equity(equity, capital),
        **_of_trades(trades),
        "exposure": exposure(trades, equity.at_ms, _candle_ms(equity.at_ms, request.interval)),
        "turnover_of_capital": float(_turnover(trades) / request.capital),
    }


def _of_equity(equity: Equity, capital: float) -> Measures:
    returns = daily_returns(equity, capital)
    fall = deepest_fall(equity, capital)
    growth = cagr(equity, capital)
    return {
        "return": total_return(equity, capital),
        "cagr": growth,
        "sharpe": sharpe(returns),
        "sortino": sortino(returns),
        "calmar": calmar(growth, fall.depth),
        "max_drawdown": fall.depth,
        "max_drawdown_days": fall.days,
        "max_drawdown_recovered": fall.has_recovered,
        "days": len(_last_of_days(equity.at_ms)),
    }


def _of_trades(trades: Sequence[Trade]) -> Measures:
    net = [trade.net for trade in trades]
    wins, losses = [one for one in net if one > 0], [one for one in net if one < 0]
    gross = sum((trade.gross for trade in trades), Decimal(0))
    charges = sum((trade.charges for trade in trades), Decimal(0))
    return {
        "trades": len(net),
        "net": float(sum(net, Decimal(0))),
        "gross": float(gross),
        "charges": float(charges),
        "charges_share": float(charges / gross) if gross > 0 else None,
        "win_rate": len(wins) / len(net) if net else None,
        "profit_factor": profit_factor(wins, losses),
        "expectancy": _mean(net),
        "average_win": _mean(wins),
        "average_loss": _mean(losses),
        "best_trade": float(max(net)) if net else None,
        "worst_trade": float(min(net)) if net else None,
        "average_seconds_in_trade": _seconds_in_trade(trades),
        "turnover": float(_turnover(trades)),
    }


def daily_returns(equity: Equity, capital: float) -> Floats:
    """Return each day's return as a fraction; none where the equity was ever used up.

    r = E(d) / E(d-1) - 1, E(0) being the capital (simple returns: Bacon, Practical Portfolio
    Performance Measurement and Attribution, ch. 2).
    """
    worth = np.r_[capital, equity.rupees[_last_of_days(equity.at_ms)]]
    if (worth[:-1] <= 0).any():
        return np.empty(0)
    changes: Floats = worth[1:] / worth[:-1] - 1
    return changes


def total_return(equity: Equity, capital: float) -> float | None:
    """Return the last equity over the capital, less 1."""
    return float(equity.rupees[-1]) / capital - 1 if len(equity.rupees) else None


def cagr(equity: Equity, capital: float) -> float | None:
    """Return the compound annual growth rate: (E / capital) ** (365 / days) - 1 (CFA Institute).

    `days` are calendar days from the first to the last. None for one day, for an equity that is
    used up, and where the rate is beyond floats.
    """
    days = _calendar_days(equity.at_ms)
    if not days or equity.rupees[-1] <= 0:
        return None
    try:
        return float(float(equity.rupees[-1] / capital) ** (_DAYS_A_YEAR / days)) - 1
    except OverflowError:
        return None


def sharpe(returns: Floats) -> float | None:
    """Return mean / standard deviation x sqrt(252), n - 1 degrees of freedom (Sharpe 1994).

    None for fewer than two days, and where all days are equal.
    """
    if len(returns) < 2:
        return None
    return _over_a_year(returns, float(returns.std(ddof=1)))


def sortino(returns: Floats) -> float | None:
    """Return mean / downside deviation x sqrt(252) (Sortino and Price 1994).

    The deviation is sqrt(mean(min(r, 0) ** 2)) over all days. None without a losing day.
    """
    if len(returns) < 2:
        return None
    return _over_a_year(returns, sqrt(float((np.minimum(returns, 0) ** 2).mean())))


def _over_a_year(returns: Floats, deviation: float) -> float | None:
    if deviation < _ROUNDING:
        return None
    return float(returns.mean()) / deviation * sqrt(TRADING_DAYS_A_YEAR)


def calmar(growth: float | None, depth: float | None) -> float | None:
    """Return the growth rate over the deepest fall (Young 1991), here of the whole time."""
    return None if growth is None or depth is None or depth < _ROUNDING else growth / depth


@dataclass(frozen=True, slots=True)
class Fall:
    """The deepest fall: a fraction of the high before it, and calendar days from the last time at
    that high until it is reached again, or to the end. 0 and None where there was no fall.
    """

    depth: float | None = None
    days: int | None = None
    has_recovered: bool | None = None


def deepest_fall(equity: Equity, capital: float) -> Fall:
    """Return the maximum drawdown: max(1 - E / highest E so far) (Magdon-Ismail, Atiya 2004).

    The capital is the first high, at the time of the first candle.
    """
    if not len(equity.rupees):
        return Fall()
    worth = np.r_[capital, equity.rupees]
    days = (np.r_[equity.at_ms[0], equity.at_ms] + IST_OFFSET_MS) // _DAY_MS
    high = np.maximum.accumulate(worth)
    depth = 1 - worth / high
    lowest = int(depth.argmax())
    if depth[lowest] < _ROUNDING:
        return Fall(depth=0.0)
    is_high = worth >= high[lowest]
    before, after = np.flatnonzero(is_high[:lowest]), np.flatnonzero(is_high[lowest:])
    until = lowest + int(after[0]) if len(after) else len(worth) - 1
    return Fall(float(depth[lowest]), int(days[until] - days[before[-1]]), bool(len(after)))


def profit_factor(wins: Sequence[Decimal], losses: Sequence[Decimal]) -> float | None:
    """Return what winning trades gained over what losing ones lost; None without a loss."""
    return float(sum(wins, Decimal(0)) / -sum(losses, Decimal(0))) if losses else None


def exposure(trades: Sequence[Trade], at_ms: Integers, candle_ms: int) -> float:
    """Return the share of the candles' time during which at least one trade was open.

    A candle that closes less than `candle_ms` after the one before it counts from there.
    """
    if not trades or not len(at_ms):
        return 0.0
    starts = np.maximum(at_ms - candle_ms, np.r_[at_ms[0] - candle_ms, at_ms[:-1]])
    lengths = at_ms - starts
    until = np.cumsum(lengths)
    edges = np.column_stack((starts, at_ms)).ravel()
    passed = np.column_stack((until - lengths, until)).ravel()
    opened = np.array(_without_overlap(trades))
    covered = np.interp(opened, edges, passed)
    return float((covered[:, 1] - covered[:, 0]).sum() / until[-1])


def _candle_ms(at_ms: Integers, interval: Interval) -> int:
    """Return how long candles are: the usual time between closes, of a single one the interval."""
    return int(np.median(np.diff(at_ms))) if len(at_ms) > 1 else length_ms(interval)


def _without_overlap(trades: Sequence[Trade]) -> list[list[int]]:
    """Return the spans in which at least one trade was open, epoch ms, oldest first."""
    spans: list[list[int]] = []
    for trade in sorted(trades, key=lambda one: one.entered_ms):
        if spans and trade.entered_ms <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], trade.exited_ms)
        else:
            spans.append([trade.entered_ms, trade.exited_ms])
    return spans


def _turnover(trades: Sequence[Trade]) -> Decimal:
    """Return what was bought and sold, in rupees: both sides of each trade."""
    return sum((one.quantity * (one.entry_price + one.exit_price) for one in trades), Decimal(0))


def _seconds_in_trade(trades: Sequence[Trade]) -> float | None:
    if not trades:
        return None
    return sum(one.exited_ms - one.entered_ms for one in trades) / len(trades) / 1000


def _mean(amounts: Sequence[Decimal]) -> float | None:
    return float(sum(amounts, Decimal(0)) / len(amounts)) if amounts else None


def _last_of_days(at_ms: Integers) -> Integers:
    """Return the index of each day's last candle."""
    day = (at_ms + IST_OFFSET_MS) // _DAY_MS
    return np.flatnonzero(np.r_[day[1:] != day[:-1], [True] * bool(len(day))])


def _calendar_days(at_ms: Integers) -> int:
    """Return the days in India between the first and the last time."""
    if not len(at_ms):
        return 0
    first, last = (at_ms[[0, -1]] + IST_OFFSET_MS) // _DAY_MS
    return int(last - first)
