"""The latest quote of each instrument, kept in columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from libs.market.arrays import BoolArray, FloatArray, IntArray

Number = TypeVar("Number", np.float64, np.int64)

_PRICES = ("last_price", "bid_price", "ask_price")
_COUNTS = ("at_ms", "volume", "oi", "bid_quantity", "ask_quantity")


@dataclass(frozen=True, slots=True)
class Quote:
    """One instrument's latest quote: prices in rupees, quantities in units, time in epoch ms.

    A price of 0 or nan means that there is none.
    """

    at_ms: int
    last_price: float
    volume: int
    oi: int
    bid_price: float
    bid_quantity: int
    ask_price: float
    ask_quantity: int

    @property
    def mid(self) -> float | None:
        """Middle of bid and ask; None if a side is missing or they are crossed."""
        if not 0 < self.bid_price <= self.ask_price:
            return None
        return (self.bid_price + self.ask_price) / 2

    @property
    def spread_fraction(self) -> float | None:
        """Spread as a fraction of the mid price, or None unless two-sided."""
        mid = self.mid
        return None if mid is None else (self.ask_price - self.bid_price) / mid


class QuoteBook:
    """Latest quotes of the registered instruments; ticks of others are ignored."""

    def __init__(self, tokens: ArrayLike = ()) -> None:
        self._sorted_tokens: IntArray = np.empty(0, np.int64)
        self._sorted_rows: IntArray = np.empty(0, np.int64)
        self._prices: dict[str, FloatArray] = {name: np.empty(0) for name in _PRICES}
        self._counts: dict[str, IntArray] = {name: np.empty(0, np.int64) for name in _COUNTS}
        self.register(tokens)

    def __len__(self) -> int:
        return self._sorted_tokens.size

    def register(self, tokens: ArrayLike) -> None:
        """Follow these instrument tokens too; known ones keep their quotes."""
        added = np.setdiff1d(_integers(tokens), self._sorted_tokens)
        if not added.size:
            return
        rows = len(self) + np.arange(added.size, dtype=np.int64)
        all_tokens = np.concatenate([self._sorted_tokens, added])
        order = np.argsort(all_tokens)
        self._sorted_tokens = all_tokens[order]
        self._sorted_rows = np.concatenate([self._sorted_rows, rows])[order]
        self._grow(added.size)

    def _grow(self, count: int) -> None:
        for name, prices in self._prices.items():
            self._prices[name] = np.concatenate([prices, np.full(count, np.nan)])
        for name, counts in self._counts.items():
            self._counts[name] = np.concatenate([counts, np.zeros(count, np.int64)])

    def update(
        self,
        instrument_token: ArrayLike,
        at_ms: ArrayLike,
        last_price: ArrayLike | None = None,
        volume: ArrayLike | None = None,
        oi: ArrayLike | None = None,
        bid_price: ArrayLike | None = None,
        bid_quantity: ArrayLike | None = None,
        ask_price: ArrayLike | None = None,
        ask_quantity: ArrayLike | None = None,
    ) -> None:
        """Apply a batch of ticks in arrival order; the last row of a token counts.

        A column that is None leaves the values as they were.
        """
        rows, is_known = self._find(_integers(instrument_token))
        at = rows[is_known]
        prices = {"last_price": last_price, "bid_price": bid_price, "ask_price": ask_price}
        _assign(self._prices, at, is_known, prices)
        counts = {"volume": volume, "oi": oi, "at_ms": at_ms}
        _assign(self._counts, at, is_known, counts)
        quantities = {"bid_quantity": bid_quantity, "ask_quantity": ask_quantity}
        _assign(self._counts, at, is_known, quantities)

    def quote(self, instrument_token: int) -> Quote | None:
        """Latest quote, None if the instrument is not registered or has no quote yet."""
        row = self._row(instrument_token)
        if row is None or not self._counts["at_ms"][row]:
            return None
        prices = {name: float(column[row]) for name, column in self._prices.items()}
        counts = {name: int(column[row]) for name, column in self._counts.items()}
        return Quote(**prices, **counts)  # type: ignore[arg-type]

    def take(self, tokens: ArrayLike) -> dict[str, FloatArray | IntArray]:
        """Columns of quotes in the order of `tokens`; without a quote prices are nan, counts 0."""
        rows, is_known = self._find(_integers(tokens))
        columns: dict[str, FloatArray | IntArray] = {"instrument_token": _integers(tokens)}
        for name, prices in self._prices.items():
            columns[name] = _select(prices, rows, is_known, np.nan)
        for name, counts in self._counts.items():
            columns[name] = _select(counts, rows, is_known, 0)
        return columns

    def _row(self, token: int) -> int | None:
        """Return the row of one token, None if it is unknown."""
        near = int(self._sorted_tokens.searchsorted(token))
        if near == len(self) or self._sorted_tokens[near] != token:
            return None
        return int(self._sorted_rows[near])

    def _find(self, tokens: IntArray) -> tuple[IntArray, BoolArray]:
        """Row of each token (0 where unknown) and whether it is known."""
        if not len(self):
            return np.zeros(tokens.shape, np.int64), np.zeros(tokens.shape, np.bool_)
        near = np.searchsorted(self._sorted_tokens, tokens)
        near = np.minimum(near, len(self) - 1)
        is_known = self._sorted_tokens[near] == tokens
        return np.where(is_known, self._sorted_rows[near], 0), is_known


def _integers(values: ArrayLike) -> IntArray:
    return np.asarray(values, dtype=np.int64)


def _assign(
    columns: Mapping[str, NDArray[Number]],
    at: IntArray,
    is_known: BoolArray,
    values: Mapping[str, ArrayLike | None],
) -> None:
    for name, given in values.items():
        if given is not None:
            # numpy assigns repeated rows in order, so the last tick of a token stays
            columns[name][at] = np.asarray(given, columns[name].dtype)[is_known]


def _select(
    column: NDArray[Number], rows: IntArray, is_known: BoolArray, missing: float
) -> NDArray[Number]:
    if not column.size:
        return np.full(rows.shape, missing, column.dtype)
    taken = column[rows]
    taken[~is_known] = missing
    return taken
