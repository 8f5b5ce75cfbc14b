"""Five levels of market depth on each side, made from the best prices and the total quantities."""

from dataclasses import dataclass

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.arrays import FloatArray, IntArray
from services.simulator.domain.market.randomness import HashArray, mixed, uniforms

LEVELS = 5
_SIDES = 2
_WORDS = 4
_ENTRIES = LEVELS * _SIDES
_SECOND_MS = 1000
_TOKEN_SHIFT = np.uint64(32)
_WIDEST_GAP = 3
_LEVEL_SHARE = 0.2
_LARGEST_COUNT = 40


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """What depth is counted in, one element per instrument.

    `divisor` makes whole numbers of prices, `tick` is the smallest step in those numbers,
    `lot_size` is in units.
    """

    divisor: FloatArray
    tick: IntArray
    lot_size: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Depth:
    """Whole prices, quantities in units and numbers of orders, each of shape (rows, 2, 5).

    The first side buys; level 0 is the best; a level that is not there is 0 in all three.
    """

    price: IntArray
    quantity: IntArray
    orders: IntArray


def market_depth(ticks: TickColumns, steps: Steps) -> Depth:
    """Depth of ticks: a function of token, second and level, and of what the tick itself says.

    A side without a best price or quantity is empty.
    """
    chance = _chances(ticks)
    price = _prices(_best(ticks, "price") * steps.divisor[:, None], steps.tick, chance[0])
    best = _best(ticks, "quantity").astype(np.int64)
    quantity = _quantities(best, _totals(ticks), steps.lot_size, chance[1])
    is_there = (price > 0) & (best > 0)[:, :, None]
    lots = np.minimum(quantity // steps.lot_size[:, None, None], _LARGEST_COUNT)
    orders = 1 + np.floor(chance[2] * lots).astype(np.int64)
    return Depth(price * is_there, quantity * is_there, orders * is_there)


def _chances(ticks: TickColumns) -> FloatArray:
    """Four uniform numbers for each row, side and level, shape (4, rows, 2, 5)."""
    token = np.asarray(ticks.instrument_token).astype(np.uint64) << _TOKEN_SHIFT
    second = (np.asarray(ticks.exchange_timestamp) // _SECOND_MS).astype(np.uint64)
    entries: HashArray = np.arange(_ENTRIES, dtype=np.uint64)
    keys = mixed(token | second, 0)[:, None] ^ entries
    return uniforms(keys.reshape(-1), 1).reshape(_WORDS, len(ticks), _SIDES, LEVELS)


def _best(ticks: TickColumns, what: str) -> FloatArray:
    """Best bid and ask, shape (rows, 2); 0 where the tick has none or nonsense."""
    return _pair(ticks, f"bid_{what}", f"ask_{what}")


def _totals(ticks: TickColumns) -> IntArray:
    return _pair(ticks, "total_buy_quantity", "total_sell_quantity").astype(np.int64)


def _pair(ticks: TickColumns, *names: str) -> FloatArray:
    pair = np.zeros((len(ticks), _SIDES))
    for side, name in enumerate(names):
        column = getattr(ticks, name)
        if column is not None:
            pair[:, side] = column
    return np.where(np.isfinite(pair) & (pair > 0), pair, 0.0)


def _prices(best: FloatArray, tick: IntArray, chance: FloatArray) -> IntArray:
    """Prices that go away from the best by one tick or a few at each level."""
    gaps = 1 + np.floor(chance**2 * _WIDEST_GAP).astype(np.int64)
    gaps[:, :, 0] = 0
    away = np.cumsum(gaps, axis=2) * tick[:, None, None]
    away[:, 0] *= -1
    price = np.rint(best).astype(np.int64)[:, :, None] + away
    return np.asarray(np.maximum(price, 0) * (best > 0)[:, :, None], np.int64)


def _quantities(
    best: IntArray, total: IntArray, lot_size: IntArray, chance: FloatArray
) -> IntArray:
    """The best level's own quantity, then whole lots out of what the side has beyond it."""
    lots = np.maximum(total - best, 0) // lot_size[:, None]
    shares = np.floor(lots[:, :, None] * chance * _LEVEL_SHARE).astype(np.int64)
    quantity = np.maximum(shares, 1) * lot_size[:, None, None]
    quantity[:, :, 0] = best
    return np.asarray(quantity, np.int64)
