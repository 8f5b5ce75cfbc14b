"""Black-76 values of European options on a forward, solved for a whole chain at once.

Source: Fischer Black, "The pricing of commodity contracts" (1976). Inputs are scalars or arrays
that broadcast: prices in rupees, `years` of 365 days, `rate` continuously compounded per year,
`volatility` per square root of a year (0.15 is 15 %), `is_call` True for CE.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from libs.market.arrays import FloatArray
from libs.market.implied_volatility import implied_volatility

__all__ = [
    "FALLBACK_RATE",
    "NEAR_ATM_STRIKES",
    "Greeks",
    "forward_by_parity",
    "forward_or_spot",
    "greeks",
    "implied_volatility",
    "price",
    "years_to",
]

_MS_PER_YEAR = 365 * 24 * 3600 * 1000
_DAYS_PER_YEAR = 365
NEAR_ATM_STRIKES = 7
"""How many strikes put-call parity looks at."""
FALLBACK_RATE = 0.06
"""The yearly rate at which the spot grows to the forward where no pair of quotes is tight."""


@dataclass(frozen=True, slots=True)
class Greeks:
    """Sensitivities of one unit of each option.

    `delta` per rupee of the forward, `gamma` per rupee of the forward squared, `theta` per
    calendar day, `vega` per 1 % of volatility, `rho` per 1 % of rate with the forward held fixed.
    """

    delta: FloatArray
    gamma: FloatArray
    theta: FloatArray
    vega: FloatArray
    rho: FloatArray


def years_to(expiry_close_ms: int, at_ms: int) -> float:
    """Years of 365 days from a time to the close of the expiry day; negative after it."""
    return (expiry_close_ms - at_ms) / _MS_PER_YEAR


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
) -> FloatArray:
    """Premium in rupees; the discounted intrinsic value if time or volatility is 0."""
    f, k, t = _floats(forward, strike, years)
    sign = np.where(is_call, 1.0, -1.0)
    deviation = np.asarray(volatility, np.float64) * np.sqrt(np.maximum(t, 0))
    d1, d2 = _d1_d2(f, k, deviation)
    undiscounted = sign * (f * ndtr(sign * d1) - k * ndtr(sign * d2))
    intrinsic = np.maximum(sign * (f - k), 0)
    value = np.where(deviation > 0, undiscounted, intrinsic)
    return np.asarray(np.exp(-np.asarray(rate) * t) * value, np.float64)


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """Sensitivities; nan if the volatility is nan or no time is left."""
    f, k, t, r, v = _floats(forward, strike, years, rate, volatility)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.where((t > 0) & (v > 0), np.sqrt(np.maximum(t, 0)), np.nan)
        deviation, discount = v * root, np.exp(-r * t)
        d1, d2 = _d1_d2(f, k, deviation)
        density = discount * np.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
        sign = np.where(is_call, 1.0, -1.0)
        delta = sign * discount * ndtr(sign * d1)
        premium = f * delta - sign * k * discount * ndtr(sign * d2)
        return Greeks(
            delta=delta,
            gamma=density / (f * deviation),
            theta=(r * premium - f * density * v / (2 * root)) / _DAYS_PER_YEAR,
            vega=f * density * root / 100,
            rho=-t * premium / 100,
        )


def forward_by_parity(
    strike: ArrayLike,
    call_mid: ArrayLike,
    put_mid: ArrayLike,
    spot: float,
    years: float,
    rate: float,
    is_tight: ArrayLike,
) -> float | None:
    """Forward implied by put-call parity: the median of K + (C - P) e^(rT).

    Only the strikes nearest to the spot whose call and put both have tight two-sided quotes count;
    None when there is none. `call_mid` and `put_mid` may be nan.
    """
    k, call, put = _floats(strike, call_mid, put_mid)
    near = np.argsort(np.abs(k - spot), kind="stable")[:NEAR_ATM_STRIKES]
    implied = (k + (call - put) * math.exp(rate * years))[near]
    usable = implied[np.asarray(is_tight, np.bool_)[near] & np.isfinite(implied)]
    if not usable.size:
        return None
    ordered = np.sort(usable)
    return float(ordered[(usable.size - 1) // 2] + ordered[usable.size // 2]) / 2


def forward_or_spot(
    strike: ArrayLike,
    call_mid: ArrayLike,
    put_mid: ArrayLike,
    spot: float,
    years: float,
    rate: float,
    is_tight: ArrayLike,
) -> float:
    """Forward by parity, or the spot grown at 6 % a year if no pair of quotes is tight."""
    implied = forward_by_parity(strike, call_mid, put_mid, spot, years, rate, is_tight)
    return spot * math.exp(FALLBACK_RATE * years) if implied is None else implied


def _floats(*values: ArrayLike) -> tuple[FloatArray, ...]:
    return tuple(np.asarray(value, np.float64) for value in values)


def _d1_d2(f: FloatArray, k: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Black's d1 and d2 for a total standard deviation; nan where forward or strike is not > 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        d1 = np.log(f / k) / deviation + deviation / 2
        return d1, d1 - deviation
