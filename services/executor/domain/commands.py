"""What the domain asks the shell to do at the broker, after its plan is acknowledged."""

from dataclasses import dataclass

from libs.events.event import Event
from services.executor.domain.order import Order


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Send an order whose OrderPlanned has been published."""

    order: Order


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel the rest of an order; the id is the broker's."""

    order: Order
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Read the broker's order book, which decides what became of these orders."""

    orders: tuple[Order, ...]


Effect = Event | PlaceOrder | CancelOrder | LookUp
