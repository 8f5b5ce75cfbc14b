"""From the request to leave a position to the sale of its last unit.

The rest of the entry is cancelled and awaited first, and so is the stop at the exchange: all of it,
or what it guards of a part that is to be sold. Before each sale the account is asked what it
holds of the contract: what it does not hold is not sold. Where that cannot be read, what our own
fills prove is sold, with an alert: an exit never waits for ever.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from libs.broker.port import ContractState
from libs.events.instruments import Contract
from libs.events.orders import OrderCancelled, OrderPlanned
from libs.events.positions import ExitRequested
from libs.market.calendar import day_in_india
from services.executor.domain.blotter import Blotter
from services.executor.domain.broker_replies import ContractRead, NotSent
from services.executor.domain.climbing import Climbing
from services.executor.domain.commands import (
    CancelOrder,
    Effect,
    ModifyOrder,
    PlaceOrder,
    ReadContract,
)
from services.executor.domain.exits import ExitRequests
from services.executor.domain.order import Order
from services.executor.domain.plans import exit_plans
from services.executor.domain.policy import OrderRules

Freeze = Callable[[Contract, date], int]
"""Returns the largest quantity of one order (units) of a contract on a day."""
READ_OVERDUE_MS = 5000
"""A read whose reply does not come is not awaited for longer."""
LOGIN_RETRY_MS = 1000
"""How often a sale that waits for a session is tried."""


@dataclass(slots=True)
class Closing:
    """The exits of all positions, by their requests.

    `_reading`: since when a position's contract is being read before a sale. `_waiting`: the sales
    that could not be sent yet, with the time of the next try. `lacking`: of each position of which
    the account holds too little, the units that it lacks, and when that was read. Times are epoch
    ms. `_letting_go`: of each stop that was asked to guard fewer units, how many, and when.
    """

    blotter: Blotter
    rules: OrderRules
    freeze: Freeze
    climbing: Climbing
    _requests: dict[UUID, ExitRequests] = field(default_factory=dict)
    _reading: dict[UUID, int] = field(default_factory=dict)
    _waiting: dict[UUID, tuple[Order, int]] = field(default_factory=dict)
    lacking: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    _letting_go: dict[UUID, tuple[int, int]] = field(default_factory=dict)

    def restore(self, request: ExitRequested) -> None:
        """Add a request that was made before a restart."""
        self._requests.setdefault(request.position_id, ExitRequests()).add(request)

    def on_request(self, request: ExitRequested, now_ms: int) -> tuple[Effect, ...]:
        """Add a request, and begin with the exit."""
        self.restore(request)
        return self.go_on(request.position_id, now_ms)

    def on_closed(self, position_id: UUID) -> None:
        """Note that a position is closed; a late fill is sold all the same."""
        self.climbing.forget(position_id)
        if position_id in self._requests:
            self._requests[position_id].is_done = True

    def resume(self) -> None:
        """After a restart: go on with closed positions of which a late fill is still held."""
        for position_id, requests in self._requests.items():
            requests.is_done &= not self.is_leaving(position_id)

    def is_asked(self, position_id: UUID) -> bool:
        """Whether an exit of all of a position was asked for."""
        requests = self._requests.get(position_id)
        return requests is not None and requests.leading.lots is None

    def is_leaving(self, position_id: UUID) -> bool:
        """Whether units of a position are asked to be sold that are still held."""
        return self.leaving_units(position_id) > 0

    def leaving_units(self, position_id: UUID) -> int:
        """Return the units of a position that are asked to be sold and are still held."""
        requests, orders = self._requests.get(position_id), self.blotter.of_position(position_id)
        if requests is None or not orders:
            return 0
        lot_size = orders[0].plan.contract.lot_size
        return requests.leaving(self.blotter.holding(position_id), lot_size)

    def due(self, now_ms: int) -> tuple[Effect, ...]:
        """Go on with every exit that is not done, and send the stops that could not be sent."""
        going = [key for key, requests in self._requests.items() if not requests.is_done]
        effects = [made for key in going for made in self.go_on(key, now_ms)]
        waiting = dict.fromkeys(order.plan.position_id for order, _ in self._waiting.values())
        for position_id in waiting:
            effects += self._send_waiting(position_id, now_ms)
        return tuple(effects)

    def go_on(self, position_id: UUID, now_ms: int) -> tuple[Effect, ...]:
        """Cancel the rest of the entry first; then sell what is held and not being sold already.

        An entry in doubt is not awaited: what has filled for certain is sold. When more is being
        sold than held, because a sale that was given up has turned up, the other sales are
        cancelled first.
        """
        if position_id not in self._requests:
            return ()
        leaving, effects = self.leaving_units(position_id), list[Effect]()
        if leaving:
            effects += self._drop_unsent_stops(position_id, now_ms)
        orders, holding = self.blotter.of_position(position_id), self.blotter.holding(position_id)
        staying = max(0, holding.held - leaving)
        is_overselling = holding.sold + holding.selling > holding.bought
        ending = [
            one
            for one in orders
            if _may_go(one, is_overselling=is_overselling)
            or (one.is_stop and leaving and not staying)
            or one.cancel_asked_ms is not None  # again, if that request was lost
        ]
        working = [one for one in ending if one.working_quantity]
        effects += [made for one in working for made in self.cancel(one, now_ms)]
        if leaving and staying:
            effects += self._shrink_stops(position_id, staying, now_ms)
            holding = self.blotter.holding(position_id)
        sales = [
            one for one in self._exits_of(position_id) if one.working_quantity and not one.is_stop
        ]
        is_guarded = holding.guarding > (staying if leaving else holding.held)
        if orders and not (holding.buying_surely or is_guarded or is_overselling):
            if sales:
                effects += self.climbing.climb(sales, now_ms)
            effects += self._prepare_sale(orders[0].plan, now_ms)
        effects += self._send_waiting(position_id, now_ms)
        return tuple(effects)

    def _shrink_stops(self, position_id: UUID, staying: int, now_ms: int) -> list[Effect]:
        """Let the stops at the exchange guard what stays alone; what they let go is sold then.

        One that is triggered, or not confirmed, is awaited; one that cannot be changed is
        cancelled, and another one is placed for what stays.
        """
        effects: list[Effect] = []
        for order in self.blotter.of_position(position_id):
            if not order.is_stop or not order.working_quantity:
                continue
            kept = min(order.working_quantity, staying)
            staying -= kept
            if kept == order.working_quantity or not order.awaits_trigger:
                continue
            may_change = order.modifications < self.climbing.modifications
            effects += (
                self._shrunk(order, kept, now_ms)
                if kept and may_change
                else self.cancel(order, now_ms)
            )
        return effects

    def _shrunk(self, order: Order, kept: int, now_ms: int) -> tuple[Effect, ...]:
        """Request that a stop guards fewer units; again after `exit_retry_ms`, if that was lost."""
        if self.is_shrinking(order, now_ms):
            return ()
        quantity = order.filled_quantity + kept
        self._letting_go[order.plan.order_id] = quantity, now_ms
        order.reprice(order.price, order.trigger_price, quantity)
        its_id = order.broker_order_id
        return (ModifyOrder(order, its_id, order.price, order.trigger_price, quantity),)

    def is_shrinking(self, order: Order, now_ms: int) -> bool:
        """Whether a stop was asked to guard fewer units, and the broker has not shown that yet."""
        quantity, asked_ms = self._letting_go.get(order.plan.order_id, (order.quantity_told, 0))
        return order.quantity_told > quantity and now_ms - asked_ms < self.rules.exit_retry_ms

    def cancel(self, order: Order, now_ms: int) -> tuple[CancelOrder, ...]:
        """Request a cancellation, and again after `exit_retry_ms`, as the request may be lost."""
        if not order.may_be_cancelled(now_ms, self.rules.exit_retry_ms):
            return ()
        order.cancel_asked_ms = now_ms
        return (CancelOrder(order, order.broker_order_id),)

    def on_contract(self, reply: ContractRead, now_ms: int) -> tuple[Effect, ...]:
        """Sell, now that it is known what the account holds of the contract."""
        if reply.asked.unsent is not None:
            return self._send_again(reply.asked.unsent, reply, now_ms)
        self._reading.pop(reply.asked.position_id, None)
        return self._sell(reply.asked.entry, reply, now_ms)

    def on_not_sent(self, reply: NotSent, now_ms: int) -> None:
        """Keep a sale that could not be sent, until it can be."""
        wait_ms = max(reply.retry_after_ms, LOGIN_RETRY_MS)
        self._waiting[reply.order.plan.order_id] = reply.order, now_ms + wait_ms

    @property
    def waiting(self) -> int:
        """How many sales could not be sent yet."""
        return len(self._waiting)

    def _prepare_sale(self, entry: OrderPlanned, now_ms: int) -> tuple[Effect, ...]:
        """Ask what the account holds, if something is to be sold now."""
        position_id = entry.position_id
        read_ms = self._reading.get(position_id)
        is_read = read_ms is not None and now_ms - read_ms < READ_OVERDUE_MS
        if is_read or not self._wanted(entry):
            return ()
        _, lacked_ms = self.lacking.get(position_id, (0, -self.rules.exit_retry_ms))
        is_soon = now_ms - lacked_ms < self.rules.exit_retry_ms
        if is_soon or self.climbing.is_waiting(position_id, now_ms):
            return ()
        self._reading[position_id] = now_ms
        self._requests[position_id].is_done = False
        return (ReadContract(entry),)

    def _wanted(self, entry: OrderPlanned) -> int:
        holding = self.blotter.holding(entry.position_id)
        return self._requests[entry.position_id].quantity(holding, entry.contract.lot_size)

    def _sell(self, entry: OrderPlanned, reply: ContractRead, now_ms: int) -> tuple[Effect, ...]:
        """Plan sales of what is wanted and held; with an alert where the account is not known."""
        wanted = self._wanted(entry)
        if not wanted or reply.needs_login:
            return ()
        quantity = (
            wanted if reply.state is None else min(wanted, self.free_units(entry, reply.state))
        )
        lead = self._alerts(entry, quantity, wanted, reply, now_ms)
        if not quantity:
            return lead
        exits = self._exits_of(entry.position_id)
        is_beside = any(one.working_quantity for one in exits if not one.is_stop)
        step, alerts = self.climbing.first_step(entry, quantity, now_ms, is_beside=is_beside)
        if step is None:
            return (*lead, *alerts)
        requests, number = self._requests[entry.position_id], len(exits)
        freeze = self.freeze(entry.contract, day_in_india(now_ms))
        plans = exit_plans(entry, requests.leading, step, number, quantity, freeze, now_ms)
        requests.is_done = False
        return (*lead, *alerts, *self._send(plans))

    def _alerts(
        self, entry: OrderPlanned, quantity: int, wanted: int, reply: ContractRead, now_ms: int
    ) -> tuple[Effect, ...]:
        """Say once what the account lacks, or that it could not be read."""
        first, position_id = self.blotter.of_position(entry.position_id)[0], entry.position_id
        if reply.state is None:
            reason = f"sold without knowing what the account holds: {reply.reason}"
            return (first.alert(reason, now_ms, "unread", now_ms),)
        before, _ = self.lacking.pop(position_id, (0, 0))
        lacks = wanted - quantity
        if not lacks:
            return ()
        self.lacking[position_id] = lacks, now_ms
        if lacks == before:
            return ()
        reason = f"the account holds {quantity} of the {wanted} units that are to be sold"
        return (first.alert(reason, now_ms, "not held", quantity, wanted),)

    def free_units(
        self, entry: OrderPlanned, state: ContractState, unsent: Order | None = None
    ) -> int:
        """Return the account's net units of the product, less what other sales may take."""
        others = sum(
            one.working_quantity
            for one in state.working
            if one.transaction_type == "SELL"
            and one.product == entry.product
            and self.blotter.with_tag(one.tag) is None
        )
        ours = sum(
            order.working_quantity + order.stray_quantity + order.shrinking_quantity
            for order in self.blotter.working()
            if order.plan.transaction_type == "SELL"
            and order.plan.contract == entry.contract
            and order is not unsent
        )
        return max(0, state.net(entry.product) - others - ours)

    def _send(self, plans: Sequence[OrderPlanned]) -> tuple[Effect, ...]:
        """Add all slices first, so that one that fails is seen together with the others."""
        orders = [self.blotter.add(plan) for plan in plans]
        return tuple(effect for order in orders for effect in (order.plan, PlaceOrder(order)))

    def _send_waiting(self, position_id: UUID, now_ms: int) -> tuple[Effect, ...]:
        """Look at the account again before a sale that could not be sent is sent."""
        due = [
            (key, order)
            for key, (order, due_ms) in self._waiting.items()
            if order.plan.position_id == position_id and now_ms >= due_ms
        ]
        for key, _ in due:
            del self._waiting[key]
        entry = self.blotter.of_position(position_id)[0].plan if due else None
        return tuple(ReadContract(entry, order) for _, order in due if entry is not None)

    def _send_again(self, order: Order, reply: ContractRead, now_ms: int) -> tuple[Effect, ...]:
        """Send a sale that waited; if the account holds less by now, plan it anew."""
        if order.state != "planned":
            return ()
        if order.is_stop and self.is_leaving(order.plan.position_id):
            ended = self._never_sent(order, "the position is being left", now_ms)
            return (ended, *self.go_on(order.plan.position_id, now_ms))
        if reply.state is None and reply.needs_login:
            self.on_not_sent(NotSent(order, reply.reason), now_ms)
            return ()
        held = (
            None if reply.state is None else self.free_units(reply.asked.entry, reply.state, order)
        )
        if held is None or held >= order.plan.quantity:
            return (PlaceOrder(order, is_again=True),)
        event = self._never_sent(order, f"the account holds {held} units", now_ms)
        return (event, *self.go_on(order.plan.position_id, now_ms))

    def _drop_unsent_stops(self, position_id: UUID, now_ms: int) -> list[Effect]:
        """End the stops that wait to be sent: they would only be cancelled again."""
        stops = [
            (key, order)
            for key, (order, _) in self._waiting.items()
            if order.is_stop and order.plan.position_id == position_id
        ]
        for key, _ in stops:
            del self._waiting[key]
        return [self._never_sent(one, "the position is being left", now_ms) for _, one in stops]

    def _never_sent(self, order: Order, why: str, now_ms: int) -> OrderCancelled:
        event = order.cancelled(f"never sent: {why}", now_ms)
        order.apply(event)
        return event

    def on_ended(self, order: Order, now_ms: int) -> tuple[Effect, ...]:
        """Note the end of a sale; one that was refused lets the ladder wait, and call a person."""
        position_id = order.plan.position_id
        is_at_our_wish = order.cancel_asked_ms is not None or order.is_given_up
        if order.state == "filled" or (order.state == "cancelled" and is_at_our_wish):
            self.climbing.on_ended(position_id)
            if not self.is_leaving(position_id):  # the next exit begins at the ladder's first step
                self.climbing.forget(position_id)
            return ()
        entry, reason = self.blotter.of_position(position_id)[0].plan, order.reason
        left = self._wanted(entry) if position_id in self._requests else 0
        return self.climbing.on_refused(order, reason or "it ended unfilled", left, now_ms)

    def _exits_of(self, position_id: UUID) -> list[Order]:
        return [one for one in self.blotter.of_position(position_id) if one.plan.leg == "exit"]


def _may_go(order: Order, *, is_overselling: bool) -> bool:
    """Whether an order is ended before something is sold: an entry, or a sale that is too much."""
    is_sale = order.plan.transaction_type == "SELL"
    return order.plan.leg == "entry" or (is_overselling and is_sale)
