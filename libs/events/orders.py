"""The events of an order, from its plan to its final status."""

from decimal import Decimal
from typing import Literal, TypedDict
from uuid import UUID

from pydantic import Field

from libs.events.event import Event, Told
from libs.events.exit_plan import ExitPlan
from libs.events.instruments import Contract

TransactionType = Literal["BUY", "SELL"]
Leg = Literal["entry", "exit"]
Mode = Literal["disabled", "logging_only", "paper", "live"]


class OrderDetails(TypedDict):
    """What every event of an order says of it, to be given to a constructor: `Kind(**details, …)`.

    A type checker sees which fields are still missing.
    """

    order_id: UUID
    tag: str
    signal_id: UUID
    position_id: UUID
    strategy: str
    leg: Leg
    mode: Mode
    contract: Contract
    transaction_type: TransactionType
    quantity: int
    action: Literal["BUY", "SELL"]
    tradingsymbol: str
    stop_loss: Decimal
    target: Decimal
    premium: Decimal | None
    exit_plan: ExitPlan | None


class OrderEvent(Event):
    """The fields of all order events.

    `quantity` is in units, a multiple of the lot. `action` and `tradingsymbol` are the signal's.
    `stop_loss` and `target` are premiums in rupees, which an entry passes on to its position;
    they were set at `premium`. `exit_plan` holds the position's other exits, None without any.
    """

    order_id: UUID
    tag: str
    signal_id: UUID
    position_id: UUID
    strategy: str
    leg: Leg
    mode: Mode
    contract: Contract
    transaction_type: TransactionType
    quantity: int
    action: Literal["BUY", "SELL"]
    tradingsymbol: str
    stop_loss: Decimal
    target: Decimal
    premium: Decimal | None = None
    exit_plan: ExitPlan | None = Field(None, exclude_if=lambda plan: plan is None)
    reason: str = ""

    @property
    def underlying(self) -> str:
        """Name of the contract's underlying."""
        return self.contract.underlying

    def told(self) -> Told:
        """Return what is bought or sold, in lots, and for which signal."""
        return {
            "leg": self.leg,
            "transaction_type": self.transaction_type,
            "lots": self.quantity / self.contract.lot_size,
            "contract": self.contract.tradingsymbol,
            "strategy": self.strategy,
            "action": self.action,
            "tradingsymbol": self.tradingsymbol,
            "reason": self.reason,
        }

    @property
    def details(self) -> OrderDetails:
        """What the other events of the order say too."""
        return OrderDetails(
            order_id=self.order_id,
            tag=self.tag,
            signal_id=self.signal_id,
            position_id=self.position_id,
            strategy=self.strategy,
            leg=self.leg,
            mode=self.mode,
            contract=self.contract,
            transaction_type=self.transaction_type,
            quantity=self.quantity,
            action=self.action,
            tradingsymbol=self.tradingsymbol,
            stop_loss=self.stop_loss,
            target=self.target,
            premium=self.premium,
            exit_plan=self.exit_plan,
        )


class OrderPlanned(OrderEvent):
    """An order is to be placed; acknowledged by the bus before the broker is called.

    `trigger_price` (rupees) is that of a stop-limit order (SL). A booking is never sent: it puts
    into the books what was traded without an order of ours.
    """

    type: Literal["OrderPlanned"] = "OrderPlanned"
    order_type: Literal["LIMIT", "MARKET", "SL"]
    price: Decimal
    product: Literal["NRML", "MIS"]
    trigger_price: Decimal = Decimal(0)
    is_booking: bool = False

    def told(self) -> Told:
        """Return the order with its limit, rupees."""
        return {**super().told(), "price": float(self.price)}


class OrderPlaced(OrderEvent):
    """The broker accepted the request; the result follows in other events."""

    type: Literal["OrderPlaced"] = "OrderPlaced"
    broker_order_id: str


class OrderFilled(OrderEvent):
    """One fill: `fill_quantity` at `fill_price`. Cumulative fields include it."""

    type: Literal["OrderFilled"] = "OrderFilled"
    broker_order_id: str
    fill_id: str
    fill_quantity: int
    fill_price: Decimal
    filled_quantity: int
    average_price: Decimal

    def told(self) -> Told:
        """Return the order with the lots and the price of this fill, rupees."""
        lots = self.fill_quantity / self.contract.lot_size
        return {**super().told(), "lots": lots, "price": float(self.fill_price)}


class OrderRejected(OrderEvent):
    """The broker rejected the order; there are no more fills."""

    type: Literal["OrderRejected"] = "OrderRejected"


class OrderCancelled(OrderEvent):
    """The unfilled rest of the order was cancelled."""

    type: Literal["OrderCancelled"] = "OrderCancelled"
    filled_quantity: int


class OrderUnresolved(OrderEvent):
    """The broker's reply was lost, and the order book does not show the order."""

    type: Literal["OrderUnresolved"] = "OrderUnresolved"
