"""Sell a part of a position at prices below its target, in whole lots."""

from collections.abc import Iterator, Sequence

from libs.events.positions import PositionEvent
from services.position.domain.exit_rules.rule import Exit, Mark


def booked_lots(position: PositionEvent) -> Iterator[int]:
    """Yield the lots of each booking: its part of what was bought, rounded down.

    All of them together are never more than what was bought. With one lot each is 0.
    """
    plan, lot_size = position.exit_plan, position.contract.lot_size
    bought = left = position.bought_quantity // lot_size
    for booking in plan.bookings if plan is not None else ():
        lots = min(int(booking.part * bought), left)
        left -= lots
        yield lots


def due_bookings(mark: Mark, position: PositionEvent) -> Sequence[Exit]:
    """Return the bookings whose price is reached, also those that were requested before."""
    plan, price = position.exit_plan, mark.last_price
    if plan is None or not any(price >= float(one.price) for one in plan.bookings):
        return ()
    steps = enumerate(zip(plan.bookings, booked_lots(position), strict=True))
    return [
        Exit("booking", lots, step)
        for step, (booking, lots) in steps
        if lots and price >= float(booking.price)
    ]
