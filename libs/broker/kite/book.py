"""The known state of each order, from updates, order book and trades in any order.

State only grows: filled quantities rise, a final status stays, trades are counted once. So late,
repeated or lost updates do not change the result.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.mapping import Row, fill_of, reason_of, status_of, updated_ms
from libs.broker.port.orders import Fill, OrderStatus, OrderUpdate


@dataclass(slots=True)
class _Known:
    """The known state of an order; `handed_on` is the last update that was published."""

    broker_order_id: str
    tag: str
    quantity: int = 0
    status: OrderStatus = "OPEN"
    filled_quantity: int = 0
    at_ms: int = 0
    reason: str = ""
    is_modified: bool = False
    handed_on: tuple[OrderStatus, int] | None = None

    def learn(self, newer: "_Known") -> None:
        self.tag = self.tag or newer.tag
        self.quantity = newer.quantity or self.quantity
        self.filled_quantity = max(self.filled_quantity, newer.filled_quantity)
        self.at_ms = max(self.at_ms, newer.at_ms)
        if self.status == "OPEN":
            self.status, self.reason = newer.status, newer.reason


@dataclass(slots=True)
class OrderBook:
    """All orders of the day by the broker's id, each joined with its trades."""

    _orders: dict[str, _Known] = field(default_factory=dict)
    _fills: dict[str, dict[str, Fill]] = field(default_factory=dict)

    def expect(self, broker_order_id: str, tag: str, quantity: int) -> None:
        """Follow an order of `quantity` units that was just placed; this makes no update."""
        order = self._orders.setdefault(broker_order_id, _Known(broker_order_id, tag, quantity))
        order.handed_on = order.handed_on or ("OPEN", 0)

    def modify(self, broker_order_id: str) -> None:
        """Note that an order's quantity is about to change: late updates may show the old one."""
        if broker_order_id in self._orders:
            self._orders[broker_order_id].is_modified = True

    def take_order(self, row: Row, now_ms: int) -> None:
        """Merge an order row; `now_ms` replaces missing times. Raises ReplyUnreadable."""
        seen = _known(row, now_ms)
        self._orders.setdefault(seen.broker_order_id, seen).learn(seen)

    def take_trades(self, rows: Iterable[Row]) -> None:
        """Merge trade rows of any orders. Raises ReplyUnreadable."""
        for row in rows:
            fill = fill_of(row)
            self._fills.setdefault(str(row.get("order_id")), {})[fill.fill_id] = fill

    def lacking(self) -> list[str]:
        """Return the ids of orders whose trades do not yet add up to the filled quantity."""
        return [order_id for order_id, order in self._orders.items() if not self._adds_up(order)]

    def has_tag(self, tag: str) -> bool:
        """Whether an order with this tag is known."""
        return any(order.tag == tag for order in self._orders.values())

    def is_final(self, broker_order_id: str) -> bool:
        """Whether an order's status is final."""
        order = self._orders.get(broker_order_id)
        return order is not None and self._status(order) != "OPEN"

    @property
    def is_working(self) -> bool:
        """Whether any order may still change."""
        return any(self._status(order) == "OPEN" for order in self._orders.values())

    def news(self) -> list[OrderUpdate]:
        """Return the orders that changed since the last call, if their trades add up."""
        return [self._update(order) for order in self._orders.values() if self._is_news(order)]

    def updates(self) -> list[OrderUpdate]:
        """Return every order; check `lacking` first."""
        return [self._update(order) for order in self._orders.values()]

    def _is_news(self, order: _Known) -> bool:
        state = (self._status(order), self._filled(order))
        if not self._adds_up(order) or state == order.handed_on:
            return False
        order.handed_on = state
        return True

    def _adds_up(self, order: _Known) -> bool:
        return self._filled(order) >= order.filled_quantity

    def _filled(self, order: _Known) -> int:
        fills = self._fills.get(order.broker_order_id)
        return sum(fill.quantity for fill in fills.values()) if fills else 0

    def _status(self, order: _Known) -> OrderStatus:
        """Return the status: COMPLETE as soon as the trades fill the order.

        For a modified order Kite's status counts, because its quantity may not be known here.
        """
        if order.is_modified or order.status != "OPEN":
            return order.status
        return "COMPLETE" if 0 < order.quantity <= self._filled(order) else "OPEN"

    def _update(self, order: _Known) -> OrderUpdate:
        fills = self._fills.get(order.broker_order_id, {})
        return OrderUpdate(
            broker_order_id=order.broker_order_id,
            tag=order.tag,
            status=self._status(order),
            at_ms=order.at_ms,
            fills=tuple(sorted(fills.values(), key=_number)),
            reason=order.reason,
        )


def _number(fill: Fill) -> tuple[int, str]:
    """Return the sort key of trade ids, which are numbers as text."""
    return len(fill.fill_id), fill.fill_id


def _known(row: Row, now_ms: int) -> _Known:
    try:
        return _Known(
            broker_order_id=str(row["order_id"]),
            tag=str(row.get("tag") or ""),
            quantity=int(row.get("quantity") or 0),
            status=status_of(row),
            filled_quantity=int(row["filled_quantity"]),
            at_ms=updated_ms(row, now_ms),
            reason=reason_of(row),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ReplyUnreadable(f"an order of Kite cannot be read: {error!r}") from error
