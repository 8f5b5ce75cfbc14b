"""The exit plan of a bought option on its way: stops that are lifted, and parts that are booked.

The levels are those of the position service's own rules. What a stop stands on is the highest bid
of the points before: within a candle the extreme against the trade comes before the one for it.
"""

from collections.abc import Iterator

import numpy as np

from libs.events.positions import PositionOpened
from libs.market.arrays import IntArray
from services.local.backtest.options.exits import Exit, Path, Stops
from services.local.backtest.trade import ExitReason
from services.position.domain.exit_rules.booking import booked_lots
from services.position.domain.exit_rules.stop_to_cost import StopToCost
from services.position.domain.exit_rules.trailing_stop import TrailingStop


def stops_along(bid: IntArray, position: PositionOpened) -> Stops:
    """Return the stop at each point, in ticks: the highest of stop loss, trailing stop and cost."""
    entry = int(position.entry_price / position.contract.tick_size)
    highest = np.maximum.accumulate(np.r_[entry, bid])[:-1]
    known, at = np.unique(highest, return_inverse=True)
    found = [_stop(int(one), position) for one in known]
    levels = np.array([level for level, _ in found], np.int64)
    return Stops(levels[at], tuple(found[one][1] for one in at))


def _stop(highest: int, position: PositionOpened) -> tuple[int, ExitReason]:
    """Return the stop after a highest bid, in ticks; of equal ones the stop loss gives the name."""
    tick = position.contract.tick_size
    price = float(highest * tick)
    trailing = TrailingStop(None).level(price, position)
    cost = StopToCost(None).level(price, position)
    stops: list[tuple[int, ExitReason]] = [(int(position.stop_loss / tick), "stop_loss")]
    if trailing is not None:
        stops.append((int(trailing / tick), "trailing_stop"))
    if cost is not None:
        stops.append((int(cost / tick), "stop_to_cost"))
    return max(stops, key=lambda stop: stop[0])


def booked(path: Path, end: Exit, position: PositionOpened) -> Iterator[tuple[int, Exit]]:
    """Yield what is sold before the end: lots, and the exit of that part."""
    plan, tick = position.exit_plan, position.contract.tick_size
    if plan is None:
        return
    last = end.point + (end.reason == "target")
    for booking, lots in zip(plan.bookings, booked_lots(position), strict=True):
        level = int(booking.price / tick)
        reached = np.flatnonzero(path.bid[:last] >= level)
        if lots and reached.size:
            point = int(reached[0])
            bid = int(path.bid[point]) if path.is_quote[point] else level
            before = path.bid[:point]
            lowest, highest = int(before.min(initial=bid)), int(before.max(initial=bid))
            yield lots, Exit(point, bid, "booking", lowest, highest)
