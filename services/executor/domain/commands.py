"""What the domain asks the shell to do at the broker, once its events are acknowledged."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from libs.events.event import Event
from libs.events.orders import OrderPlanned
from services.executor.domain.order import Order
from services.executor.domain.resting_stop import PlaceStop


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Send an order whose OrderPlanned has been published.

    `is_again`: it could not be sent before, so the fence is confirmed first.
    """

    order: Order
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel the rest of an order; the id is the broker's."""

    order: Order
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class ModifyOrder:
    """Change the prices (rupees) of an open order, and its quantity where one is given (units)."""

    order: Order
    broker_order_id: str
    price: Decimal
    trigger_price: Decimal = Decimal(0)
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class LookUp:
    """Read the broker's order book, which decides what became of these orders.

    `lost_because`: the reply to the placing has just been lost, for this reason, so that an order
    that the book does not show may still arrive; empty: its time to arrive is over.
    """

    orders: tuple[Order, ...]
    lost_because: str = ""


@dataclass(frozen=True, slots=True)
class ReadContract:
    """Read what the account holds of a position's contract, before units of it are sold.

    `entry`: the plan of the position's first order. `unsent`: an exit that waits to be sent.
    `stop`: a stop that is to rest at the exchange.
    """

    entry: OrderPlanned
    unsent: Order | None = None
    stop: PlaceStop | None = None

    @property
    def position_id(self) -> UUID:
        """The position that is to be sold."""
        return self.entry.position_id


@dataclass(frozen=True, slots=True)
class ReadAccount:
    """Read the account's orders, trades, positions and funds, to compare them with our books."""


Request = PlaceOrder | CancelOrder | ModifyOrder | LookUp | ReadContract | ReadAccount
Effect = Event | Request
