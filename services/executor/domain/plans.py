"""Order plans: entries sliced by the freeze quantity, exits for what can be sold."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from libs.broker.port import Side
from libs.events.event import identity, utc_from_ms
from libs.events.orders import Mode, OrderPlanned
from libs.events.positions import ExitRequested
from libs.events.signals import SignalGenerated
from libs.market.calendar import IST
from services.executor.domain.decision import Trade
from services.executor.domain.ladder import LadderStep
from services.executor.domain.order import tag_of
from services.executor.domain.policy import OrderRules
from services.executor.domain.resting_stop import StopLevels


def position_id_of(signal_id: UUID) -> UUID:
    """Return the id of the position that a signal opens."""
    return identity("Position", signal_id)


def entry_plans(
    signal: SignalGenerated, trade: Trade, mode: Mode, rules: OrderRules, freeze: int, now_ms: int
) -> tuple[OrderPlanned, ...]:
    """Return the entry's orders: whole lots, none above the freeze quantity (units)."""
    sizes = slices(trade.quantity, trade.contract.lot_size, freeze)
    return tuple(
        _entry_plan(signal, trade, mode, rules, number, quantity, now_ms)
        for number, quantity in enumerate(sizes)
    )


def _entry_plan(
    signal: SignalGenerated,
    trade: Trade,
    mode: Mode,
    rules: OrderRules,
    number: int,
    quantity: int,
    now_ms: int,
) -> OrderPlanned:
    order_id = identity("Order", signal.signal_id, "entry", number)
    return OrderPlanned(
        **OrderPlanned.after(signal, order_id, occurred_at=utc_from_ms(now_ms)),
        order_id=order_id,
        tag=tag_of(order_id),
        signal_id=signal.signal_id,
        position_id=position_id_of(signal.signal_id),
        strategy=signal.strategy,
        leg="entry",
        mode=mode,
        contract=trade.contract,
        transaction_type="BUY",
        quantity=quantity,
        action=signal.action,
        tradingsymbol=signal.tradingsymbol,
        stop_loss=trade.levels.stop_loss,
        target=trade.levels.target,
        premium=trade.premium,
        exit_plan=trade.exit_plan,
        order_type="LIMIT",
        price=trade.limit,
        product=rules.product,
    )


def exit_plans(
    entry: OrderPlanned,
    request: ExitRequested,
    step: LadderStep,
    first: int,
    quantity: int,
    freeze: int,
    now_ms: int,
) -> tuple[OrderPlanned, ...]:
    """Return sales of `quantity` units by a step of the ladder, numbered from `first` on.

    They belong to the trading day on which they are sent, which may be later than the entry's.
    In live mode a market order carries market protection; the adapter adds it.
    """
    sizes = slices(quantity, entry.contract.lot_size, freeze)
    return tuple(
        _exit_plan(entry, request, step, number, size, utc_from_ms(now_ms))
        for number, size in enumerate(sizes, first)
    )


def _exit_plan(
    entry: OrderPlanned,
    request: ExitRequested,
    step: LadderStep,
    number: int,
    quantity: int,
    at: datetime,
) -> OrderPlanned:
    order_id = identity("Order", entry.signal_id, "exit", number)
    day, correlation_id = at.astimezone(IST).date(), entry.correlation_id
    return OrderPlanned(
        **OrderPlanned.after(
            request,
            order_id,
            occurred_at=at,
            trading_day=day,
            correlation_id=correlation_id,
        ),
        order_id=order_id,
        tag=tag_of(order_id),
        signal_id=entry.signal_id,
        position_id=entry.position_id,
        strategy=entry.strategy,
        leg="exit",
        mode=entry.mode,
        contract=entry.contract,
        transaction_type="SELL",
        quantity=quantity,
        action=entry.action,
        tradingsymbol=entry.tradingsymbol,
        stop_loss=entry.stop_loss,
        target=entry.target,
        reason=request.reason,
        order_type=step.order_type,
        price=step.price,
        product=entry.product,
    )


def stop_plan(
    entry: OrderPlanned, number: int, quantity: int, levels: StopLevels, now_ms: int
) -> OrderPlanned:
    """Return a stop-limit sale that rests at the exchange."""
    return OrderPlanned(
        **unasked(entry, ("stop", number), "SELL", quantity, now_ms),
        reason="stop_loss",
        order_type="SL",
        price=levels.price,
        trigger_price=levels.trigger_price,
        product=entry.product,
    )


def cover_plan(
    entry: OrderPlanned, number: int, quantity: int, limit: Decimal, now_ms: int
) -> OrderPlanned:
    """Return a purchase that buys back what was sold of a position and was not held."""
    return OrderPlanned(
        **unasked(entry, ("cover", number), "BUY", quantity, now_ms),
        reason="cover",
        order_type="LIMIT",
        price=limit,
        product=entry.product,
    )


def unasked(
    entry: OrderPlanned, parts: tuple[object, ...], side: Side, quantity: int, at_ms: int
) -> dict[str, Any]:
    """Return envelope and details of a plan that closes units without an exit request.

    `parts` make its id; it belongs to the trading day of `at_ms` (epoch ms).
    """
    at, order_id = utc_from_ms(at_ms), identity("Order", entry.signal_id, *parts)
    envelope = OrderPlanned.after(
        entry,
        order_id,
        occurred_at=at,
        trading_day=at.astimezone(IST).date(),
        correlation_id=entry.correlation_id,
    )
    return {
        **envelope,
        **entry.details,
        "order_id": order_id,
        "tag": tag_of(order_id),
        "leg": "exit",
        "transaction_type": side,
        "quantity": quantity,
    }


def slices(quantity: int, lot_size: int, freeze: int) -> tuple[int, ...]:
    """Return the quantities of the orders for `quantity` units: whole lots, none above `freeze`."""
    largest = max(freeze // lot_size, 1) * lot_size
    return tuple(min(largest, quantity - start) for start in range(0, quantity, largest))
