"""Order plans: entries sliced by the freeze quantity, exits for what can be sold."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal
from uuid import UUID

from libs.events.event import identity, utc_from_ms
from libs.events.orders import Mode, OrderPlanned
from libs.events.positions import ExitRequested
from libs.events.signals import SignalGenerated
from libs.market.calendar import IST
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
    sizes = _slices(trade.quantity, trade.contract.lot_size, freeze)
    for number, quantity in enumerate(sizes):
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
            quantity=quantity,
            action=signal.action,
            tradingsymbol=signal.tradingsymbol,
            stop_loss=trade.levels.stop_loss,
            target=trade.levels.target,
            order_type="LIMIT",
            price=trade.limit,
            product=rules.product,
        )


def exit_plans(
    entry: OrderPlanned, request: ExitRequested, first: int, quantity: int, freeze: int, now_ms: int
) -> Iterator[OrderPlanned]:
    """Yield sales at market of so many units; the position's exits are numbered from `first` on.

    They belong to the trading day on which they are sent, which may be later than the entry's.
    In live mode a market order carries market protection; the adapter adds it.
    """
    at = utc_from_ms(now_ms)
    kind: Literal["MARKET"] = "MARKET"
    sizes = _slices(quantity, entry.contract.lot_size, freeze)
    for number, size in enumerate(sizes, first):
        order_id = identity("Order", entry.signal_id, "exit", number)
        yield entry.model_copy(
            update={
                "event_id": identity("OrderPlanned", order_id),
                "occurred_at": at,
                "trading_day": at.astimezone(IST).date(),
                "causation_id": request.event_id,
                "order_id": order_id,
                "tag": tag_of(order_id),
                "leg": "exit",
                "transaction_type": "SELL",
                "quantity": size,
                "order_type": kind,
                "price": Decimal(0),
                "reason": request.reason,
            }
        )


def _slices(quantity: int, lot_size: int, freeze: int) -> Iterator[int]:
    largest = max(freeze // lot_size, 1) * lot_size
    for start in range(0, quantity, largest):
        yield min(largest, quantity - start)
