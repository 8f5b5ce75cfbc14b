"""One order: its states, transitions, and how the broker's updates change it."""

import base64
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal
from uuid import UUID

from libs.broker.port import Fill, OrderRequest, OrderUpdate, unbooked
from libs.events.event import Envelope, utc_from_ms
from libs.events.orders import (
    OrderCancelled,
    OrderEvent,
    OrderFilled,
    OrderPlaced,
    OrderPlanned,
    OrderRejected,
    OrderUnresolved,
)

State = Literal["planned", "placed", "filled", "rejected", "cancelled", "unresolved"]
TRANSITIONS: dict[State, frozenset[State]] = {
    "planned": frozenset({"placed", "filled", "rejected", "cancelled", "unresolved"}),
    "placed": frozenset({"filled", "rejected", "cancelled", "unresolved"}),
    "unresolved": frozenset({"placed", "filled", "rejected", "cancelled"}),
    # An exchange can report a fill after it confirmed a cancellation: late fills count.
    "cancelled": frozenset({"filled"}),
    "filled": frozenset(),
    "rejected": frozenset(),
}
ENDED: frozenset[State] = frozenset({"filled", "rejected", "cancelled"})
_STATE_OF: dict[type[OrderEvent], State] = {
    OrderPlanned: "planned",
    OrderPlaced: "placed",
    OrderRejected: "rejected",
    OrderCancelled: "cancelled",
    OrderUnresolved: "unresolved",
}


def broker_order_id_of(event: OrderEvent) -> str:
    """Return the broker's id of the order, empty where the event has none."""
    return event.broker_order_id if isinstance(event, OrderPlaced | OrderFilled) else ""


def tag_of(order_id: UUID) -> str:
    """Return the order's tag: 20 letters and digits, a pure function of the id."""
    return base64.b32encode(order_id.bytes).decode().rstrip("=")[:20]


GIVEN_UP = "not at the broker: given up"
ALERT = "alert: "


@dataclass(slots=True)
class Stray:
    """An order at the broker that should not be there, and the units that it may still fill."""

    open_quantity: int = 0
    asked_ms: int | None = None
    """When its cancellation was last requested (epoch ms)."""


@dataclass(slots=True)
class Order:
    """An order, rebuilt from its events."""

    plan: OrderPlanned
    state: State = "planned"
    broker_order_id: str = ""
    fills: dict[str, Fill] = field(default_factory=dict)
    cancel_asked_ms: int | None = None
    is_given_up: bool = False
    modifications: int = 0
    reason: str = ""
    """Why it was rejected or cancelled, or is in doubt."""
    strays: dict[str, Stray] = field(default_factory=dict)
    _filled_by: dict[str, str] = field(default_factory=dict)
    price: Decimal = field(init=False)
    """The limit at the broker, rupees: the plan's until it is changed; 0 for MARKET."""
    trigger_price: Decimal = field(init=False)
    quantity: int = field(init=False)
    """The units of the order at the broker: the plan's until a stop is changed."""
    quantity_told: int = field(init=False)
    """The units of the order as the broker has last shown it."""
    is_end_told: bool = False
    """Whether an event has told its end, where fills alone do not."""
    _before_change: tuple[Decimal, Decimal, int] | None = None
    awaits_trigger: bool | None = None
    """Of a stop at the broker: whether its trigger was not reached; None: not told yet."""

    def __post_init__(self) -> None:
        self.price, self.trigger_price = self.plan.price, self.plan.trigger_price
        self.quantity = self.quantity_told = self.plan.quantity

    @property
    def is_stop(self) -> bool:
        """Whether it is a stop order that rests at the exchange."""
        return self.plan.order_type == "SL"

    def keep(self) -> None:
        """Note that the last change was refused: the order works as before."""
        if self._before_change is not None:
            self.price, self.trigger_price, self.quantity = self._before_change
            self._before_change = None

    @property
    def is_at_broker(self) -> bool:
        """Whether the broker is known to have it."""
        return bool(self.broker_order_id) and self.state != "unresolved"

    @property
    def closes_unasked(self) -> bool:
        """Whether its fills close units without a request: a stop, or a booking."""
        return self.is_stop or self.plan.is_booking

    def reprice(
        self, price: Decimal, trigger_price: Decimal = Decimal(0), quantity: int | None = None
    ) -> None:
        """Note that a change of prices (rupees) and of the total quantity is requested."""
        self._before_change = self.price, self.trigger_price, self.quantity
        self.price, self.trigger_price = price, trigger_price
        self.quantity = self.quantity if quantity is None else quantity
        self.modifications += 1

    @property
    def filled_quantity(self) -> int:
        """Units filled so far, by strays too."""
        return sum(fill.quantity for fill in self.fills.values())

    @property
    def has_ended(self) -> bool:
        """Whether the order is in a final state; a late fill is still counted."""
        return self.state in ENDED

    @property
    def working_quantity(self) -> int:
        """Units that may still fill, without those of strays."""
        if self.has_ended:
            return 0
        return max(0, self.quantity - self._own_quantity)

    @property
    def shrinking_quantity(self) -> int:
        """Units taken off that may still fill, since the broker has not confirmed it."""
        return 0 if self.has_ended else max(0, self.quantity_told - self.quantity)

    @property
    def stray_quantity(self) -> int:
        """Units that strays may still fill."""
        return sum(stray.open_quantity for stray in self.strays.values())

    @property
    def _own_quantity(self) -> int:
        own = (key for key, by in self._filled_by.items() if by == self.broker_order_id)
        return sum(self.fills[key].quantity for key in own)

    @property
    def average_price(self) -> Decimal:
        """Average price of the fills, rupees; 0 without fills."""
        value = sum((fill.price * fill.quantity for fill in self.fills.values()), Decimal(0))
        return value / self.filled_quantity if self.fills else Decimal(0)

    def may_be_cancelled(self, now_ms: int, again_ms: int) -> bool:
        """Whether it is at the broker, and no cancellation was requested within `again_ms`."""
        is_asked = self.cancel_asked_ms is not None and now_ms - self.cancel_asked_ms < again_ms
        return bool(self.broker_order_id) and not is_asked

    def apply(self, event: OrderEvent) -> None:
        """Apply an event of this order; a transition that is not in the table is ignored."""
        if not self.broker_order_id and not self.is_given_up:
            self.broker_order_id = broker_order_id_of(event)
        if isinstance(event, OrderFilled):
            self._add_fill(event)
        elif not event.reason.startswith(ALERT):
            is_unknown = event.reason == GIVEN_UP or not self.broker_order_id
            self.is_given_up |= isinstance(event, OrderCancelled) and is_unknown
            self.reason = event.reason or self.reason
            self.is_end_told |= isinstance(event, OrderCancelled | OrderRejected)
            self._move(_STATE_OF[type(event)])

    def _add_fill(self, event: OrderFilled) -> None:
        self.fills[event.fill_id] = Fill(event.fill_id, event.fill_quantity, event.fill_price)
        self._filled_by[event.fill_id] = event.broker_order_id
        if event.broker_order_id == self.broker_order_id:
            is_complete = self._own_quantity >= self.quantity
            self._move("filled" if is_complete else "placed")

    def request(self) -> OrderRequest:
        """Return the request for the broker."""
        plan = self.plan
        return OrderRequest(
            tag=plan.tag,
            exchange=plan.contract.exchange,
            tradingsymbol=plan.contract.tradingsymbol,
            instrument_token=plan.contract.instrument_token,
            transaction_type=plan.transaction_type,
            quantity=plan.quantity,
            order_type=plan.order_type,
            price=plan.price,
            product=plan.product,
            placed_ms=plan.occurred_ms,
            trigger_price=plan.trigger_price,
            is_urgent=plan.leg == "exit",
        )

    def as_update(self) -> OrderUpdate:
        """Return the order, which is over, as the broker would show it."""
        plan = self.plan
        return OrderUpdate(
            broker_order_id=self.broker_order_id,
            tag=plan.tag,
            status="COMPLETE" if self.state == "filled" else "CANCELLED",
            at_ms=plan.occurred_ms,
            fills=tuple(self.fills.values()),
            exchange=plan.contract.exchange,
            tradingsymbol=plan.contract.tradingsymbol,
            transaction_type=plan.transaction_type,
            product=plan.product,
            quantity=plan.quantity,
        )

    def placed(self, broker_order_id: str, at_ms: int) -> OrderPlaced:
        """Return the event of the broker's acceptance."""
        envelope, details = self._envelope(OrderPlaced, at_ms), self.plan.details
        return OrderPlaced(**envelope, **details, broker_order_id=broker_order_id)

    def rejected(self, reason: str, at_ms: int) -> OrderRejected:
        """Return the event of a refusal."""
        envelope = self._envelope(OrderRejected, at_ms)
        return OrderRejected(**envelope, **self.plan.details, reason=reason)

    def cancelled(self, reason: str, at_ms: int) -> OrderCancelled:
        """Return the event of a cancellation."""
        filled, envelope = self.filled_quantity, self._envelope(OrderCancelled, at_ms)
        return OrderCancelled(
            **envelope, **self.plan.details, reason=reason, filled_quantity=filled
        )

    def unresolved(self, reason: str, at_ms: int) -> OrderUnresolved:
        """Return the event that puts the order in doubt."""
        envelope = self._envelope(OrderUnresolved, at_ms)
        return OrderUnresolved(**envelope, **self.plan.details, reason=reason)

    def alert(self, reason: str, at_ms: int, *parts: object) -> OrderUnresolved:
        """Return an event that reports a fault; it changes no state.

        `parts` make its id differ from that of other alerts of the order.
        """
        envelope = self._envelope(OrderUnresolved, at_ms, *parts)
        return OrderUnresolved(**envelope, **self.plan.details, reason=f"{ALERT}{reason}")

    def is_stray(self, update: OrderUpdate) -> bool:
        """Whether an update is of a stray: a second order of the tag, or one that was given up."""
        is_second = bool(self.broker_order_id) and self.broker_order_id != update.broker_order_id
        return self.is_given_up or is_second

    def note_stray(self, update: OrderUpdate) -> bool:
        """Note what a stray may still fill; return whether that has changed."""
        stray = self.strays.setdefault(update.broker_order_id, Stray())
        filled = sum(fill.quantity for fill in update.fills)
        left = max(0, self.plan.quantity - filled) if update.status == "OPEN" else 0
        has_changed, stray.open_quantity = left != stray.open_quantity, left
        return has_changed

    def on_update(self, update: OrderUpdate) -> tuple[OrderEvent, ...]:
        """Apply an update of the broker; return the events that it causes.

        Fills of a stray are counted; its end does not end the order.
        """
        is_stray, news = self.is_stray(update), list[OrderEvent]()
        if not is_stray:
            self._learn(update)
        if not self.broker_order_id and self.working_quantity and update.status != "REJECTED":
            self._add(self.placed(update.broker_order_id, update.at_ms), news)
        for fill in unbooked(self._fills_of(update.broker_order_id), update.fills):
            self._add(self._filled(update, fill), news)
        ending = None if is_stray else self._ending(update)
        if ending is not None:
            self._add(ending, news)
        if not is_stray and self._is_complete_with_less(update):
            self._add(self.cancelled("complete with what it was changed to", update.at_ms), news)
        return tuple(news)

    def _is_complete_with_less(self, update: OrderUpdate) -> bool:
        """Whether it is complete with fewer units than planned, and no event has told that."""
        is_less = self._own_quantity < self.plan.quantity
        return update.status == "COMPLETE" and bool(self.fills) and is_less and not self.is_end_told

    def _learn(self, update: OrderUpdate) -> None:
        """Take the quantity that the broker has: a change that we asked for may have been lost."""
        if self.is_stop and update.awaits_trigger is not None:
            self.awaits_trigger = update.awaits_trigger
        is_complete = update.status == "COMPLETE"
        self.quantity = update.filled_quantity if is_complete else update.quantity or self.quantity
        self.quantity_told = self.quantity
        if is_complete and self.fills and not self.working_quantity:
            self._move("filled")
        if self.is_stop and update.status == "OPEN":
            self._work_on()

    def _work_on(self) -> None:
        """Take back an end by the plan's quantity: before a restart the stop was enlarged."""
        if self.state == "filled" and self._own_quantity < self.quantity:
            self.state = "placed"

    def _fills_of(self, broker_order_id: str) -> list[Fill]:
        """Return what is booked of one order at the broker: a stray's fills are apart."""
        return [self.fills[key] for key, by in self._filled_by.items() if by == broker_order_id]

    def _add(self, event: OrderEvent, news: list[OrderEvent]) -> None:
        self.apply(event)
        news.append(event)

    def _ending(self, update: OrderUpdate) -> OrderEvent | None:
        if update.status == "CANCELLED" and self.working_quantity:
            return self.cancelled(update.reason, update.at_ms)
        if update.status == "REJECTED" and self.working_quantity:
            return self.rejected(update.reason, update.at_ms)
        return None

    def _filled(self, update: OrderUpdate, fill: Fill) -> OrderFilled:
        quantity = self.filled_quantity + fill.quantity
        value = self.average_price * self.filled_quantity + fill.price * fill.quantity
        return OrderFilled(
            **self._envelope(OrderFilled, fill.at_ms or update.at_ms, fill.fill_id),
            **self.plan.details,
            reason=self.plan.reason if self.closes_unasked else "",
            broker_order_id=update.broker_order_id,
            fill_id=fill.fill_id,
            fill_quantity=fill.quantity,
            fill_price=fill.price,
            filled_quantity=quantity,
            average_price=round(value / quantity, 4),
        )

    def _envelope(self, kind: type[OrderEvent], at_ms: int, *parts: object) -> Envelope:
        """Return the envelope of an event of the order, which is never before its plan."""
        at = utc_from_ms(max(at_ms, self.plan.occurred_ms))
        return kind.after(self.plan, self.plan.order_id, *parts, occurred_at=at)

    def _move(self, state: State) -> None:
        if state in TRANSITIONS[self.state]:
            self.state = state
