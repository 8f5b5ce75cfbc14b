"""Units that were closed without an order of ours: by hand, by the broker, at expiry.

A booking is an ordinary order in the books, from its plan to its fill, so that positions and
ledgers need to know nothing of it. It is never sent.
"""

from dataclasses import dataclass
from decimal import Decimal

from libs.broker.port import Fill, OrderUpdate, Side
from libs.events.orders import OrderEvent, OrderPlanned
from services.executor.domain.order import Order
from services.executor.domain.plans import unasked


@dataclass(frozen=True, slots=True)
class Closed:
    """Units of a position that were closed: how, at which price (rupees) and when (epoch ms).

    `broker_order_id` and `fill_id` are those of the trade that did it.
    """

    transaction_type: Side
    quantity: int
    price: Decimal
    reason: str
    broker_order_id: str
    fill_id: str
    at_ms: int


def booking_plan(entry: OrderPlanned, closed: Closed, number: int) -> OrderPlanned:
    """Return the plan that books what was closed; `number` tells bookings of a trade apart."""
    parts = ("booking", closed.broker_order_id, closed.fill_id, number)
    return OrderPlanned(
        **unasked(entry, parts, closed.transaction_type, closed.quantity, closed.at_ms),
        reason=closed.reason,
        order_type="LIMIT",
        price=closed.price,
        product=entry.product,
        is_booking=True,
    )


def booked(order: Order, closed: Closed) -> tuple[OrderEvent, ...]:
    """Apply and return the events of a booking after its plan."""
    update = OrderUpdate(
        broker_order_id=closed.broker_order_id,
        tag=order.plan.tag,
        status="COMPLETE",
        at_ms=closed.at_ms,
        fills=(Fill(_part_of(closed.fill_id, order), closed.quantity, closed.price, closed.at_ms),),
    )
    return order.on_update(update)


_PART = "#"


def _part_of(fill_id: str, order: Order) -> str:
    """Return the id of a part of a trade: one trade may close units of several positions."""
    return f"{fill_id}{_PART}{order.plan.tag}"


def trade_of(fill_id: str) -> str:
    """Return the id of the trade of which a booked fill is a part."""
    return fill_id.partition(_PART)[0]
