"""Defects as in real feeds, to exercise the checks of the feed's readers.

Each defect is an extra or a displaced row. Every true tick is still sent, so a reader that refuses
the defects makes the same candles as `history.minute_candles`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.market.arrays import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class DefectRates:
    """Shares of an underlying's ticks that are sent twice, a second late, or spoilt in a copy.

    `epoch_zero` copies carry the time 0, `zero_price` copies the price 0.
    """

    duplicate: float = 0.0
    late: float = 0.0
    epoch_zero: float = 0.0
    zero_price: float = 0.0


NO_DEFECTS = DefectRates()
DEMO_DEFECTS = DefectRates(duplicate=0.004, late=0.001, epoch_zero=0.0002, zero_price=0.0002)
"""About a fifth of what the recorded ticks of June 2021 have."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """Rows in the order of arrival: which tick each is, in which second, and what is spoilt.

    `tick` is an index into the ticks, `second` the index of the frame, `is_after` says that the
    row stands behind the others of its frame.
    """

    tick: IntArray
    second: IntArray
    is_after: BoolArray
    is_epoch_zero: BoolArray
    is_zero_price: BoolArray


def arrivals(second: IntArray, rates: DefectRates, rng: np.random.Generator) -> Arrivals:
    """Let ticks of the given seconds arrive, with defects drawn at the rates."""
    count = second.size
    is_late = (rng.random(count) < rates.late) & (second < second.max(initial=0))
    copies = [
        np.flatnonzero(rng.random(count) < rate)
        for rate in (rates.duplicate, rates.epoch_zero, rates.zero_price)
    ]
    kind = np.repeat(np.arange(4), [count, *(copy.size for copy in copies)])
    tick = np.concatenate([np.arange(count), *copies])
    return Arrivals(
        tick=tick,
        second=(second + is_late)[tick],
        is_after=(kind > 0) | is_late[tick],
        is_epoch_zero=kind == 2,
        is_zero_price=kind == 3,
    )


def spoilt(column: NDArray[Any], rows: Arrivals, is_spoilt: BoolArray) -> NDArray[Any]:
    """Values of a column for the arrived rows, 0 where spoilt."""
    return np.where(is_spoilt, column.dtype.type(0), column[rows.tick])
