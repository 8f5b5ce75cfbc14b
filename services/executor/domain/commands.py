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
    """Cancel what is left of an order."""

    order: Order


Effect = Event | PlaceOrder | CancelOrder
