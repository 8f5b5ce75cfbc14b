"""Seeded one-second paths of price and cumulative volume of one underlying and trading day.

Price moves are the market's and the underlying's own, each with volatility that clusters and is
higher at both ends of the day, and with trends that last 30 to 120 minutes. The path is then bent
to the open and close that `levels` fixed, as a Brownian bridge in variance time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from libs.market.arrays import BoolArray, FloatArray, IntArray
from libs.market.calendar import Session
from services.simulator.domain.market.levels import DayLevels, blended, session_deviation
from services.simulator.domain.market.randomness import autoregressive, generator
from services.simulator.domain.market.session_shape import SessionShape, session_shape
from services.simulator.domain.market.underlyings import UnderlyingSpec

_MINUTE = 60
_CLUSTER_MEMORY = 0.97
_CLUSTER_DEVIATION = 0.35
_TREND_SECONDS = (30 * _MINUTE, 120 * _MINUTE)
_TREND_SHARE = 0.5
_TREND_STRENGTH = (0.9, 2.0)
_NOISE_SHARE = 0.85
_AUCTION_SHARE = 0.004
_QUIET_TICK_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class PricePath:
    """A day of one underlying, one element per second of the session.

    `at_ms` in epoch ms; `last_price` in rupees or points, held while nothing ticks;
    `volume_traded` cumulative in units (0 for an index); `is_tick` says in which seconds it ticks.
    """

    at_ms: IntArray
    last_price: FloatArray
    volume_traded: IntArray
    is_tick: BoolArray
    previous_close: float

    def __len__(self) -> int:
        return self.at_ms.size

    def price_at(self, at_ms: int) -> float:
        """Last price at a time; the opening price before the open."""
        passed = int(np.searchsorted(self.at_ms, at_ms, side="right"))
        return float(self.last_price[max(passed - 1, 0)])


@dataclass(frozen=True, slots=True, eq=False)
class MarketDay:
    """What all underlyings of a day share: its seconds and the moves of the market's factor."""

    seed: int
    day: date
    shape: SessionShape
    factor: FloatArray


def market_day(seed: int, day: date, sessions: Sequence[Session]) -> MarketDay:
    """Draw what the underlyings of a day share; raises ValueError for a closed day."""
    shape = session_shape(sessions)
    return MarketDay(seed, day, shape, _moves(generator(seed, "factor", day), shape))


def price_path(market: MarketDay, spec: UnderlyingSpec, levels: DayLevels) -> PricePath:
    """Path of one underlying, a function of seed, symbol and day."""
    rng = generator(market.seed, "path", spec.tradingsymbol, market.day)
    moves = blended(market.factor, _moves(rng, market.shape), spec)
    exact = np.exp(_bridged(moves, market.shape, session_deviation(spec), levels))
    is_tick = _ticks(rng, spec, market.shape)
    return PricePath(
        at_ms=market.shape.at_ms,
        last_price=_held(on_tick(exact, spec.tick_size), is_tick),
        volume_traded=_cumulative_volume(rng, spec, market.shape, is_tick),
        is_tick=is_tick,
        previous_close=float(on_tick(np.exp(levels.previous_close), spec.tick_size)),
    )


def on_tick(price: FloatArray | float, tick_size: Decimal) -> FloatArray:
    """Prices rounded to the tick, at least one tick, each the float nearest to its decimal."""
    per_rupee = float(1 / tick_size)
    return np.asarray(np.maximum(np.rint(np.asarray(price) * per_rupee), 1) / per_rupee, np.float64)


def _moves(rng: np.random.Generator, shape: SessionShape) -> FloatArray:
    """Move of each second in units of the day's standard deviation: noise and trends."""
    seconds = len(shape)
    noise = shape.deviation * _clusters(rng, seconds) * rng.standard_normal(seconds)
    return _NOISE_SHARE * noise + _trends(rng, seconds)


def _clusters(rng: np.random.Generator, seconds: int) -> FloatArray:
    """Factor of about 1 that wanders slowly, constant within a minute."""
    minutes = -(-seconds // _MINUTE)
    shocks = rng.standard_normal(minutes) * np.sqrt(1 - _CLUSTER_MEMORY**2)
    wander = _CLUSTER_DEVIATION * autoregressive(shocks, _CLUSTER_MEMORY)
    return np.repeat(np.exp(wander - _CLUSTER_DEVIATION**2), _MINUTE)[:seconds]


def _trends(rng: np.random.Generator, seconds: int) -> FloatArray:
    """Drift of each second: spells without any and spells that go one way."""
    count = seconds // _TREND_SECONDS[0] + 1
    length = rng.integers(*_TREND_SECONDS, count)
    strength = rng.uniform(*_TREND_STRENGTH, count) * rng.choice((-1.0, 1.0), count)
    total = np.where(rng.random(count) < _TREND_SHARE, strength, 0) * np.sqrt(length / seconds)
    return np.repeat(total / length, length)[:seconds]


def _bridged(
    moves: FloatArray, shape: SessionShape, deviation: float, levels: DayLevels
) -> FloatArray:
    """Log prices that begin near the day's open and end at its close."""
    walk = np.cumsum(moves)
    missing = (levels.close - levels.open) / deviation - walk[-1]
    return np.asarray(levels.open + deviation * (walk + missing * shape.variance_time), np.float64)


def _ticks(rng: np.random.Generator, spec: UnderlyingSpec, shape: SessionShape) -> BoolArray:
    """Seconds with a tick: all for an index, more at the day's ends for a stock."""
    busy = np.sqrt(shape.volume * len(shape))
    is_tick = rng.random(len(shape)) < spec.activity * np.clip(busy, 0.85, 1.2)
    is_tick[[0, -1]] = True
    return is_tick | spec.is_index


def _held(price: FloatArray, is_tick: BoolArray) -> FloatArray:
    """Price of the latest second with a tick."""
    latest = np.maximum.accumulate(np.where(is_tick, np.arange(price.size), 0))
    return price[latest]


def _cumulative_volume(
    rng: np.random.Generator, spec: UnderlyingSpec, shape: SessionShape, is_tick: BoolArray
) -> IntArray:
    if not spec.daily_volume:
        return np.zeros(len(shape), np.int64)
    share = shape.volume * _clusters(rng, len(shape)) * rng.standard_exponential(len(shape))
    share[~is_tick | (rng.random(len(shape)) < _QUIET_TICK_SHARE)] = 0
    share[0] += _AUCTION_SHARE * share.sum()
    total = spec.daily_volume * np.exp(0.25 * rng.standard_normal())
    return np.asarray(np.cumsum(share) * (total / share.sum()), np.float64).astype(np.int64)
