"""Minute candles of the day being played, of all instruments at once."""

from collections.abc import Sequence

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.arrays import IntArray
from libs.market.calendar import Session
from services.simulator.domain.feed.listing import Rows
from services.simulator.domain.market.candles import Candles, traded_since

_MINUTE_MS = 60_000
_NEVER = np.iinfo(np.int64).max


class MinuteCandles:
    """Tables of minutes by instruments, from the first open to the last close of the sessions."""

    def __init__(self, sessions: Sequence[Session], instruments: int) -> None:
        self._first_ms = min(session.open_ms for session in sessions)
        last_ms = max(session.close_ms for session in sessions)
        shape = (-(-(last_ms - self._first_ms) // _MINUTE_MS), instruments)
        self._instruments = instruments
        self._open, self._close = np.zeros(shape), np.zeros(shape)
        self._high, self._low = np.zeros(shape), np.full(shape, np.inf)
        self._volume, self._oi = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._opened_ms = np.full(shape, _NEVER)
        self._closed_ms = np.zeros(shape, np.int64)

    def fold(self, rows: Rows, ticks: TickColumns) -> None:
        """Take sound ticks within the sessions, sorted by their time; late ones find their minute.

        Of ticks with one time the first opens and the last closes.
        """
        at_ms, price = ticks.exchange_timestamp, ticks.last_price
        cells = (at_ms - self._first_ms) // _MINUTE_MS * self._instruments + rows
        np.maximum.at(self._high.reshape(-1), cells, price)
        np.minimum.at(self._low.reshape(-1), cells, price)
        self._open_cells(cells, ticks)
        is_newest = at_ms >= self._closed_ms.reshape(-1)[cells]
        if not is_newest.all():
            cells, ticks = cells[is_newest], ticks.take(is_newest)
        self._close_cells(cells, ticks)

    def _open_cells(self, cells: IntArray, ticks: TickColumns) -> None:
        opened_ms = self._opened_ms.reshape(-1)
        is_oldest = ticks.exchange_timestamp < opened_ms[cells]
        if is_oldest.any():
            # backwards, since of several values for one cell numpy keeps the last
            first = cells[is_oldest][::-1]
            self._open.reshape(-1)[first] = ticks.last_price[is_oldest][::-1]
            opened_ms[first] = ticks.exchange_timestamp[is_oldest][::-1]

    def _close_cells(self, cells: IntArray, ticks: TickColumns) -> None:
        self._close.reshape(-1)[cells] = ticks.last_price
        self._closed_ms.reshape(-1)[cells] = ticks.exchange_timestamp
        if ticks.volume_traded is not None:
            self._volume.reshape(-1)[cells] = ticks.volume_traded
        if ticks.oi is not None:
            self._oi.reshape(-1)[cells] = ticks.oi

    def candles(self, row: int) -> Candles:
        """Candles of an instrument so far, the one that is forming included."""
        minutes = np.flatnonzero(self._closed_ms[:, row])
        return Candles(
            opened_at_ms=self._first_ms + minutes * _MINUTE_MS,
            open=self._open[minutes, row],
            high=self._high[minutes, row],
            low=self._low[minutes, row],
            close=self._close[minutes, row],
            volume=traded_since(self._volume[minutes, row]),
            oi=self._oi[minutes, row],
        )
