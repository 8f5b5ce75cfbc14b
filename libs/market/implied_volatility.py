"""Implied volatility of a whole chain at once.

Almost every premium is solved by one or two steps of fourth order from a guess that is right to a
few parts in 10,000 (Jäckel, "Let's be rational", 2015, has the steps). What does not settle, far
in the wings or at volatilities of several hundred per cent, is left to a bracketed Newton search.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from libs.market.arrays import BoolArray, FloatArray

_STEPS = 3
_SETTLED = 1e-3
"""Relative step after which one of fourth order leaves no error that a double can hold."""
_ITERATIONS = 64
_TOLERANCE = 1e-10
_LOWEST_DEVIATION = 1e-9
_HIGHEST_DEVIATION = 16.0
_TINY = 1e-300
_PER_ROOT_2PI = 1 / np.sqrt(2 * np.pi)


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
    c, f, k, t, r = (
        np.asarray(value, np.float64) for value in (premium, forward, strike, years, rate)
    )
    with np.errstate(all="ignore"):
        sign = np.where(is_call, 1.0, -1.0)
        time_value = c * np.exp(r * t) - np.maximum(sign * (f - k), 0)
        target = time_value / np.sqrt(f * k)
        moneyness = -np.abs(np.log(f / k))
        solvable = (target > 0) & (target < np.exp(moneyness / 2)) & (t > 0)
        targets, moneynesses = target, moneyness
        if target.shape != moneyness.shape:
            targets, moneynesses = np.broadcast_arrays(target, moneyness)
        if solvable.ndim and solvable.all():
            return np.asarray(_solve(targets, moneynesses) / np.sqrt(t), np.float64)
        deviation = np.full(solvable.shape, np.nan)
        deviation[solvable] = _solve(targets[solvable], moneynesses[solvable])
        return np.asarray(deviation / np.sqrt(t), np.float64)


def _solve(target: FloatArray, x: FloatArray) -> FloatArray:
    """Total deviation at which the scaled call of log moneyness `x <= 0` is worth `target`."""
    half, log_target = np.exp(x / 2), np.log(target)
    s = _guess(target, x)
    for _ in range(_STEPS):
        step = _fourth_order_step(s, x, half, log_target)
        s += step
        is_settled = np.abs(step) <= _SETTLED * s
        if is_settled.all():
            return s
    rest = ~is_settled
    s[rest] = _search(target[rest], x[rest])
    return s


def _guess(target: FloatArray, x: FloatArray) -> FloatArray:
    """Deviation by Bachelier's model, whose inverse is one table, brought to Black's."""
    distance = -2 * np.sinh(x / 2)
    place = np.sqrt(np.log1p(distance / target))
    normal = (distance + target) / np.interp(place, _PLACES, _QUOTIENTS)
    by_black = np.where(distance > 0, -x / distance, 1.0)
    return np.asarray(normal * by_black * (1 + normal * normal / 24), np.float64)


def _table() -> tuple[FloatArray, FloatArray]:
    """Where Bachelier's inverse is read, and (distance + value) / deviation there.

    The value of an option `d` deviations away, in deviations, is density(d) - d tail(d). The place
    grows with `d` about evenly, and the quotient stays finite at the money.
    """
    d = np.linspace(0, 26, 2601)
    value = _PER_ROOT_2PI * np.exp(-d * d / 2) - d * ndtr(-d)
    return np.sqrt(np.log1p(d / value)), d + value


_PLACES, _QUOTIENTS = _table()


def _fourth_order_step(
    s: FloatArray, x: FloatArray, half: FloatArray, log_target: FloatArray
) -> FloatArray:
    """Householder's step of third order on 1 / log(value), which is nearly straight in the wings.

    Primes are derivatives by the deviation: `second` is value''/value', `third` value'''/value'.
    """
    ratio, rest = x / s, s / 2
    value = half * ndtr(ratio + rest) - ndtr(ratio - rest) / half
    d1 = ratio + rest
    growth = half * _PER_ROOT_2PI * np.exp(-d1 * d1 / 2) / value
    log_value = np.log(value)
    newton = (log_target - log_value) * log_value / (log_target * growth)
    square = ratio * ratio
    second = square / s - s / 4
    third = second * second - 3 * square / (s * s) - 0.25
    per_log = 1 / log_value
    bend = growth * (1 + 2 * per_log)
    third += 2 * growth * growth * (1 + 3 * per_log * (1 + per_log)) - 3 * second * bend
    second -= bend
    top = 1 + second * newton / 2
    return np.asarray(newton * top / (1 + newton * (second + third * newton / 6)), np.float64)


def _search(target: FloatArray, x: FloatArray) -> FloatArray:
    """As `_solve`, in up to 64 steps that cannot miss."""
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
    return np.maximum(value, _TINY), half * np.exp(-d1 * d1 / 2) * _PER_ROOT_2PI


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
