"""A venue under the test's control, and an executor whose effects are carried out there at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from libs.broker.port import (
    ContractState,
    Fill,
    NetPosition,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Trade,
)
from libs.events.event import Event
from libs.events.orders import OrderPlanned
from services.executor.domain.broker_replies import (
    Accepted,
    AccountRead,
    BookRead,
    ContractRead,
    NotSent,
    Refused,
    Reply,
    Unchanged,
)
from services.executor.domain.commands import (
    CancelOrder,
    Effect,
    LookUp,
    ModifyOrder,
    PlaceOrder,
    ReadAccount,
    ReadContract,
)
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.order import Order
from services.executor.domain.reconciliation import AccountSnapshot
from tests.unit.services.executor.builders import NOW

E = TypeVar("E", bound=Event)


@dataclass(slots=True)
class VenueOrder:
    """An order as the venue knows it."""

    request: OrderRequest
    status: OrderStatus = "OPEN"
    fills: list[Fill] = field(default_factory=list)
    is_cancel_asked: bool = False
    modifications: int = 0
    is_triggered: bool = False
    is_on_its_way: bool = False

    @property
    def left(self) -> int:
        return self.request.quantity - sum(fill.quantity for fill in self.fills)

    @property
    def broker_order_id(self) -> str:
        return f"broker-{self.request.tag}"

    def update(self, at_ms: int) -> OrderUpdate:
        return OrderUpdate(
            broker_order_id=self.broker_order_id,
            tag=self.request.tag,
            status=self.status,
            at_ms=at_ms,
            fills=tuple(self.fills),
            quantity=self.request.quantity,
            awaits_trigger=None if self.is_on_its_way else self._awaits_trigger,
        )

    @property
    def _awaits_trigger(self) -> bool:
        return self.request.order_type == "SL" and not self.is_triggered


@dataclass(slots=True)
class Venue:
    """Orders by tag; nothing happens to them but what the test does."""

    orders: dict[str, VenueOrder] = field(default_factory=dict)

    def fill(self, tag: str, quantity: int, premium: str = "100.00", at_ms: int = NOW) -> None:
        order = self.orders[tag]
        number = len(order.fills) + 1
        order.fills.append(Fill(f"{tag}-{number}", quantity, Decimal(premium), at_ms))
        assert order.left >= 0
        if not order.left:
            order.status = "COMPLETE"

    def book(self, at_ms: int) -> list[OrderUpdate]:
        return [order.update(at_ms) for order in self.orders.values()]

    @property
    def net(self) -> int:
        """Units bought less units sold, by orders of the executor."""
        return sum(
            fill.quantity * (1 if order.request.transaction_type == "BUY" else -1)
            for order in self.orders.values()
            for fill in order.fills
        )

    def open_orders(self, side: str) -> list[VenueOrder]:
        return [
            order
            for order in self.orders.values()
            if order.status == "OPEN" and order.request.transaction_type == side
        ]


@dataclass(slots=True)
class Trading:
    """Carries out effects as the service does, and keeps the events in order."""

    executor: OptionsExecutor
    venue: Venue = field(default_factory=Venue)
    events: list[Event] = field(default_factory=list)
    now_ms: int = NOW
    refuse_next: int = 0
    is_book_readable: bool = True
    unsent_because: str = ""
    unread_because: str = ""
    refuses_changes: bool = False
    needs_login: bool = False
    by_hand: int = 0
    hand_trades: list[Trade] = field(default_factory=list)
    selling_by_hand: int = 0
    reads: int = 0

    def hear(self, event: Event) -> list[Event]:
        """Handle an event; return what came out of it."""
        return self.carry(self.executor.on_event(event, self.now_ms))

    def carry(self, effects: Iterable[Effect]) -> list[Event]:
        """Publish all events first, then ask the venue, as the service does."""
        before, effects = len(self.events), tuple(effects)
        self.events += [effect for effect in effects if isinstance(effect, Event)]
        for effect in effects:
            if isinstance(effect, PlaceOrder):
                self._place(effect.order)
            elif isinstance(effect, CancelOrder):
                self._cancel(effect)
            elif isinstance(effect, ModifyOrder):
                self._modify(effect)
            elif isinstance(effect, LookUp):
                self._let_book_decide(effect)
            elif isinstance(effect, ReadContract):
                self._read_contract(effect)
            elif isinstance(effect, ReadAccount):
                self._answer(AccountRead(self.snapshot() if self.is_book_readable else None))
        return self.events[before:]

    def tell(self, *tags: str) -> list[Event]:
        """Deliver the venue's view of these orders."""
        updates = [self.venue.orders[tag].update(self.now_ms) for tag in tags]
        return self.carry(self.executor.on_updates(updates, self.now_ms))

    def fill(self, tag: str, quantity: int, premium: str = "100.00") -> list[Event]:
        self.venue.fill(tag, quantity, premium, self.now_ms)
        return self.tell(tag)

    def confirm_cancel(self, tag: str) -> list[Event]:
        self.venue.orders[tag].status = "CANCELLED"
        return self.tell(tag)

    def plans(self, leg: str) -> list[OrderPlanned]:
        return [one for one in self.all(OrderPlanned) if one.leg == leg]

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def _place(self, order: Order) -> None:
        tag = order.plan.tag
        assert tag not in self.venue.orders, "an order was sent twice"
        assert order.plan in self.events, "an order was sent before its plan"
        if self.unsent_because:
            self._answer(NotSent(order, self.unsent_because))
        elif self.refuse_next:
            self.refuse_next -= 1
            self._answer(Refused(order, "refused"))
        else:
            self.venue.orders[tag] = VenueOrder(order.request())
            self._answer(Accepted(order, f"broker-{tag}"))

    def _answer(self, reply: Reply) -> None:
        self.carry(self.executor.on_reply(reply, self.now_ms))

    def _read_contract(self, asked: ReadContract) -> None:
        self.reads += 1
        if self.unread_because:
            self._answer(ContractRead(asked, None, self.unread_because, self.needs_login))
            return
        contract = asked.entry.contract
        held = NetPosition(
            contract.exchange,
            contract.tradingsymbol,
            asked.entry.product,
            self.venue.net + self.by_hand,
        )
        self._answer(ContractRead(asked, ContractState((held,), tuple(self._by_hand(asked)))))

    def pass_time(self, seconds: int) -> None:
        """Let so many seconds pass, without a tick."""
        for _ in range(seconds):
            self.now_ms += 1000
            self.carry(self.executor.on_time(self.now_ms))

    def sell_by_hand(self, quantity: int, premium: str) -> None:
        """Let the owner sell units of the first entry's contract at the broker's page."""
        contract = self.plans("entry")[0].contract
        number = len(self.hand_trades) + 1
        self.by_hand -= quantity
        fill = Fill(f"hand-{number}", quantity, Decimal(premium), self.now_ms)
        where = contract.exchange, "NRML"
        self.hand_trades.append(
            Trade(f"order-by-hand-{number}", contract.tradingsymbol, "SELL", fill, *where)
        )

    def snapshot(self) -> AccountSnapshot:
        """Return the account with the orders of the executor and the trades by hand."""
        updates = [one.update(self.now_ms) for one in self.venue.orders.values()]
        trades = [
            Trade(
                order.broker_order_id,
                order.request.tradingsymbol,
                order.request.transaction_type,
                fill,
                order.request.exchange,
                order.request.product,
            )
            for order in self.venue.orders.values()
            for fill in order.fills
        ]
        contract = self.plans("entry")[0].contract
        net = NetPosition(
            contract.exchange, contract.tradingsymbol, "NRML", self.venue.net + self.by_hand
        )
        return AccountSnapshot(updates, [*trades, *self.hand_trades], [net])

    def _by_hand(self, asked: ReadContract) -> Iterable[OrderUpdate]:
        if self.selling_by_hand:
            yield OrderUpdate(
                broker_order_id="by hand",
                tag="",
                status="OPEN",
                at_ms=self.now_ms,
                transaction_type="SELL",
                product=asked.entry.product,
                quantity=self.selling_by_hand,
            )

    def _cancel(self, asked: CancelOrder) -> None:
        for known in self.venue.orders.values():
            if known.broker_order_id == asked.broker_order_id:
                known.is_cancel_asked = True

    def _modify(self, asked: ModifyOrder) -> None:
        order = self.venue.orders[asked.order.plan.tag]
        if self.refuses_changes:
            self._answer(Unchanged(asked.order, "no more changes"))
            return
        changes: dict[str, Any] = {"price": asked.price, "trigger_price": asked.trigger_price}
        if asked.quantity is not None:
            changes["quantity"] = asked.quantity
        order.request = replace(order.request, **changes)
        order.modifications += 1

    def _let_book_decide(self, asked: LookUp) -> None:
        book = self.venue.book(self.now_ms) if self.is_book_readable else None
        self._answer(BookRead(asked, book))
