"""What is known of one order, and how a row of Kite adds to it."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.mapping import (
    Row,
    filled_of,
    money,
    reason_of,
    side_of,
    status_of,
    tag_of,
    text_of,
    unasked,
    updated_ms,
)
from libs.broker.port.orders import Fill, OrderRequest, OrderStatus, OrderUpdate, Side
from libs.market.calendar import day_in_india, load_calendar

_STOPS = ("SL", "SL-M")
_AWAITING = "TRIGGER PENDING"
State = tuple[OrderStatus, int, bool | None, int]
"""Status, units filled, whether it awaits its trigger (None: not known), units in all."""


@dataclass(slots=True)
class Known:
    """The known state of an order; `handed_on` is the last state that was published.

    `average_price` is of `filled_quantity` units, rupees. `fills` are those that were shown.
    """

    broker_order_id: str
    tag: str
    quantity: int = 0
    status: OrderStatus = "OPEN"
    filled_quantity: int = 0
    average_price: Decimal = Decimal(0)
    at_ms: int = 0
    reason: str = ""
    exchange: str = ""
    tradingsymbol: str = ""
    transaction_type: Side | None = None
    product: str = ""
    is_stop: bool = False
    is_triggered: bool = False
    is_at_rest: bool = False
    is_modified: bool = False
    is_cancel_asked: bool = False
    fills: list[Fill] = field(default_factory=list)
    handed_on: State | None = None

    @classmethod
    def placed(cls, broker_order_id: str, request: OrderRequest) -> "Known":
        """Return what is known of an order that was placed a moment ago."""
        return cls(
            broker_order_id,
            request.tag,
            request.quantity,
            exchange=request.exchange,
            tradingsymbol=request.tradingsymbol,
            transaction_type=request.transaction_type,
            product=request.product,
            is_stop=request.order_type in _STOPS,
        )

    @property
    def awaits_trigger(self) -> bool | None:
        """Whether it rests at the exchange until its trigger price is traded; None: not known."""
        is_known = self.is_at_rest or self.is_triggered
        if self.is_stop and self.status == "OPEN" and not is_known:
            return None
        return self.is_at_rest and not self.is_triggered and self.status == "OPEN"

    def learn(self, newer: "Known") -> None:
        """Add what a row shows; what only grows does not shrink."""
        self.tag = self.tag or newer.tag
        self.quantity = newer.quantity or self.quantity
        if newer.filled_quantity >= self.filled_quantity:
            self.average_price = newer.average_price or self.average_price
        self.filled_quantity = max(self.filled_quantity, newer.filled_quantity)
        self.at_ms = max(self.at_ms, newer.at_ms)
        self.exchange = self.exchange or newer.exchange
        self.tradingsymbol = self.tradingsymbol or newer.tradingsymbol
        self.transaction_type = self.transaction_type or newer.transaction_type
        self.product = newer.product or self.product
        self.is_stop |= newer.is_stop
        self.is_at_rest |= newer.is_at_rest
        self.is_triggered |= newer.is_triggered
        if self.status == "OPEN":
            self.status, self.reason = newer.status, newer.reason

    def update(self, status: OrderStatus, fills: tuple[Fill, ...]) -> OrderUpdate:
        """Return the order as the port shows it."""
        is_unasked = status == "CANCELLED" and not self.is_cancel_asked
        return OrderUpdate(
            broker_order_id=self.broker_order_id,
            tag=self.tag,
            status=status,
            at_ms=self.at_ms,
            fills=fills,
            reason=self._who_cancelled() if is_unasked else self.reason,
            exchange=self.exchange,
            tradingsymbol=self.tradingsymbol,
            transaction_type=self.transaction_type,
            product=self.product,
            quantity=self.quantity,
            awaits_trigger=self.awaits_trigger,
        )

    def _who_cancelled(self) -> str:
        return unasked(self.reason, has_ended=_is_over(self.exchange, self.at_ms))


def _is_over(exchange: str, at_ms: int) -> bool:
    """Whether the last session of the day at this time (epoch ms) has ended at an exchange."""
    calendar, day = load_calendar(), day_in_india(at_ms)
    if not (calendar.covers(day) and calendar.knows(exchange)):
        return False
    sessions = calendar.sessions(exchange, day)
    return bool(sessions) and at_ms >= sessions[-1].close_ms


def known_of(row: Row, now_ms: int) -> Known:
    """Return what a row shows of its order; `now_ms` (epoch) replaces missing times.

    Raises ReplyUnreadable.
    """
    try:
        if not row["order_id"]:
            raise ValueError("it has no order_id")
        return Known(
            broker_order_id=str(row["order_id"]),
            tag=tag_of(row),
            quantity=int(row.get("quantity") or 0),
            status=status_of(row),
            filled_quantity=filled_of(row),
            average_price=money(row.get("average_price") or 0),
            at_ms=updated_ms(row, now_ms),
            reason=reason_of(row),
            exchange=text_of(row, "exchange"),
            tradingsymbol=text_of(row, "tradingsymbol"),
            transaction_type=side_of(row) if row.get("transaction_type") else None,
            product=text_of(row, "product"),
            **_trigger(row),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ReplyUnreadable(f"an order of Kite cannot be read: {error!r}") from error


def _trigger(row: Row) -> dict[str, Any]:
    """Return whether a stop rests, and whether it was triggered: then it is open, or has filled."""
    status, is_stop = str(row["status"]).upper(), row.get("order_type") in _STOPS
    is_over = status in ("OPEN", "COMPLETE") or filled_of(row) > 0
    return {
        "is_stop": is_stop,
        "is_at_rest": status == _AWAITING,
        "is_triggered": is_stop and is_over,
    }
