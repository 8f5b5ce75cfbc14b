"""The account's orders: numbering, finding, and the record of each step."""

from collections.abc import Iterator
from typing import Any

from services.simulator.domain.account.order import Order
from services.simulator.domain.account.order_replies import order_row, order_update
from services.simulator.domain.account.rules import AccountRules
from services.simulator.domain.account.state import AccountState
from services.simulator.domain.errors import NotFound

_EXCHANGE_PREFIXES = {"NSE": "11", "NFO": "15", "BSE": "12", "BFO": "16"}


class OrderBook:
    """The orders of the day in the order of their placing."""

    def __init__(self, state: AccountState, rules: AccountRules) -> None:
        self._state, self._rules = state, rules

    def __iter__(self) -> Iterator[Order]:
        return iter(self._state.orders.values())

    def working(self) -> list[Order]:
        """Orders that are not over, first placed first."""
        return [order for order in self if not order.is_over]

    def find(self, order_id: str, variety: str | None = None) -> Order:
        """Return an order; raises NotFound."""
        order = self._state.orders.get(order_id)
        if order is None or variety not in (None, order.variety):
            raise NotFound("Couldn't find that `order_id`.")
        return order

    def next_order_id(self) -> str:
        """Number an order or a parent: the day and nine digits, always rising."""
        self._state.order_count += 1
        return f"{self._state.trading_day:%y%m%d}{self._state.order_count:09}"

    def next_trade_id(self, exchange: str) -> str:
        """Number a fill: the day and eight digits, or as its exchange counts, anew each day."""
        if self._state.trades_by_exchange:
            counts = self._state.exchange_trades
            counts[exchange] = counts.get(exchange, 0) + 1
            return str(counts[exchange])
        self._state.trade_count += 1
        return f"{self._state.trading_day:%y%m%d}{self._state.trade_count:08}"

    def next_exchange_order_id(self, exchange: str) -> str:
        """Number an order at the exchange: its prefix, the day and eight digits."""
        self._state.exchange_count += 1
        day = self._state.trading_day
        return f"{_EXCHANGE_PREFIXES[exchange]}{day:%y%m%d}{self._state.exchange_count:08}"

    def add(self, order: Order, *statuses: str) -> None:
        """Add an order, and record its first states."""
        self._state.orders[order.order_id] = order
        for status in statuses:
            self.step(order, status)

    def step(self, order: Order, status: str) -> None:
        """Move an order to a state and record the step in its history."""
        order.move(status)
        self.record(order)

    def record(self, order: Order) -> None:
        """Record the order's current row in its history."""
        order.history.append(self.row(order))

    def row(self, order: Order) -> dict[str, Any]:
        """Return the order's row of the order book."""
        return order_row(order, self._state.user_id)

    def announce(self, order: Order, status: str | None = None) -> None:
        """Send an order update, with the order's status unless another one is given."""
        row = self.row(order) | {"status": status or order.status}
        self._state.updates.append(order_update(row, self._state.user_id, self._rules))

    def end(
        self,
        order: Order,
        status: str,
        at_ms: int,
        reason: str | None = None,
        raw: str | None = None,
    ) -> None:
        """Cancel or reject the rest of an order, and send the update."""
        if status == "CANCELLED":
            order.cancelled_quantity = order.terms.quantity - order.filled_quantity
        if order.exchange_order_id is not None:
            order.confirmed(at_ms, is_end=True)
        order.change = None
        order.explain(reason, raw)
        self.step(order, status)
        self.announce(order)

    def modify(self, order: Order, at_ms: int) -> None:
        """Apply the terms of a modification."""
        if order.change is None or order.change.terms is None:
            raise ValueError(f"order {order.order_id} has no modification on its way")
        order.terms, order.is_modified = order.change.terms, True
        order.confirmed(at_ms)
        self._settle_modification(order, None)

    def refuse_modification(self, order: Order, reason: str) -> None:
        """Refuse a modification: record why, and leave the terms as they were."""
        self._settle_modification(order, reason)

    def _settle_modification(self, order: Order, reason: str | None) -> None:
        order.change = None
        order.explain(reason)
        self.step(order, order.rest_status)
        self.announce(order, "UPDATE")
