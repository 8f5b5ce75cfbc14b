"""The broker's rows by contract: each trade with what its order says of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from libs.broker.port import Fill, OrderUpdate, Side, Trade
from services.executor.domain.reconciliation.snapshot import (
    AccountSnapshot,
    ContractKey,
    OurContract,
    UnreadableRow,
)


@dataclass(frozen=True, slots=True)
class BrokerRows:
    """The snapshot's rows of one contract; `net` counts the units of its positions."""

    orders: tuple[OrderUpdate, ...]
    trades: tuple[Trade, ...]
    net: int

    @classmethod
    def of(cls, key: ContractKey, snapshot: AccountSnapshot) -> Self:
        """Return the rows of a contract of a snapshot that was `completed`."""
        return cls(
            orders=tuple(one for one in snapshot.orders if key_of(one) == key),
            trades=tuple(one for one in snapshot.trades if key_of(one) == key),
            net=sum(one.quantity for one in snapshot.positions if key_of(one) == key),
        )

    def fills_of(self, order: OrderUpdate) -> tuple[Fill, ...]:
        """Return an order's fills, with those that the trade book alone has yet."""
        own = {one.fill_id: one for one in order.fills}
        for trade in self.trades:
            if trade.broker_order_id == order.broker_order_id:
                own.setdefault(trade.fill.fill_id, trade.fill)
        return tuple(own.values())


def key_of(row: OrderUpdate | Trade | object) -> ContractKey:
    """Return the contract of an order, a trade or a position."""
    return ContractKey(
        getattr(row, "exchange", ""), getattr(row, "tradingsymbol", ""), getattr(row, "product", "")
    )


def completed(snapshot: AccountSnapshot, ours: Sequence[OurContract]) -> AccountSnapshot:
    """Return the snapshot with each order and trade under its contract, as far as it is known.

    What an order does not say is known from our books, what a trade does not say from its order.
    A trade whose contract stays unknown is unreadable.
    """
    orders = tuple(_completed_order(one, ours) for one in snapshot.orders)
    by_id = {one.broker_order_id: one for one in orders}
    known = {
        *(key_of(one) for one in snapshot.positions),
        *(one.key for one in ours),
        *(key_of(one) for one in orders),
    }
    once = {(one.exchange, one.broker_order_id, one.fill.fill_id): one for one in snapshot.trades}
    trades = tuple(_completed_trade(one, by_id, known) for one in once.values())
    vague = tuple(one for one in trades if not all(key_of(one)))
    rows = tuple(
        UnreadableRow("trade", one.fill.fill_id, one.exchange, one.tradingsymbol) for one in vague
    )
    return replace(
        snapshot,
        orders=orders,
        trades=tuple(one for one in trades if all(key_of(one))),
        unreadable=(*snapshot.unreadable, *rows),
    )


def _completed_order(order: OrderUpdate, ours: Iterable[OurContract]) -> OrderUpdate:
    contract = next((one for one in ours if one.is_ours(order)), None)
    if contract is None:
        return order
    key, side = contract.key, _side_of(order, contract)
    return replace(
        order,
        exchange=order.exchange or key.exchange,
        tradingsymbol=order.tradingsymbol or key.tradingsymbol,
        product=order.product or key.product,
        transaction_type=order.transaction_type or side,
    )


def _side_of(order: OrderUpdate, contract: OurContract) -> Side:
    matching = (
        one.transaction_type
        for one in contract.orders
        if order.tag == one.tag or order.broker_order_id == one.broker_order_id
    )
    return next(matching)


def _completed_trade(
    trade: Trade, orders: dict[str, OrderUpdate], known: Iterable[ContractKey]
) -> Trade:
    order = orders.get(trade.broker_order_id)
    exchange = trade.exchange or (order.exchange if order else "")
    product = trade.product or (order.product if order else "")
    fits = {
        one
        for one in known
        if one.tradingsymbol == trade.tradingsymbol
        and exchange in {"", one.exchange}
        and product in {"", one.product}
        and all(one)
    }
    if len(fits) == 1:
        exchange, _, product = fits.pop()
    at_ms = trade.fill.at_ms or (order.at_ms if order else 0)
    fill = replace(trade.fill, at_ms=at_ms)
    return replace(trade, exchange=exchange, product=product, fill=fill)
