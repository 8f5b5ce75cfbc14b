"""Our books by contract and product, as they are compared with the account."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby

from libs.events.orders import OrderPlanned
from services.executor.domain.blotter import Blotter
from services.executor.domain.bookings import trade_of
from services.executor.domain.order import Order
from services.executor.domain.reconciliation import ContractKey, OurContract, OurOrder, TradeId

ClosesMs = Callable[[str, date], int | None]
"""Returns when an exchange closes on a day (epoch ms), None where no session is known."""
SquareOffMs = Callable[[str, str, date], int | None]
"""Returns when the broker closes a product of an exchange on a day (epoch ms), None for never."""


def key_of(plan: OrderPlanned) -> ContractKey:
    """Return what the broker nets an order in."""
    return ContractKey(plan.contract.exchange, plan.contract.tradingsymbol, plan.product)


def our_contracts(
    blotter: Blotter, today: date, now_ms: int, closes_ms: ClosesMs, square_off_ms: SquareOffMs
) -> tuple[OurContract, ...]:
    """Return each contract that our books hold, or in which an order was sent today."""
    wanted = [orders for orders in blotter.positions() if _counts(orders, blotter, today)]
    ordered = sorted(wanted, key=lambda orders: key_of(orders[0].plan))
    grouped = groupby(ordered, key=lambda orders: key_of(orders[0].plan))
    return tuple(
        replace(
            _contract(key, list(orders), blotter, today, now_ms, closes_ms),
            square_off_ms=square_off_ms(key.product, key.exchange, today),
        )
        for key, orders in grouped
    )


def _counts(orders: Sequence[Order], blotter: Blotter, today: date) -> bool:
    holding = blotter.holding(orders[0].plan.position_id)
    is_open = holding.bought != holding.sold or holding.buying or holding.selling
    return bool(is_open) or any(one.plan.trading_day == today for one in orders)


def _contract(
    key: ContractKey,
    positions: Sequence[Sequence[Order]],
    blotter: Blotter,
    today: date,
    now_ms: int,
    closes_ms: ClosesMs,
) -> OurContract:
    contract = positions[0][0].plan.contract
    holdings = [blotter.holding(orders[0].plan.position_id) for orders in positions]
    orders = [one for orders in positions for one in orders]
    close_ms = closes_ms(contract.exchange, contract.expiry)
    is_over = today > contract.expiry if close_ms is None else now_ms > close_ms
    return OurContract(
        key=key,
        underlying=contract.underlying,
        lot_size=contract.lot_size,
        bought=sum(one.bought for one in holdings),
        sold=sum(one.sold for one in holdings),
        orders=tuple(_order(one, today) for one in orders if was_sent(one)),
        booked=_booked(orders),
        has_expired=is_over,
    )


def was_sent(order: Order) -> bool:
    """Whether an order may be at the broker: no booking, and not known to be unsent."""
    return not order.plan.is_booking and not (order.state == "rejected" and not order.fills)


def _order(order: Order, today: date) -> OurOrder:
    plan = order.plan
    return OurOrder(
        tag=plan.tag,
        broker_order_id=order.broker_order_id,
        transaction_type=plan.transaction_type,
        filled=order.filled_quantity,
        working=order.working_quantity,
        is_today=plan.trading_day == today,
        is_cover=plan.leg == "exit" and plan.transaction_type == "BUY",
        has_ended=order.has_ended,
    )


def _booked(orders: Iterable[Order]) -> dict[TradeId, int]:
    """Return the units that were booked of each trade that was not ours."""
    booked: dict[TradeId, int] = {}
    for order in orders:
        if order.plan.is_booking:
            for fill in order.fills.values():
                trade = order.broker_order_id, trade_of(fill.fill_id)
                booked[trade] = booked.get(trade, 0) + fill.quantity
    return booked
