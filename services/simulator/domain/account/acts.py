"""What the exchange, the broker and the user do to an account without its client's asking."""

from collections.abc import Collection
from decimal import Decimal

from services.simulator.domain.account.order import Order
from services.simulator.domain.account.order_flow import OrderFlow
from services.simulator.domain.account.parts import AccountParts
from services.simulator.domain.account.prices import last_price


class Acts:
    """Faults of the exchange as the account feels them; times are epoch ms."""

    def __init__(self, parts: AccountParts, flow: OrderFlow) -> None:
        self._parts, self._flow = parts, flow

    def due(self, now_ms: int) -> list[Order]:
        """Orders that are in the book, or reach it now, first placed first."""
        working = self._parts.book.working()
        return [order for order in working if order.is_in_book or order.book_ms <= now_ms]

    def reject(self, order: Order, message: str, now_ms: int) -> None:
        """Reject an order that waits, or one of the book."""
        self._parts.book.end(order, "REJECTED", now_ms, message)

    def accept(self, order: Order, now_ms: int) -> bool:
        """Take an order into the book, if it waits for that; return whether it is at rest there."""
        if order.is_waiting:
            self._flow.validate(order, now_ms)
        return order.is_in_book and order.takes_changes

    def cancel(self, order: Order, message: str, now_ms: int) -> None:
        """Cancel what is left of an order of the book."""
        self._parts.book.end(order, "CANCELLED", now_ms, message)

    def fill(self, order: Order, quantity: int | None, now_ms: int) -> None:
        """Fill an order of the book at its limit: all that is pending, or at most so much."""
        pending = order.pending_quantity
        price = order.terms.limit or last_price(self._parts.market, self._parts.instrument(order))
        order.is_triggered = True
        self._flow.fill(order, min(quantity or pending, pending), price, now_ms)

    def hurry(self, order_ids: Collection[str], now_ms: int) -> None:
        """Let orders reach the book at once, and fill if the latest quotes suffice."""
        for order_id in order_ids:
            self._parts.book.find(order_id).book_ms = now_ms
        self._flow.advance(order_ids, now_ms)

    def square_off(self, exchange: str | None, now_ms: int) -> None:
        """Close the MIS positions of an exchange, or of all."""
        for each in (exchange,) if exchange else self._flow.exchanges:
            self._flow.close_intraday(each, now_ms)

    def set_funds(self, rupees: Decimal) -> None:
        """Set the cash with which the day began."""
        self._parts.state.funds = rupees

    def number_trades(self, *, by_exchange: bool, first: int) -> None:
        """Number the fills from now on: by exchange from a number on, or uniquely."""
        self._parts.state.trades_by_exchange = by_exchange
        exchanges = self._flow.exchanges
        self._parts.state.exchange_trades = dict.fromkeys(exchanges, first - 1)
