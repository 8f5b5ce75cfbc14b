"""The order port: place, modify, cancel, look up, and follow. Only the executor may use it.

Quantities are units (not lots), money is exact, in rupees; times are epoch ms.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

OrderStatus = Literal["OPEN", "COMPLETE", "CANCELLED", "REJECTED"]
Side = Literal["BUY", "SELL"]
Product = Literal["NRML", "MIS"]
OrderType = Literal["LIMIT", "MARKET", "SL"]
"""SL is a stop-limit order: a LIMIT order that begins to work when its trigger price is traded."""
MaySend = Callable[[], bool]
"""Asked in the moment before a request leaves, from any thread: whether it may still be sent."""


def always() -> bool:
    """Return True: a request that may be sent at any time."""
    return True


_OWN_TAG = re.compile(r"[A-Z2-7]{20}")


def is_own_tag(tag: str) -> bool:
    """Whether a tag looks like the executor's: 20 digits to the base of 32."""
    return _OWN_TAG.fullmatch(tag) is not None


_FLATTEN = "FLATTEN"


def flatten_tag(digest: str) -> str:
    """Return the tag of an order of `alphastocks flatten`, from digits to the base of 32."""
    return f"{_FLATTEN}{digest}"[:20]


def is_flatten_tag(tag: str) -> bool:
    """Whether an own tag is of an order of `alphastocks flatten`, which is in no book of ours."""
    return is_own_tag(tag) and tag.startswith(_FLATTEN)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to place. `quantity` in units, `price` in rupees (0 for MARKET).

    `placed_ms` is the executor's time of placing (epoch ms); `tag` is at most 20 letters and
    digits and can be looked up in the order book. `trigger_price` (rupees) is for SL alone. An
    urgent order closes or guards a position: it has a lane and a share of the limits of its own.
    """

    tag: str
    exchange: str
    tradingsymbol: str
    instrument_token: int
    transaction_type: Side
    quantity: int
    order_type: OrderType
    price: Decimal
    product: Product
    placed_ms: int
    trigger_price: Decimal = Decimal(0)
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order: units at a price in rupees.

    `fill_id` is unique within the order; the exchange gives the same id to other trades on other
    days, and each exchange its own. `at_ms` is its exchange time (epoch ms); 0 if only the order's
    update has a time.
    """

    fill_id: str
    quantity: int
    price: Decimal
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """An order as the broker sees it, with all its fills so far.

    `tag` is empty for an order that was placed without one, by hand say. `quantity` (units), 0 or
    empty fields are not known. `awaits_trigger`: a stop order whose trigger was not reached; None
    while it is on its way, or is being changed, and neither is known.
    `reason` says of a cancellation that nobody here asked for who made it, as far as can be known.
    """

    broker_order_id: str
    tag: str
    status: OrderStatus
    at_ms: int
    fills: tuple[Fill, ...] = ()
    reason: str = ""
    exchange: str = ""
    tradingsymbol: str = ""
    transaction_type: Side | None = None
    product: str = ""
    quantity: int = 0
    awaits_trigger: bool | None = False

    @property
    def filled_quantity(self) -> int:
        """Units filled so far."""
        return sum(fill.quantity for fill in self.fills)

    @property
    def working_quantity(self) -> int:
        """Units that may still fill; 0 if the quantity is not known."""
        return max(0, self.quantity - self.filled_quantity) if self.status == "OPEN" else 0


class OrderClient(Protocol):
    """Place, modify, cancel and look up orders. Only the executor may use it."""

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        """Return the broker's order id.

        OrderRefused: the broker refused it. OrderNotSent: it was certainly not sent, since
        `may_send` said no, or for want of a session or of room in the rate limits, and may be sent
        later. OrderUnknown: it is in doubt.
        """

    async def modify(
        self,
        broker_order_id: str,
        quantity: int,
        price: Decimal,
        trigger_price: Decimal = Decimal(0),
    ) -> None:
        """Set the total quantity (filled units included) and the prices of an open order.

        A trigger price is for a stop-limit order whose trigger was not reached.

        Raises OrderRefused if the order is unchanged, OrderNotSent if the change was certainly not
        sent, OrderUnknown when in doubt. The exchange may still refuse the change later; the order
        then works as before.
        """

    def modifications_left(self, broker_order_id: str) -> int:
        """Return how often an order may still be modified; one more is OrderRefused."""

    async def cancel(self, broker_order_id: str) -> None:
        """Request a cancellation; the result comes as an update.

        BrokerError: it was not requested, and may be retried.
        """

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the day's order book, each order with its fills.

        An order of somebody else that cannot be read is left out. One of ours raises
        ReplyUnreadable: it must not be taken for missing.
        """

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return the updates that arrived since the last call, in order."""
