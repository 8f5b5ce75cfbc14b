"""The instruments of a day in columns, and where each token stands in them."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from libs.broker.kite.packets import divisors
from libs.market.arrays import BoolArray, FloatArray, IntArray
from libs.market.instruments import Instrument

Rows = NDArray[np.intp]


class Listing:
    """Columns of the day's instruments, underlyings before options, one element each.

    `divisor` is what the whole numbers of packets are divided by, `tick` the smallest step of a
    price in those numbers, `lot_size` is in units and at least 1.
    """

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.instruments = tuple(instruments)
        tokens = [one.instrument_token for one in self.instruments]
        self.instrument_token: IntArray = np.array(tokens, np.int64)
        self.is_index: BoolArray = np.array([one.is_index for one in self.instruments])
        self.is_option: BoolArray = np.array([one.is_option for one in self.instruments])
        self.divisor: FloatArray = divisors(self.instrument_token)
        self.tick: IntArray = _ticks(self.instruments, self.divisor)
        self.lot_size: IntArray = np.array([max(one.lot_size, 1) for one in self.instruments])
        self.underlyings: Rows = np.flatnonzero(~self.is_option)
        self.options: Rows = np.flatnonzero(self.is_option)
        self._order = np.argsort(self.instrument_token)
        self._sorted = self.instrument_token[self._order]

    def __len__(self) -> int:
        return len(self.instruments)

    def find(self, instrument_tokens: IntArray) -> tuple[Rows, BoolArray]:
        """Row of each token (any where unknown), and whether it is known."""
        near = np.minimum(np.searchsorted(self._sorted, instrument_tokens), len(self) - 1)
        return self._order[near], self._sorted[near] == instrument_tokens

    def rows(self, instrument_tokens: Collection[int]) -> Rows:
        """Rows of the tokens in their order; unknown ones are left out."""
        rows, is_known = self.find(np.fromiter(instrument_tokens, np.int64, len(instrument_tokens)))
        return rows[is_known]


def _ticks(instruments: Sequence[Instrument], divisor: FloatArray) -> IntArray:
    sizes = np.array([float(one.tick_size) for one in instruments])
    return np.maximum(np.rint(sizes * divisor), 1).astype(np.int64)
