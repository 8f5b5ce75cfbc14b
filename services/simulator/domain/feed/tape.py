"""The latest tick of each instrument and the statistics of its day so far, in columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.ticks import COLUMN_TYPES, TickColumns
from libs.market.arrays import FloatArray, IntArray
from libs.market.quotes import Quote
from services.simulator.domain.feed.listing import Listing, Rows

_NEVER = np.iinfo(np.int64).max


class Tape:
    """One element per instrument of the listing; everything is 0 before its first tick.

    `close` is the previous day's (0: unknown). Prices are rupees or points, quantities units,
    times epoch ms. The last price before the first tick is the close.
    """

    def __init__(self, listing: Listing, close: FloatArray) -> None:
        count = len(listing)
        self._latest: dict[str, NDArray[Any]] = {
            name: np.zeros(count, kind) for name, kind in COLUMN_TYPES.items()
        }
        self._latest["instrument_token"][:] = listing.instrument_token
        self._latest["last_price"][:] = close
        self.close = close
        self.open, self.high = np.zeros(count), np.zeros(count)
        self.last_trade_ms = np.zeros(count, np.int64)
        self.oi_day_high, self.oi_day_low = np.zeros((2, count), np.int64)
        self._low = np.full(count, np.inf)
        self._opened_ms = np.full(count, _NEVER)
        self._turnover = np.zeros(count)

    @property
    def at_ms(self) -> IntArray:
        """Exchange time of each latest tick, 0 before the first."""
        return self._latest["exchange_timestamp"]

    @property
    def last_price(self) -> FloatArray:
        """Price of each latest tick."""
        return self._latest["last_price"]

    def low(self, rows: Rows) -> FloatArray:
        """Lowest price of the day."""
        low = self._low[rows]
        return np.where(np.isinf(low), 0.0, low)

    def average_price(self, rows: Rows) -> FloatArray:
        """Volume-weighted average price of the day, to the paisa; 0 without volume."""
        volume = self._latest["volume_traded"][rows]
        return np.asarray(np.round(self._turnover[rows] / np.maximum(volume, 1), 2), np.float64)

    def traded(self) -> tuple[FloatArray, IntArray]:
        """Copies of the day's turnover in rupees and volume so far."""
        return self._turnover.copy(), self._latest["volume_traded"].copy()

    def latest(self, rows: Rows) -> TickColumns:
        """Latest tick of each row."""
        return TickColumns(**{name: column[rows] for name, column in self._latest.items()})

    def quote(self, row: int) -> Quote | None:
        """Latest quote of a row, or None before its first tick."""
        if not self.at_ms[row]:
            return None
        names = ("bid_price", "bid_quantity", "ask_price", "ask_quantity")
        return Quote(
            at_ms=int(self.at_ms[row]),
            last_price=float(self.last_price[row]),
            volume=int(self._latest["volume_traded"][row]),
            oi=int(self._latest["oi"][row]),
            **{name: self._latest[name][row].item() for name in names},
        )

    def absorb(self, rows: Rows, ticks: TickColumns) -> None:
        """Take sound ticks of the rows, sorted by their time.

        One that is older than the latest tick counts for the day's open, high and low alone.
        """
        self._extremes(rows, ticks)
        is_current = ticks.exchange_timestamp >= self.at_ms[rows]
        if not is_current.all():
            rows, ticks = rows[is_current], ticks.take(is_current)
        self._trade(rows, ticks)
        for name, column in ticks.columns().items():
            if column is not None and name != "volume_traded":
                self._latest[name][rows] = column

    def _extremes(self, rows: Rows, ticks: TickColumns) -> None:
        np.maximum.at(self.high, rows, ticks.last_price)
        np.minimum.at(self._low, rows, ticks.last_price)
        is_first = ticks.exchange_timestamp < self._opened_ms[rows]
        if is_first.any():
            # backwards, since of several values for one row numpy keeps the last
            first, opening = rows[is_first][::-1], ticks.take(is_first)
            self.open[first] = opening.last_price[::-1]
            self._opened_ms[first] = opening.exchange_timestamp[::-1]

    def _trade(self, rows: Rows, ticks: TickColumns) -> None:
        if ticks.volume_traded is not None:
            volume = self._latest["volume_traded"]
            traded = np.maximum(ticks.volume_traded - volume[rows], 0)
            self._turnover[rows] += traded * ticks.last_price
            self.last_trade_ms[rows] = np.where(
                traded > 0, ticks.exchange_timestamp, self.last_trade_ms[rows]
            )
            volume[rows] += traded
        if ticks.oi is not None:
            low = self.oi_day_low[rows]
            self.oi_day_high[rows] = np.maximum(self.oi_day_high[rows], ticks.oi)
            self.oi_day_low[rows] = np.where(low > 0, np.minimum(low, ticks.oi), ticks.oi)
