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
    """Cancel what is left of an order, which the broker knows by this id."""

    order: Order
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Read the broker's order book and say what it holds: it decides what became of these."""

    orders: tuple[Order, ...]


Effect = Event | PlaceOrder | CancelOrder | LookUp
