"""Implied volatility of a whole chain at once, by a bracketed Newton search."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from libs.market.arrays import BoolArray, FloatArray

_ITERATIONS = 64
_TOLERANCE = 1e-10
_LOWEST_DEVIATION = 1e-9
_HIGHEST_DEVIATION = 16.0
_TINY = 1e-300


def implied_volatility(
    premium: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    is_call: ArrayLike,
) -> FloatArray:
    """Black-76 volatility (0.15 is 15 %) implied by each premium.

    nan where there is none: the premium is nan, not above the discounted intrinsic value, not
    below its upper bound (discounted forward of a call, strike of a put), or no time is left.
    The search runs on the out-of-the-money option of the same strike, scaled by the square root
    of forward times strike, in the total deviation `volatility * sqrt(years)`.
    """
    c, f, k, t, r = np.broadcast_arrays(
        *(np.asarray(value, np.float64) for value in (premium, forward, strike, years, rate))
    )
    with np.errstate(all="ignore"):
        sign = np.where(is_call, 1.0, -1.0)
        time_value = c * np.exp(r * t) - np.maximum(sign * (f - k), 0)
        target = time_value / np.sqrt(f * k)
        moneyness = -np.abs(np.log(f / k))
        solvable = (target > 0) & (target < np.exp(moneyness / 2)) & (t > 0)
        deviation = _solve(np.where(solvable, target, 0.1), np.where(solvable, moneyness, 0.0))
        return np.where(solvable, deviation / np.sqrt(t), np.nan)


def _solve(target: FloatArray, x: FloatArray) -> FloatArray:
    """Total deviation at which the scaled call of log moneyness `x <= 0` is worth `target`."""
    low = np.full(target.shape, _LOWEST_DEVIATION)
    high = np.full(target.shape, _HIGHEST_DEVIATION)
    turning = np.maximum(np.sqrt(-2 * x), _LOWEST_DEVIATION)
    is_wing = target < _value_and_slope(turning, x)[0]
    s = np.where(is_wing, turning, np.maximum(turning, np.sqrt(2 * np.pi) * target))
    for _ in range(_ITERATIONS):
        value, slope = _value_and_slope(s, x)
        is_above = value > target
        high, low = np.where(is_above, s, high), np.where(is_above, low, s)
        step = _newton_step(value, slope, target, is_wing)
        is_settled = np.abs(step) <= _TOLERANCE * s
        is_inside = (s + step > low) & (s + step < high)
        s = np.where(is_settled | is_inside, s + step, (low + high) / 2)
        if np.all(is_settled):
            break
    return s


def _value_and_slope(s: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scaled Black value of an out-of-the-money call and its derivative by the deviation."""
    d1, d2 = x / s + s / 2, x / s - s / 2
    half = np.exp(x / 2)
    value = half * ndtr(d1) - ndtr(d2) / half
    return np.maximum(value, _TINY), half * np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi)


def _newton_step(
    value: FloatArray, slope: FloatArray, target: FloatArray, is_wing: BoolArray
) -> FloatArray:
    """Newton step on the value itself, or in the wings on (-log value)^(-1/2).

    Above its turning point the value is concave and plain steps approach from one side. Below it
    the value falls off like exp(-1/s^2), and the transformed one is nearly a straight line.
    """
    log_value, log_target = -np.log(value), -np.log(target)
    wing = 2 * value * log_value * (np.sqrt(log_value / log_target) - 1)
    return np.asarray(np.where(is_wing, wing, target - value) / slope, np.float64)
