"""Drives the exit ladder of each position: what its orders do next, and when a person is called."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from libs.events.orders import OrderPlanned
from services.executor.domain.commands import CancelOrder, Effect, ModifyOrder
from services.executor.domain.exit_view import ExitViews
from services.executor.domain.ladder import (
    Alert,
    CancelWorking,
    ExitLadder,
    LadderRules,
    LadderStep,
    Move,
    Place,
    Reprice,
    WorkingExit,
)
from services.executor.domain.order import Order


@dataclass(slots=True)
class Climbing:
    """A ladder for each position that is being left; the slices of a sale climb together."""

    rules: LadderRules
    views: ExitViews
    modifications: int
    _ladders: dict[UUID, ExitLadder] = field(default_factory=dict)
    _refused_ms: dict[UUID, int] = field(default_factory=dict)

    def first_step(
        self, entry: OrderPlanned, quantity: int, now_ms: int, *, is_beside: bool
    ) -> tuple[LadderStep | None, tuple[Effect, ...]]:
        """Return the order with which a sale begins, None for none now, and the alerts.

        `is_beside`: another sale of the position works.
        """
        ladder = self._ladder(entry.position_id)
        view = self.views.sale(entry.contract, now_ms)
        if is_beside:
            return ladder.joining(view), ()
        moves = ladder.on_time(view, None, quantity, now_ms)
        step = next((one.step for one in moves if isinstance(one, Place)), None)
        return step, self._alerts(entry, moves, now_ms)

    def is_waiting(self, position_id: UUID, now_ms: int) -> bool:
        """Whether a position's next order waits for the end of a back-off."""
        return self._ladder(position_id).is_waiting(now_ms)

    def climb(self, orders: Sequence[Order], now_ms: int) -> tuple[Effect, ...]:
        """Return what the working orders of a sale do now; those in doubt hold no other one up."""
        orders = [one for one in orders if one.is_at_broker] or orders
        plan = orders[0].plan
        left = sum(one.working_quantity for one in orders)
        working = self._working(orders[-1], left)
        view = self.views.sale(plan.contract, now_ms)
        moves = self._ladder(plan.position_id).on_time(view, working, left, now_ms)
        effects: list[Effect] = [*self._alerts(plan, moves, now_ms)]
        for move in moves:
            for order in orders:
                effects += self._moved(order, move, now_ms)
        return tuple(effects)

    def on_refused(self, order: Order, reason: str, left: int, now_ms: int) -> tuple[Effect, ...]:
        """Note a refused exit; slices that were planned together count once."""
        position_id, planned_ms = order.plan.position_id, order.plan.occurred_ms
        if self._refused_ms.get(position_id) == planned_ms:
            return ()
        self._refused_ms[position_id] = planned_ms
        alerts = self._ladder(position_id).on_refused(reason, left, now_ms)
        return self._alerts(order.plan, alerts, now_ms)

    def on_ended(self, position_id: UUID) -> None:
        """Note that a sale filled, or ended at our wish."""
        self._ladder(position_id).on_ended()

    def forget(self, position_id: UUID) -> None:
        """Drop the ladder of a position that was left."""
        self._ladders.pop(position_id, None)
        self._refused_ms.pop(position_id, None)

    def _ladder(self, position_id: UUID) -> ExitLadder:
        return self._ladders.setdefault(position_id, ExitLadder("SELL", self.rules))

    def _working(self, order: Order, left: int) -> WorkingExit:
        return WorkingExit(
            order_type="MARKET" if order.plan.order_type == "MARKET" else "LIMIT",
            price=order.price,
            left=left,
            modifications_left=max(0, self.modifications - order.modifications),
            is_changing=not order.is_at_broker or order.cancel_asked_ms is not None,
        )

    def _moved(self, order: Order, move: Move, now_ms: int) -> tuple[Effect, ...]:
        if isinstance(move, Reprice):
            order.reprice(move.price)
            return (ModifyOrder(order, order.broker_order_id, move.price),)
        if isinstance(move, CancelWorking) and order.broker_order_id:
            order.cancel_asked_ms = now_ms
            return (CancelOrder(order, order.broker_order_id),)
        return ()

    def _alerts(self, plan: OrderPlanned, moves: Sequence[Move], now_ms: int) -> tuple[Effect, ...]:
        alerts = [one for one in moves if isinstance(one, Alert)]
        order = Order(plan)
        return tuple(
            order.alert(f"{one.reason}; {one.left} units are left", now_ms, "ladder", now_ms)
            for one in alerts
        )
