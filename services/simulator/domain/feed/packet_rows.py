"""From ticks and the statistics of their day to the bodies of Kite's packets."""

import numpy as np
from numpy.typing import NDArray

from libs.broker.kite.packets import FULL, INDEX_FULL
from libs.events.ticks import Column, TickColumns
from libs.market.arrays import FloatArray, IntArray
from services.simulator.domain.feed.depth import Steps, market_depth
from services.simulator.domain.feed.listing import Listing, Rows
from services.simulator.domain.feed.packets import TickRows
from services.simulator.domain.feed.tape import Tape

_SECOND_MS = 1000
_LARGEST = int(np.iinfo(np.uint32).max)
_LARGEST_CHANGE = int(np.iinfo(np.int32).max)
_OWN_QUANTITIES = (
    "last_traded_quantity",
    "volume_traded",
    "total_buy_quantity",
    "total_sell_quantity",
    "oi",
)


def packet_rows(listing: Listing, tape: Tape, rows: Rows, ticks: TickColumns) -> TickRows:
    """Packets of ticks as they are, spoilt ones too; what is the day's comes from the tape."""
    is_index = listing.is_index[rows]
    if not is_index.any():
        return TickRows(np.empty(0, INDEX_FULL), _full(listing, tape, rows, ticks))
    index, others = rows[is_index], rows[~is_index]
    return TickRows(
        _index_full(listing, tape, index, ticks.take(is_index)),
        _full(listing, tape, others, ticks.take(~is_index)),
    )


def steps(listing: Listing, rows: Rows) -> Steps:
    """What the depth of the rows is counted in."""
    return Steps(listing.divisor[rows], listing.tick[rows], listing.lot_size[rows])


def _index_full(listing: Listing, tape: Tape, rows: Rows, ticks: TickColumns) -> NDArray[np.void]:
    bodies = np.zeros(rows.size, INDEX_FULL)
    divisor = listing.divisor[rows]
    _fill_day(bodies, tape, rows, divisor)
    bodies["instrument_token"] = ticks.instrument_token
    bodies["last_price"] = _whole(ticks.last_price * divisor)
    change = np.nan_to_num((ticks.last_price - tape.close[rows]) * divisor)
    bodies["price_change"] = np.clip(np.rint(change), -_LARGEST_CHANGE, _LARGEST_CHANGE)
    bodies["exchange_timestamp"] = _seconds(ticks.exchange_timestamp)
    return bodies


def _full(listing: Listing, tape: Tape, rows: Rows, ticks: TickColumns) -> NDArray[np.void]:
    bodies = np.zeros(rows.size, FULL)
    divisor = listing.divisor[rows]
    _fill_day(bodies, tape, rows, divisor)
    bodies["instrument_token"] = ticks.instrument_token
    bodies["last_price"] = _whole(ticks.last_price * divisor)
    bodies["average_traded_price"] = _whole(tape.average_price(rows) * divisor)
    for name in _OWN_QUANTITIES:
        bodies[name] = _whole(_given(getattr(ticks, name)))
    bodies["last_trade_time"] = _seconds(tape.last_trade_ms[rows])
    bodies["oi_day_high"] = _whole(tape.oi_day_high[rows])
    bodies["oi_day_low"] = _whole(tape.oi_day_low[rows])
    bodies["exchange_timestamp"] = _seconds(ticks.exchange_timestamp)
    _fill_depth(bodies, ticks, steps(listing, rows))
    return bodies


def _fill_day(bodies: NDArray[np.void], tape: Tape, rows: Rows, divisor: FloatArray) -> None:
    bodies["open"] = _whole(tape.open[rows] * divisor)
    bodies["high"] = _whole(tape.high[rows] * divisor)
    bodies["low"] = _whole(tape.low(rows) * divisor)
    bodies["close"] = _whole(tape.close[rows] * divisor)


def _fill_depth(bodies: NDArray[np.void], ticks: TickColumns, counted_in: Steps) -> None:
    depth = market_depth(ticks, counted_in)
    for side, name in enumerate(("buy", "sell")):
        bodies[name]["price"] = _whole(depth.price[:, side])
        bodies[name]["quantity"] = _whole(depth.quantity[:, side])
        bodies[name]["orders"] = depth.orders[:, side]


def _given(column: Column | None) -> Column | float:
    return 0.0 if column is None else column


def _whole(values: Column | float) -> Column:
    """Whole numbers that a packet can hold; what is no number becomes 0."""
    # fmax and fmin pass over what is no number, at a fifth of the cost of nan_to_num and clip
    return np.asarray(np.rint(np.fmin(np.fmax(values, 0), _LARGEST)))


def _seconds(at_ms: IntArray) -> IntArray:
    return np.asarray(np.minimum(np.maximum(at_ms // _SECOND_MS, 0), _LARGEST), np.int64)
