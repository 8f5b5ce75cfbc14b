"""Where each day opens and closes: a chain that any day reaches without the paths before it.

The logarithm of the close wanders around the underlying's level and is slowly drawn back to it.
Each calendar day adds an overnight and a session shock, partly the market's and partly its own,
so that opening and closing prices are functions of seed, symbol and day alone.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from libs.market.arrays import FloatArray
from services.simulator.domain.market.randomness import autoregressive, generator
from services.simulator.domain.market.underlyings import UnderlyingSpec

_ANCHOR = date(2020, 1, 1)
_LEVEL_DAY = date(2026, 1, 1)
_MEMORY = 0.99
_TRADING_DAYS = 250
_SESSION_VARIANCE = 0.75
_WEEKEND_SCALE = 0.2
_DAYS_PER_YEAR = 365
_FIRST_WEEKEND_DAY = 5


@dataclass(frozen=True, slots=True)
class DayLevels:
    """Natural logarithms of a day's ends: the close before it, its open and its close."""

    previous_close: float
    open: float
    close: float


class PriceLevels:
    """Opens and closes of one underlying for every day from 2020 through a given one."""

    def __init__(self, seed: int, spec: UnderlyingSpec, through: date) -> None:
        shocks = _shocks(seed, spec, _index_of(through) + 1)
        wander = autoregressive(shocks.sum(axis=1), _MEMORY)
        self._close = wander + _long_run_level(spec, wander.size)
        self._open = self._close - shocks[:, 1]

    def of(self, day: date, previous_day: date) -> DayLevels:
        """Levels of a trading day that follows another; both within the range."""
        index = _index_of(day)
        previous = float(self._close[_index_of(previous_day)])
        return DayLevels(previous, float(self._open[index]), float(self._close[index]))


def session_deviation(spec: UnderlyingSpec) -> float:
    """Standard deviation of the logarithmic return from open to close."""
    return float(spec.annual_volatility * np.sqrt(_SESSION_VARIANCE / _TRADING_DAYS))


def blended(market: FloatArray, own: FloatArray, spec: UnderlyingSpec) -> FloatArray:
    """Moves of an underlying from the market's and its own, each of unit variance."""
    correlation = spec.market_correlation
    return np.asarray(correlation * market + np.sqrt(1 - correlation**2) * own, np.float64)


def _index_of(day: date) -> int:
    if day < _ANCHOR:
        raise ValueError(f"the synthetic market begins on {_ANCHOR}, not on {day}")
    return (day - _ANCHOR).days


def _shocks(seed: int, spec: UnderlyingSpec, days: int) -> FloatArray:
    """Overnight and session log returns of each calendar day, shape (days, 2)."""
    market = generator(seed, "daily", "market").standard_normal((days, 2))
    own = generator(seed, "daily", spec.tradingsymbol).standard_normal((days, 2))
    session = session_deviation(spec)
    overnight = session * np.sqrt(1 / _SESSION_VARIANCE - 1)
    return blended(market, own, spec) * (overnight, session) * _weekday_scale(days)


def _weekday_scale(days: int) -> FloatArray:
    weekday = (np.arange(days) + _ANCHOR.weekday()) % 7
    return np.where(weekday < _FIRST_WEEKEND_DAY, 1.0, _WEEKEND_SCALE)[:, None]


def _long_run_level(spec: UnderlyingSpec, days: int) -> FloatArray:
    years = (np.arange(days) - (_LEVEL_DAY - _ANCHOR).days) / _DAYS_PER_YEAR
    return np.asarray(np.log(spec.start_price) + spec.drift * years, np.float64)
