"""Implied volatilities of a synthetic market: a smile per expiry that drifts slowly with time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.market.arrays import FloatArray, IntArray
from services.simulator.domain.market.randomness import generator

RATE = 0.06
"""Continuously compounded yearly rate at which forwards grow and premiums are discounted."""

_MS_PER_YEAR = 365 * 24 * 3600 * 1000
_LEAST_YEARS = 1 / (365 * 24)
_TERM_YEARS = 0.05
_WIDEST = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class VolatilitySurface:
    """Smiles of all (underlying, expiry) groups; arrays have one element per group.

    `base` is the volatility at the money per square root of a year, `term` what the nearest
    expiries have more, `skew` and `curvature` the smile's shape, `waves` the amplitude, angular
    speed (per ms) and phase of two slow waves, shape (2, 3, groups).
    """

    expires_ms: IntArray
    base: FloatArray
    term: FloatArray
    skew: FloatArray
    curvature: FloatArray
    waves: FloatArray

    def terms(self, spot: FloatArray, at_ms: int) -> FloatArray:
        """What the contracts of a group share, shape (7, groups); `spot` one element per group.

        Rows: years, forward, its logarithm, volatility at the money, inverse deviation, skew,
        curvature.
        """
        years = np.maximum(self.expires_ms - at_ms, 0) / _MS_PER_YEAR
        forward = spot * np.exp(RATE * years)
        volatility = self._at_the_money(years, at_ms)
        inverse = 1 / (volatility * np.sqrt(np.maximum(years, _LEAST_YEARS)))
        rows = (years, forward, np.log(forward), volatility, inverse, self.skew, self.curvature)
        return np.stack(rows)

    def _at_the_money(self, years: FloatArray, at_ms: int) -> FloatArray:
        amplitude, speed, phase = self.waves.swapaxes(0, 1)
        wave = np.sum(amplitude * np.sin(speed * at_ms + phase), axis=0)
        near = 1 + self.term * np.exp(years / -_TERM_YEARS)
        return np.asarray(self.base * near * np.exp(wave), np.float64)


def implied_volatility(terms: FloatArray, log_strike: FloatArray) -> FloatArray:
    """Volatility of each contract; `terms` are its group's, shape (7, contracts)."""
    _, _, log_forward, volatility, inverse, skew, curvature = terms
    distance = np.clip((log_strike - log_forward) * inverse, -_WIDEST, _WIDEST)
    return np.asarray(volatility * (1 + distance * (skew + curvature * distance)), np.float64)


@dataclass(frozen=True, slots=True)
class SmileGroup:
    """One underlying's expiry: its close in epoch ms and the underlying's usual volatility."""

    tradingsymbol: str
    is_index: bool
    expires_ms: int
    base_volatility: float


def default_volatility(seed: int, tradingsymbol: str, is_index: bool) -> float:
    """Usual implied volatility of an underlying about which nothing else is known."""
    low, high = (0.10, 0.15) if is_index else (0.18, 0.32)
    return float(generator(seed, "volatility", tradingsymbol).uniform(low, high))


def volatility_surface(seed: int, groups: Sequence[SmileGroup]) -> VolatilitySurface:
    """Draw the smiles; those of an underlying's expiries have the same shape and waves."""
    shapes = np.array([_shape(seed, group) for group in groups])
    return VolatilitySurface(
        expires_ms=np.array([group.expires_ms for group in groups], np.int64),
        base=np.array([group.base_volatility for group in groups]),
        term=shapes[:, 0],
        skew=shapes[:, 1],
        curvature=shapes[:, 2],
        waves=shapes[:, 3:].T.reshape(2, 3, len(groups)),
    )


def _shape(seed: int, group: SmileGroup) -> FloatArray:
    """Term, skew, curvature, then amplitude, speed and phase of each wave."""
    rng = generator(seed, "smile", group.tradingsymbol)
    skew = (-0.07, -0.04) if group.is_index else (-0.03, 0.0)
    smile = (rng.uniform(0.02, 0.10), rng.uniform(*skew), rng.uniform(0.015, 0.03))
    hours = (rng.uniform(5, 9), rng.uniform(1, 2))
    speeds = (2 * np.pi / (period * 3_600_000) for period in hours)
    waves = (
        (size, speed, rng.uniform(0, 2 * np.pi))
        for size, speed in zip((0.04, 0.012), speeds, strict=True)
    )
    return np.array([*smile, *(value for wave in waves for value in wave)])
