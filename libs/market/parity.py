"""The underlying's price where only its options are quoted."""

import math

import numpy as np
from numpy.typing import ArrayLike

from libs.market.greeks import forward_by_parity

_ROUNDS = 3
"""Which strikes are nearest to the spot changes with the spot; it settles at once or twice."""


def spot_by_parity(
    strike: ArrayLike,
    call_mid: ArrayLike,
    put_mid: ArrayLike,
    years: float,
    rate: float,
    is_tight: ArrayLike,
) -> float | None:
    """Spot that a chain implies: its forward by put-call parity, discounted at `rate`.

    It begins where call and put are worth nearly the same. None if no strike has tight two-sided
    quotes of both. Dividends until the expiry are not known, so the spot is too low by them.
    """
    k, call, put = (np.asarray(one, np.float64) for one in (strike, call_mid, put_mid))
    apart = np.where(np.asarray(is_tight, np.bool_), np.abs(call - put), np.nan)
    if not np.isfinite(apart).any():
        return None
    at = int(np.nanargmin(apart))
    spot = float(k[at] * math.exp(-rate * years) + call[at] - put[at])
    for _ in range(_ROUNDS):
        forward = forward_by_parity(k, call, put, spot, years, rate, is_tight)
        if forward is None:
            return None
        spot = forward * math.exp(-rate * years)
    return spot
