"""The order port: place, modify, cancel, look up, and follow. Only the executor may use it.

Quantities are units (not lots), money is exact, in rupees; times are epoch ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

OrderStatus = Literal["OPEN", "COMPLETE", "CANCELLED", "REJECTED"]
Side = Literal["BUY", "SELL"]
Product = Literal["NRML", "MIS"]


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to place. `quantity` in units, `price` in rupees (0 for MARKET).

    `placed_ms` is the executor's time of placing (epoch ms); `tag` is at most 20 letters and
    digits and can be looked up in the order book.
    """

    tag: str
    exchange: str
    tradingsymbol: str
    instrument_token: int
    transaction_type: Side
    quantity: int
    order_type: Literal["LIMIT", "MARKET"]
    price: Decimal
    product: Product
    placed_ms: int


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order: units at a price in rupees.

    `at_ms` is its exchange time (epoch ms); 0 if only the order's update has a time.
    """

    fill_id: str
    quantity: int
    price: Decimal
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """An order as the broker sees it, with all its fills so far."""

    broker_order_id: str
    tag: str
    status: OrderStatus
    at_ms: int
    fills: tuple[Fill, ...] = ()
    reason: str = ""


class OrderClient(Protocol):
    """Place, modify, cancel and look up orders. Only the executor may use it."""

    async def place(self, request: OrderRequest) -> str:
        """Return the broker's order id; raise OrderRefused, or OrderUnknown when in doubt."""

    async def modify(self, broker_order_id: str, quantity: int, price: Decimal) -> None:
        """Set the total quantity (filled units included) and the price of an open LIMIT order.

        Raises OrderRefused if the order is unchanged, OrderUnknown when in doubt. The exchange may
        still refuse the change later; the order then works as before.
        """

    async def cancel(self, broker_order_id: str) -> None:
        """Request a cancellation; the result comes as an update.

        BrokerError: it was not requested, and may be retried.
        """

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the day's order book, each order with its fills."""

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return the updates that arrived since the last call, in order."""
