"""What arrives of the underlyings in a second, and which of it is sound."""

from dataclasses import replace

import numpy as np

from libs.events.ticks import Column, TickColumns
from libs.market.arrays import BoolArray, FloatArray, IntArray
from services.simulator.domain.feed.listing import Listing, Rows
from services.simulator.domain.feed.tape import Tape
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.trading_hours import TradingHours

_CASH, _OPTIONS = "NSE", "NFO"


class UnderlyingFeed:
    """The market's frames with the faults of the day: jumps, halts, and silence after the close."""

    def __init__(self, listing: Listing, hours: TradingHours, tape: Tape) -> None:
        self._listing, self._hours, self._tape = listing, hours, tape
        self._open_ms = hours.sessions(_CASH)[0].open_ms
        self._close_ms = hours.close_ms(_CASH)
        self._last_close_ms = max(self._close_ms, hours.close_ms(_OPTIONS))
        self._factor = np.ones(len(listing))

    def jump(self, row: int, factor: float) -> None:
        """Multiply an underlying's prices from the next frame on."""
        self._factor[row] *= factor

    def arrived(self, frame: Frame) -> tuple[Rows, TickColumns]:
        """Rows and ticks that the exchange sends of a frame, defects included.

        Stocks are quiet after the close of cash. After the last close of all each index sends its
        closing value once a second, stamped now, so that the time is seen to pass the close.
        """
        ticks = frame.columns
        rows, is_known = self._listing.find(ticks.instrument_token.astype(np.int64))
        is_sent = is_known & ~self._is_quiet(rows, ticks.exchange_timestamp, frame.at_ms)
        is_sent &= ~self.is_halted(rows, frame.at_ms)
        rows, ticks = rows[is_sent], ticks.take(is_sent)
        ticks = self._jumped(rows, ticks)
        if frame.at_ms < self._last_close_ms:
            return rows, ticks
        closing_rows, closing = self._closing(frame.at_ms)
        return np.concatenate((rows, closing_rows)), TickColumns.concat([ticks, closing])

    def sound(self, rows: Rows, ticks: TickColumns, at_ms: int) -> tuple[Rows, TickColumns]:
        """Ticks that have a price and a time of this day up to now, sorted by their time."""
        stamp, price = ticks.exchange_timestamp, ticks.last_price
        is_sound = (price > 0) & np.isfinite(price) & (stamp >= self._open_ms) & (stamp <= at_ms)
        chosen = np.flatnonzero(is_sound)
        chosen = chosen[np.argsort(stamp[chosen], kind="stable")]
        return rows[chosen], ticks.take(chosen)

    def in_session(self, stamp: IntArray) -> BoolArray:
        """Which times lie within the sessions of cash."""
        sessions = self._hours.sessions(_CASH)
        inside = [(stamp >= one.open_ms) & (stamp < one.close_ms) for one in sessions]
        return np.asarray(np.logical_or.reduce(inside), np.bool_)

    def is_halted(self, rows: Rows, at_ms: int) -> BoolArray:
        """Which rows are halted."""
        if not self._hours.halts(at_ms):
            return np.zeros(rows.size, np.bool_)
        chosen = (self._listing.instruments[row] for row in rows.tolist())
        return np.array([self._hours.is_halted(one, at_ms) for one in chosen], np.bool_)

    def _is_quiet(self, rows: Rows, stamp: IntArray, at_ms: int) -> BoolArray:
        if at_ms < self._close_ms:
            return np.zeros(rows.size, np.bool_)
        is_late = (stamp > 0) & (stamp < self._close_ms)
        is_over = at_ms >= self._last_close_ms
        return np.asarray(~is_late & (is_over | ~self._listing.is_index[rows]), np.bool_)

    def _closing(self, at_ms: int) -> tuple[Rows, TickColumns]:
        indices = np.flatnonzero(self._listing.is_index & (self._tape.at_ms > 0))
        rows = indices[~self.is_halted(indices, at_ms)]
        token = self._listing.instrument_token[rows].astype(np.uint32)
        stamp = np.full(rows.size, at_ms, np.int64)
        return rows, TickColumns(token, stamp, self._tape.last_price[rows])

    def _jumped(self, rows: Rows, ticks: TickColumns) -> TickColumns:
        factor = self._factor[rows]
        if np.all(factor == 1):
            return ticks
        tick = self._listing.tick[rows] / self._listing.divisor[rows]
        return replace(
            ticks,
            last_price=_scaled(ticks.last_price, factor, tick),
            bid_price=_scaled(ticks.bid_price, factor, tick),
            ask_price=_scaled(ticks.ask_price, factor, tick),
        )


def _scaled(price: Column | None, factor: FloatArray, tick: FloatArray) -> Column:
    """Prices times their factors, on ticks; those without a factor stay as they are."""
    if price is None:
        return np.zeros(factor.size)
    # the paisa is rounded last, so that each price is the float nearest to its decimal
    moved = np.round(np.rint(price * factor / tick) * tick, 2)
    return np.where(factor == 1, price, moved)
