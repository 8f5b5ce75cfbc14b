"""How much each option contract trades on a day and how deep and wide its quotes are.

Shaped after NSE's NIFTY chain of 2025-08-29: volume halves about every standard deviation out of
the money and all but vanishes as far in the money, where spreads are widest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.market.arrays import FloatArray
from services.simulator.domain.market.randomness import HashArray, uniforms

_NOISE = 1
_MORE_NOISE = 2


@dataclass(frozen=True, slots=True)
class LiquidityClass:
    """What is usual at the money of the nearest expiry.

    `volume_lots` and `oi_lots` a day, `depth_lots` at the best price, `tight_spread` as a share
    of the premium.
    """

    volume_lots: float
    oi_lots: float
    depth_lots: float
    tight_spread: float


INDEX_LIQUIDITY = LiquidityClass(4_000_000, 180_000, 60, 0.001)
STOCK_LIQUIDITY = LiquidityClass(9_000, 4_000, 12, 0.006)

_NEXT_EXPIRY_SHARE = 0.08
_DECAY_OUT_OF_MONEY = 0.8
_DECAY_IN_MONEY = 3.2


def liquidity(
    keys: HashArray, classes: Sequence[LiquidityClass], rank: FloatArray, moneyness: FloatArray
) -> FloatArray:
    """Draw the liquidity of contracts, shape (7, contracts).

    Rows: volume of the day in lots; power that bends the day's volume curve; open interest at the
    open in lots; its change over the day as a share; depth in lots; spread as a share of the
    premium; spread at least, in ticks.

    `rank` counts expiries from the nearest (0); `moneyness` is how many standard deviations the
    strike lies out of the money at the open (in it: negative); `keys` are hashes of seed, contract
    and day.
    """
    volume, oi, depth, spread = np.array([_row(one) for one in classes]).T
    near = np.exp(-moneyness * np.where(moneyness > 0, _DECAY_OUT_OF_MONEY, -_DECAY_IN_MONEY))
    near *= _NEXT_EXPIRY_SHARE**rank
    busy, power, interest, change = uniforms(keys, _NOISE)
    deep, *_ = uniforms(keys, _MORE_NOISE)
    rows = (
        np.ceil(volume * near * (0.6 + 0.8 * busy)),
        0.9 + 0.2 * power,
        np.ceil(oi * near**0.6 * (0.6 + 0.8 * interest)),
        0.6 * change - 0.25,
        np.ceil(depth * near**0.5 * (0.7 + 0.6 * deep)),
        spread * (1 + 0.5 * rank),
        0.6 + 0.5 * rank + 3 * np.minimum(np.maximum(-moneyness, 0), 3),
    )
    return np.stack(rows)


def _row(one: LiquidityClass) -> tuple[float, float, float, float]:
    return one.volume_lots, one.oi_lots, one.depth_lots, one.tight_spread
