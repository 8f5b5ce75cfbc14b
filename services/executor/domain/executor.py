"""EventDrivenOptionsExecutor: signals and exit requests in, decisions and orders out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from libs.broker.port import OrderUpdate
from libs.events.control import ControlEvent, RiskLimitReached
from libs.events.event import Event, identity, utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.events.orders import Mode, OrderEvent, OrderPlanned
from libs.events.positions import ExitRequested, PositionClosed, PositionEvent
from libs.events.signals import (
    ExecutionDecided,
    SignalExpired,
    SignalGenerated,
    SignalLogged,
    SignalRejected,
    SignalUpdate,
)
from libs.events.ticks import TickBatch
from libs.market.rulebook import Rulebook
from services.executor.domain.blotter import Blotter
from services.executor.domain.commands import CancelOrder, Effect, PlaceOrder
from services.executor.domain.decision import Decision, Trade, decide, decided
from services.executor.domain.market import Market
from services.executor.domain.order import Order
from services.executor.domain.plans import entry_plans, exit_plan
from services.executor.domain.policy import Policy
from services.executor.domain.risk import Breach, RiskBook


@dataclass(slots=True)
class OptionsExecutor:
    """The executor's state and its reactions; it asks for orders by commands, after their plans."""

    mode: Mode
    policy: Policy
    market: Market
    rulebook: Rulebook
    risk: RiskBook
    blotter: Blotter = field(default_factory=Blotter)
    _decided: set[UUID] = field(default_factory=set)
    _exits: dict[UUID, ExitRequested] = field(default_factory=dict)

    def on_event(self, event: Event, now_ms: int) -> Iterable[Effect]:
        """React to one event; effects are to be carried out in order."""
        if isinstance(event, TickBatch):
            return self._on_ticks(event, now_ms)
        if isinstance(event, SignalGenerated):
            return self._on_signal(event, now_ms)
        if isinstance(event, ExitRequested):
            return self._on_exit_request(event, now_ms)
        self._learn(event)
        return ()

    def on_updates(self, updates: Sequence[OrderUpdate], now_ms: int) -> Iterator[Effect]:
        """React to what the broker says of orders."""
        for update in updates:
            order = self.blotter.with_tag(update.tag)
            if order is not None:
                yield from order.on_update(update)
                yield from self._after(order, now_ms)

    def on_event_of_order(self, order: Order, event: OrderEvent, now_ms: int) -> Iterator[Effect]:
        """Take in, and yield, an event that the shell learnt from the broker's reply."""
        order.apply(event)
        yield event
        yield from self._after(order, now_ms)

    def restore(self, event: Event) -> None:
        """Take back the past: instruments, decisions, orders, exits asked for, positions, halts."""
        if isinstance(event, ExecutionDecided):
            self._decided.add(event.signal_id)
        elif isinstance(event, OrderEvent):
            self._restore_order(event)
        elif isinstance(event, ExitRequested):
            self._exits[event.position_id] = event
        else:
            self._learn(event)

    def settle(self, book: Sequence[OrderUpdate], now_ms: int) -> Iterator[Effect]:
        """After a restart: adopt what the broker knows, and give up plans that it does not.

        An entry that never reached the broker is not sent again; an exit is planned anew.
        """
        known = {update.tag: update for update in book}
        for order in list(self.blotter.working()):
            update = known.get(order.plan.tag)
            if update is not None:
                yield from self.on_updates([update], now_ms)
            else:
                event = order.cancelled("not at the broker after a restart", now_ms)
                yield from self.on_event_of_order(order, event, now_ms)

    def _learn(self, event: Event) -> None:
        if isinstance(event, InstrumentListed):
            self.market.list_instrument(event)
        elif isinstance(event, (PositionEvent, ControlEvent)):
            self.risk.on_event(event)
        if isinstance(event, PositionClosed):
            self._exits.pop(event.position_id, None)

    def _restore_order(self, event: OrderEvent) -> None:
        self.blotter.apply(event)
        if isinstance(event, OrderPlanned) and event.leg == "entry":
            self._count_entry(event)
        if not self._may_still_hold(event.position_id):
            self.risk.abandon(event.position_id)

    def _on_ticks(self, batch: TickBatch, now_ms: int) -> Iterator[Effect]:
        self.market.on_ticks(batch)
        yield from self.market.snapshots(now_ms, batch.trading_day)
        yield from self._time_out_entries(now_ms)
        for position_id in list(self._exits):
            yield from self._exit(position_id, now_ms)

    def _on_signal(self, signal: SignalGenerated, now_ms: int) -> Iterator[Effect]:
        if signal.signal_id in self._decided:
            return
        self._decided.add(signal.signal_id)
        decision = decide(signal, now_ms, self.mode, self.policy, self.market, self.risk)
        yield decided(signal, decision, self.mode, now_ms)
        if decision.trade is None:
            yield from _refused(signal, decision, now_ms)
        elif self.mode == "logging_only":
            yield _update(SignalLogged, signal, signal.trading_day, "logging_only", now_ms)
        else:
            yield from self._enter(signal, decision.trade, now_ms)

    def _enter(self, signal: SignalGenerated, trade: Trade, now_ms: int) -> Iterator[Effect]:
        freeze = self.rulebook.freeze_quantity(signal.underlying, signal.trading_day).value
        rules = self.policy.orders
        for plan in entry_plans(signal, trade, self.mode, rules, freeze, now_ms):
            order = self.blotter.add(plan)
            self._count_entry(plan)
            yield plan
            yield PlaceOrder(order)

    def _count_entry(self, plan: OrderPlanned) -> None:
        at_risk = (plan.price - plan.stop_loss) * plan.quantity
        self.risk.enter(plan.position_id, plan.contract.underlying, at_risk, plan.trading_day)

    def _time_out_entries(self, now_ms: int) -> Iterator[Effect]:
        timeout_ms = self.policy.orders.entry_timeout_ms
        for order in self.blotter.working():
            is_old = now_ms - order.plan.occurred_ms > timeout_ms
            if order.plan.leg == "entry" and is_old and not order.is_cancel_asked:
                order.is_cancel_asked = True
                yield CancelOrder(order)

    def _on_exit_request(self, request: ExitRequested, now_ms: int) -> Iterator[Effect]:
        self._exits.setdefault(request.position_id, request)
        yield from self._exit(request.position_id, now_ms)

    def _exit(self, position_id: UUID, now_ms: int) -> Iterator[Effect]:
        """Cancel what is left of the entry first; then sell no more than is held and free."""
        request = self._exits[position_id]
        orders = self.blotter.of_position(position_id)
        buying = [one for one in orders if one.plan.leg == "entry" and one.working_quantity]
        for order in buying:
            if not order.is_cancel_asked:
                order.is_cancel_asked = True
                yield CancelOrder(order)
        exits = [one for one in orders if one.plan.leg == "exit"]
        quantity = 0 if buying else self._sellable(request, orders)
        if quantity > 0 and self._may_retry(exits, now_ms):
            entry, cause = orders[0].plan, request.event_id
            plan = exit_plan(entry, len(exits), quantity, request.reason, cause, now_ms)
            order = self.blotter.add(plan)
            yield plan
            yield PlaceOrder(order)

    def _sellable(self, request: ExitRequested, orders: list[Order]) -> int:
        holding = self.blotter.holding(request.position_id)
        if request.lots is None or not orders:
            return holding.sellable
        wanted = request.lots * orders[0].plan.contract.lot_size
        return min(wanted - holding.sold - holding.selling, holding.sellable)

    def _may_retry(self, exits: list[Order], now_ms: int) -> bool:
        """Wait a little after an exit that failed, so that a refusal is not repeated in a loop."""
        if not exits or exits[-1].state not in {"rejected", "cancelled"}:
            return True
        return now_ms - exits[-1].plan.occurred_ms >= self.policy.orders.exit_retry_ms

    def _after(self, order: Order, now_ms: int) -> Iterator[Effect]:
        """After news of an order: go on with its exit; an entry that came to nothing expires."""
        plan = order.plan
        if plan.position_id in self._exits:
            yield from self._exit(plan.position_id, now_ms)
        if plan.leg == "entry" and not self._may_still_hold(plan.position_id):
            self.risk.abandon(plan.position_id)
            kind = SignalRejected if order.state == "rejected" else SignalExpired
            reason = "order_rejected" if order.state == "rejected" else "entry_not_filled"
            yield _update(kind, plan, plan.trading_day, reason, now_ms)

    def _may_still_hold(self, position_id: UUID) -> bool:
        holding = self.blotter.holding(position_id)
        return bool(holding.bought or holding.buying)


def _refused(signal: SignalGenerated, decision: Decision, now_ms: int) -> Iterator[Event]:
    refusal = decision.refusal
    reason, numbers = (refusal.reason, refusal.numbers) if refusal else ("", {})
    yield _update(SignalRejected, signal, signal.trading_day, reason, now_ms, numbers)
    if decision.breach is not None:
        yield _limit_reached(signal, decision.breach, now_ms)


def _limit_reached(signal: SignalGenerated, breach: Breach, now_ms: int) -> RiskLimitReached:
    return RiskLimitReached(
        event_id=identity("RiskLimitReached", breach.limit, signal.signal_id),
        occurred_at=utc_from_ms(now_ms),
        trading_day=signal.trading_day,
        correlation_id=signal.correlation_id,
        causation_id=signal.event_id,
        reason=f"{signal.underlying}: {breach.limit}",
        limit=breach.limit,
        value=breach.value,
        maximum=breach.maximum,
    )


def _update(
    kind: type[SignalUpdate],
    origin: SignalGenerated | OrderPlanned,
    day: date,
    reason: str,
    now_ms: int,
    numbers: dict[str, float | str] | None = None,
) -> SignalUpdate:
    contract = origin.contract if isinstance(origin, OrderPlanned) else None
    underlying = origin.underlying if isinstance(origin, SignalGenerated) else ""
    return kind(  # type: ignore[call-arg]  # each kind has its own type by default
        event_id=identity(kind.__name__, origin.signal_id),
        occurred_at=utc_from_ms(now_ms),
        trading_day=day,
        correlation_id=origin.correlation_id,
        causation_id=origin.event_id,
        signal_id=origin.signal_id,
        strategy=origin.strategy,
        underlying=contract.underlying if contract else underlying,
        tradingsymbol=origin.tradingsymbol,
        action=origin.action,
        reason=reason,
        numbers=numbers or {},
    )
