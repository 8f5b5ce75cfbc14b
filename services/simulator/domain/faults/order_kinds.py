"""Faults of orders at the exchange, and of their placing."""

from typing import Literal, Protocol

from pydantic import Field

from services.simulator.domain.faults.base import Counted, Side

Words = Field("Rejected by the exchange.", min_length=1, max_length=200)


class Named(Protocol):
    """What a fault can tell an order by."""

    @property
    def order_id(self) -> str:
        """Its number."""

    @property
    def tag(self) -> str | None:
        """Its tag, None without one."""

    @property
    def tradingsymbol(self) -> str:
        """Its contract."""

    @property
    def transaction_type(self) -> str:
        """BUY or SELL."""


class ChosenOrders(Counted):
    """Hits the orders that have all the values that are given, one after another."""

    order_id: str | None = None
    tag: str | None = None
    tradingsymbol: str | None = None
    transaction_type: Literal["BUY", "SELL"] | None = None
    has_trigger: bool | None = None

    def matches(self, order: Named, has_trigger: bool) -> bool:
        """Whether it hits such an order; `has_trigger` says that it is a stop."""
        asked = (
            (self.order_id, order.order_id),
            (self.tag, order.tag),
            (self.tradingsymbol, order.tradingsymbol),
            (self.transaction_type, order.transaction_type),
            (self.has_trigger, has_trigger),
        )
        return all(wanted is None or wanted == value for wanted, value in asked)


class RejectOrder(ChosenOrders):
    """Reject an order before it is in the book, or after it was: it had been `OPEN` then."""

    kind: Literal["reject_order"]
    when: Side = "before"
    message: str = Words


class CancelOrder(ChosenOrders):
    """Cancel an order of the book, as the exchange or the broker does unasked."""

    kind: Literal["cancel_order"]
    message: str = Words


class LateFill(ChosenOrders):
    """Fill an order whose cancellation is on its way: whole, or `quantity` units of it."""

    kind: Literal["late_fill"]
    quantity: int | None = Field(None, ge=1)


class RefuseSlice(Counted):
    """Refuse one child of an order placed with autoslice; the others are registered."""

    kind: Literal["refuse_slice"]
    slice: int = Field(2, ge=1)
    message: str = Words


class EarlyUpdate(Counted):
    """Let an order reach the book at once and send its updates before the reply of its placing."""

    kind: Literal["early_update"]


AnyOrderFault = RejectOrder | CancelOrder | LateFill
PlacingFault = RefuseSlice | EarlyUpdate
