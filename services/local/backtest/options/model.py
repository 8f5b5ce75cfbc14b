"""What the model says an option is worth, and at which prices it is bought and sold."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike

from libs.market.arrays import FloatArray, IntArray
from libs.market.greeks import price
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.options.rules import PriceModel

TRADING_DAYS = 250
MS_PER_YEAR = 365 * 24 * 3600 * 1000
_DECIMALS = 6
"""Of a price in ticks, so that what differs by rounding alone lies on the same tick."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an option's price depends on besides spot, time and volatility.

    `strike` and `is_call` may be arrays; `expires_ms` is the close of its expiry day, epoch ms.
    """

    strike: ArrayLike
    is_call: ArrayLike
    expires_ms: int
    tick_size: Decimal
    rate: float


def volatility_by_candle(history: CandleHistory, model: PriceModel) -> FloatArray:
    """Return the volatility that holds in each candle; nan where too few days precede its own."""
    if model.volatility is not None or not len(history):
        return np.full(len(history), model.volatility, np.float64)
    starts = np.flatnonzero(np.r_[True, history.trading_day[1:] != history.trading_day[:-1]])
    ends = np.r_[starts[1:], len(history)]
    squares = np.diff(np.log(history.close[ends - 1])) ** 2
    of_days = [_realised(squares[: max(day - 1, 0)], model) for day in range(len(starts))]
    return np.repeat(np.array(of_days), ends - starts)


def _realised(squares: FloatArray, model: PriceModel) -> float:
    """Return the yearly volatility of the last days' squared returns."""
    last = squares[-model.volatility_days :]
    if last.size < model.least_days:
        return float("nan")
    return max(float(np.sqrt(np.mean(last) * TRADING_DAYS)), model.floor)


def mid(terms: Terms, spot: ArrayLike, at_ms: ArrayLike, volatility: ArrayLike) -> FloatArray:
    """Return the value in rupees."""
    years = np.maximum(terms.expires_ms - np.asarray(at_ms), 0) / MS_PER_YEAR
    forward = np.asarray(spot, np.float64) * np.exp(terms.rate * years)
    return price(forward, terms.strike, years, terms.rate, volatility, terms.is_call)


def bid_and_ask(
    value: FloatArray, tick_size: Decimal, model: PriceModel
) -> tuple[IntArray, IntArray]:
    """Return bid and ask around values in rupees, in ticks: rounded away from the mid price.

    The bid is at least a tick, and the ask a tick above it.
    """
    tick = float(tick_size)
    half = np.maximum(np.maximum(model.spread * value, model.spread_rupees), tick) / 2
    bid = np.maximum(np.floor(np.round((value - half) / tick, _DECIMALS)), 1)
    ask = np.maximum(np.ceil(np.round((value + half) / tick, _DECIMALS)), bid + 1)
    return bid.astype(np.int64), ask.astype(np.int64)
