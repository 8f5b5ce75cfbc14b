"""The stop orders that rest at the exchange, and guard positions while nothing of ours runs.

Each slice of a position has a stop of its own. While a position is being left there is none: it is
cancelled and awaited first; while a part of it is, the stops guard what stays. What a stop has
filled needs no request of ours.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Self
from uuid import UUID

from libs.events.orders import OrderPlanned
from libs.market.calendar import day_in_india
from libs.market.price_limits import PriceReach, option_price_limits
from services.executor.domain.blotter import Blotter, Holding
from services.executor.domain.broker_replies import ContractRead
from services.executor.domain.closing import Closing, Freeze
from services.executor.domain.commands import Effect, ModifyOrder, PlaceOrder, ReadContract
from services.executor.domain.exits import exit_request
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.order import Order
from services.executor.domain.plans import slices, stop_plan
from services.executor.domain.resting_stop import (
    CancelStop,
    HandOver,
    ModifyStop,
    PlaceStop,
    RestingStop,
    RestingStopRules,
    StopMissing,
    StopMove,
    StopOrder,
    Wanted,
)
from services.executor.domain.risk import RiskBook

Slice = tuple[UUID, int]


@dataclass(slots=True)
class Guarding:
    """The resting stops of all positions. `is_on`: the venue keeps stops, and they are wanted."""

    blotter: Blotter
    closing: Closing
    market: OptionMarket
    risk: RiskBook
    freeze: Freeze
    rules: RestingStopRules
    modifications: int
    is_on: bool = False
    pace: float = 1.0
    _stops: dict[Slice, RestingStop] = field(default_factory=dict)
    _looked_s: int = -1
    _waiting: deque[Sequence[Order]] = field(default_factory=deque)

    def on_time(self, now_ms: int, at_most: int | None = None) -> tuple[Effect, ...]:
        """Place, move, cancel and replace stops: each position's once in each second.

        `at_most` is how many positions are looked at now; the others wait for the next call.
        """
        if not self.is_on:
            return ()
        if not self._waiting and now_ms // 1000 != self._looked_s:
            self._looked_s = now_ms // 1000
            self._waiting = deque(self.blotter.positions())
        if not self._waiting:
            return ()
        second = _Second.of(now_ms)
        effects: list[Effect] = []
        for _ in range(len(self._waiting) if at_most is None else min(at_most, len(self._waiting))):
            effects += self._guard(self._waiting.popleft(), second)
        return tuple(effects)

    def on_contract(
        self, entry: OrderPlanned, stop: PlaceStop, reply: ContractRead, now_ms: int
    ) -> tuple[Effect, ...]:
        """Plan a stop for what the account holds; where that is not known, for what we have filled.

        Nothing is planned for a position that is being left by now, or that is guarded already.
        """
        if reply.needs_login:
            return ()
        holding, day = self.blotter.holding(entry.position_id), day_in_india(now_ms)
        wanted = sum(self._sizes(entry, holding, day)) - holding.guarding
        quantity = min(stop.quantity, wanted)
        if reply.state is not None:
            quantity = min(quantity, self.closing.free_units(entry, reply.state))
        quantity -= quantity % entry.contract.lot_size
        if quantity <= 0:
            return ()
        number = sum(one.is_stop for one in self.blotter.of_position(entry.position_id))
        plan = stop_plan(entry, number, quantity, stop.levels, now_ms)
        return plan, PlaceOrder(self.blotter.add(plan))

    def on_ended(self, order: Order, now_ms: int) -> None:
        """Note that a stop is over; one that ended against our wish is placed again a bit later."""
        is_at_our_wish = order.cancel_asked_ms is not None or order.is_given_up
        if order.state == "filled" or (order.state == "cancelled" and is_at_our_wish):
            return
        self.on_unchanged(order, order.reason or "the exchange has ended it", now_ms)

    def on_unchanged(self, order: Order, reason: str, now_ms: int) -> None:
        """Note that a change of a stop was refused, or the stop itself."""
        for key, stop in self._stops.items():
            if key[0] == order.plan.position_id:
                stop.on_refused(reason, self._machine_ms(now_ms))

    def _machine_ms(self, now_ms: int) -> int:
        """Return a time by which stops are awaited: a fast market does not make replies faster."""
        return round(now_ms / max(1.0, self.pace))

    def _guard(self, orders: Sequence[Order], second: "_Second") -> list[Effect]:
        """Compare what each slice wants with the stop that stands for it."""
        entry, standing = orders[0].plan, _stops_of(orders)
        holding, now_ms = self.blotter.holding(entry.position_id), second.now_ms
        if holding.held <= 0 and not standing:
            return []
        sizes = self._sizes(entry, holding, second.day)
        effects: list[Effect] = []
        for order in standing:
            if order.cancel_asked_ms is not None:  # again, if that request was lost
                effects += self.closing.cancel(order, now_ms)
        for number in range(max(len(sizes), len(standing))):
            quantity = sizes[number] if number < len(sizes) else 0
            stands = standing[number] if number < len(standing) else None
            key = entry.position_id, number
            stop = self._stops.get(key) or self._stops.setdefault(key, RestingStop(self.rules))
            wanted = self._wanted(entry, quantity, second)
            shown = None if stands is None else self._shown(stands, now_ms)
            for move in stop.on_time(wanted, shown, self._machine_ms(now_ms)):
                effects += self._moved(entry, stands, move, now_ms)
        return effects

    def _sizes(self, entry: OrderPlanned, holding: Holding, day: date) -> tuple[int, ...]:
        """Return the units of each stop: of what stays; none while the position is being left."""
        position_id = entry.position_id
        units = holding.held - max(holding.selling, self.closing.leaving_units(position_id))
        if units <= 0:
            return ()
        return slices(units, entry.contract.lot_size, self.freeze(entry.contract, day))

    def _wanted(self, entry: OrderPlanned, quantity: int, second: "_Second") -> Wanted:
        contract = entry.contract
        return Wanted(
            quantity=quantity,
            stop=self.risk.stop_loss_of(entry.position_id) or entry.stop_loss,
            tick_size=contract.tick_size,
            gap=second.gap,
            last_price=self.closing.climbing.views.best_known(contract, second.now_ms),
            may_rest=self.market.is_open(contract.exchange, second.now_ms),
        )

    def _shown(self, order: Order, now_ms: int) -> StopOrder:
        is_ending = not order.is_at_broker or order.cancel_asked_ms is not None
        return StopOrder(
            quantity=order.working_quantity,
            trigger_price=order.trigger_price,
            price=order.price,
            modifications_left=max(0, self.modifications - order.modifications),
            is_changing=is_ending or self.closing.is_shrinking(order, now_ms),
            is_confirmed=order.awaits_trigger is not None,
            is_triggered=order.awaits_trigger is False,
        )

    def _moved(
        self, entry: OrderPlanned, order: Order | None, move: StopMove, now_ms: int
    ) -> tuple[Effect, ...]:
        if isinstance(move, PlaceStop):
            return (ReadContract(entry, stop=move),)
        if isinstance(move, StopMissing):
            reason = f"no stop rests at the exchange for {move.quantity} units: {move.why}"
            return (Order(entry).alert(reason, now_ms, "no stop", now_ms),)
        if isinstance(move, HandOver):
            why = self.risk.stop_reason_of(entry.position_id)
            return (exit_request(entry, why, "resting stop", now_ms),)
        return () if order is None else self._changed(order, move, now_ms)

    def _changed(
        self, order: Order, move: ModifyStop | CancelStop, now_ms: int
    ) -> tuple[Effect, ...]:
        if isinstance(move, CancelStop):
            return self.closing.cancel(order, now_ms)
        levels, quantity = move.levels, order.filled_quantity + move.quantity
        order.reprice(levels.price, levels.trigger_price, quantity)
        its_id = order.broker_order_id
        return (ModifyOrder(order, its_id, levels.price, levels.trigger_price, quantity),)


def _stops_of(orders: Sequence[Order]) -> list[Order]:
    return [one for one in orders if one.is_stop and one.working_quantity]


@dataclass(frozen=True, slots=True)
class _Second:
    """What is the same for all stops in a second: the day, and the exchange's gap."""

    now_ms: int
    day: date
    gap: PriceReach

    @classmethod
    def of(cls, now_ms: int) -> Self:
        day = day_in_india(now_ms)
        return cls(now_ms, day, option_price_limits(day).stop_gap)
