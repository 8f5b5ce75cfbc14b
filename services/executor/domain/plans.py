"""Order plans: entries sliced by the freeze quantity, exits for what can be sold."""

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import Literal
from uuid import UUID

from libs.events.event import identity, utc_from_ms
from libs.events.orders import Mode, OrderPlanned
from libs.events.signals import SignalGenerated
from services.executor.domain.decision import Trade
from services.executor.domain.order import tag_of
from services.executor.domain.policy import OrderRules


def position_id_of(signal_id: UUID) -> UUID:
    """Return the id of the position that a signal opens."""
    return identity("Position", signal_id)


def entry_plans(
    signal: SignalGenerated, trade: Trade, mode: Mode, rules: OrderRules, freeze: int, now_ms: int
) -> Iterator[OrderPlanned]:
    """Yield the entry's orders: whole lots, none above the freeze quantity (units)."""
    lot = trade.contract.lot_size
    largest = max(freeze // lot, 1) * lot
    limit = _entry_limit(trade, rules)
    for number, start in enumerate(range(0, trade.quantity, largest)):
        order_id = identity("Order", signal.signal_id, "entry", number)
        yield OrderPlanned(
            event_id=identity("OrderPlanned", order_id),
            occurred_at=utc_from_ms(now_ms),
            trading_day=signal.trading_day,
            correlation_id=signal.correlation_id,
            causation_id=signal.event_id,
            order_id=order_id,
            tag=tag_of(order_id),
            signal_id=signal.signal_id,
            position_id=position_id_of(signal.signal_id),
            strategy=signal.strategy,
            leg="entry",
            mode=mode,
            contract=trade.contract,
            transaction_type="BUY",
            quantity=min(largest, trade.quantity - start),
            action=signal.action,
            tradingsymbol=signal.tradingsymbol,
            stop_loss=trade.levels.stop_loss,
            target=trade.levels.target,
            order_type="LIMIT",
            price=limit,
            product=rules.product,
        )


def _entry_limit(trade: Trade, rules: OrderRules) -> Decimal:
    tick = trade.contract.tick_size
    steps = (trade.premium * (1 + rules.limit_buffer) / tick).to_integral(ROUND_CEILING)
    return steps * tick


def exit_plan(
    entry: OrderPlanned, number: int, quantity: int, reason: str, cause: UUID, now_ms: int
) -> OrderPlanned:
    """Return the plan of a position's exit number `number`: a sale of so many units at market.

    In live mode a market order carries market protection; the adapter adds it.
    """
    order_id = identity("Order", entry.signal_id, "exit", number)
    kind: Literal["MARKET"] = "MARKET"
    return entry.model_copy(
        update={
            "event_id": identity("OrderPlanned", order_id),
            "occurred_at": utc_from_ms(now_ms),
            "causation_id": cause,
            "order_id": order_id,
            "tag": tag_of(order_id),
            "leg": "exit",
            "transaction_type": "SELL",
            "quantity": quantity,
            "order_type": kind,
            "price": Decimal(0),
            "reason": reason,
        }
    )
