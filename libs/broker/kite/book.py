"""The known state of each order, from updates, order book and trades in any order.

State only grows: filled quantities rise, a final status stays, trades are counted once. So late,
repeated or lost updates do not change the result.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.known import Known, State, known_of
from libs.broker.kite.mapping import Row, fill_of
from libs.broker.port.fills import fill_of_order, is_from_order, unbooked
from libs.broker.port.orders import Fill, OrderRequest, OrderStatus, OrderUpdate, is_own_tag

_NOT_LISTED = "its validity is over: the next day does not list it"


@dataclass(slots=True)
class OrderBook:
    """All orders of the day by the broker's id, each joined with its trades.

    An order is ours if its tag looks like one of ours or was noted by `own`. The fills of others
    are told from the order itself where their trades are missing: nobody books them.
    """

    _orders: dict[str, Known] = field(default_factory=dict)
    _trades: dict[str, dict[str, Fill]] = field(default_factory=dict)
    _own_tags: set[str] = field(default_factory=set)
    _may_lack: set[str] = field(default_factory=set)

    def own(self, tag: str) -> None:
        """Note that orders with this tag are ours."""
        self._own_tags.add(tag)

    def expect(self, broker_order_id: str, request: OrderRequest) -> None:
        """Follow an order that was just placed; this makes no update."""
        self.own(request.tag)
        seen = Known.placed(broker_order_id, request)
        order = self._orders.setdefault(broker_order_id, seen)
        order.handed_on = order.handed_on or ("OPEN", 0, seen.awaits_trigger, order.quantity)

    def modify(self, broker_order_id: str) -> None:
        """Note that an order's quantity is about to change: late updates may show the old one."""
        if broker_order_id in self._orders:
            self._orders[broker_order_id].is_modified = True

    def cancel(self, broker_order_id: str) -> None:
        """Note that an order's cancellation was asked for here."""
        if broker_order_id in self._orders:
            self._orders[broker_order_id].is_cancel_asked = True

    def take_order(self, row: Row, now_ms: int) -> None:
        """Merge an order row; `now_ms` replaces missing times. Raises ReplyUnreadable."""
        seen = known_of(row, now_ms)
        order = self._orders.setdefault(seen.broker_order_id, seen)
        order.learn(seen)
        self._may_lack.add(order.broker_order_id)
        if not self._is_ours(order):
            self.fill_up(order.broker_order_id)

    def take_trades(self, rows: Iterable[Row]) -> None:
        """Merge trade rows of any orders. Raises ReplyUnreadable."""
        for row in rows:
            fill, order_id = fill_of(row), row.get("order_id")
            if not order_id:
                raise ReplyUnreadable(f"trade {fill.fill_id} of Kite names no order")
            self._trades.setdefault(str(order_id), {})[fill.fill_id] = fill

    def end_days_before(self, day_ms: int, listed: Collection[str]) -> None:
        """End what is of an earlier day (before `day_ms`) and not `listed` any more.

        An order that was open has lapsed, which is news; one that has ended is forgotten.
        """
        for order_id, order in list(self._orders.items()):
            if order_id in listed or not 0 < order.at_ms < day_ms:
                continue
            if self._status(order) == "OPEN":
                order.status, order.reason = "CANCELLED", _NOT_LISTED
            elif order.handed_on == self._state(order):
                del self._orders[order_id]
                self._trades.pop(order_id, None)

    def fill_up(self, broker_order_id: str) -> Fill | None:
        """Tell from an order itself what its trades do not show; None if there is nothing."""
        order = self._orders[broker_order_id]
        booked = self._booked(order)
        filled, average = order.filled_quantity, order.average_price
        fill = fill_of_order(broker_order_id, booked, filled, average, order.at_ms)
        if fill is not None:
            order.fills.append(fill)
        return fill

    def lacking(self) -> list[str]:
        """Return the ids of our orders whose fills do not yet add up to the filled quantity."""
        known = {one: self._orders[one] for one in self._may_lack if one in self._orders}
        self._may_lack = {one for one, order in known.items() if not self._adds_up(order)}
        return sorted(one for one in self._may_lack if self._is_ours(known[one]))

    def unconfirmed(self) -> list[str]:
        """Return the ids of our orders whose fills were told from the order, without trades yet."""
        return [
            order_id
            for order_id, order in self._orders.items()
            if self._is_ours(order)
            and any(map(is_from_order, order.fills))
            and _units(self._trades.get(order_id, {}).values()) < _units(order.fills)
        ]

    def difference(self, broker_order_id: str) -> Decimal:
        """Return how many rupees the trades of an order are worth more than what was told."""
        order = self._orders[broker_order_id]
        trades = self._trades.get(broker_order_id, {}).values()
        return _value(trades) - _value(self._booked(order))

    def is_ours(self, broker_order_id: str, tag: str) -> bool:
        """Whether an order is ours, by its tag or its id; either may be empty."""
        order = self._orders.get(broker_order_id)
        return self._is_own(tag) or (order is not None and self._is_ours(order))

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
        """Return the orders that changed since the last call, if their fills add up."""
        return [self._update(order) for order in self._orders.values() if self._is_news(order)]

    def updates(self) -> list[OrderUpdate]:
        """Return every order; check `lacking` first."""
        return [self._update(order) for order in self._orders.values()]

    def from_orders(self) -> list[OrderUpdate]:
        """Return every order with its fills told from itself where its trades are missing."""
        for order_id in self._orders:
            self.fill_up(order_id)
        return self.updates()

    def _is_own(self, tag: str) -> bool:
        return tag in self._own_tags or is_own_tag(tag)

    def _is_ours(self, order: Known) -> bool:
        return self._is_own(order.tag)

    def _is_news(self, order: Known) -> bool:
        state = self._state(order)
        if state == order.handed_on or (self._is_ours(order) and not self._adds_up(order)):
            return False
        order.handed_on = state
        return True

    def _state(self, order: Known) -> State:
        status, filled = self._status(order), self._filled(order)
        return status, filled, order.awaits_trigger, order.quantity

    def _adds_up(self, order: Known) -> bool:
        return self._filled(order) >= order.filled_quantity

    def _booked(self, order: Known) -> list[Fill]:
        """Return an order's fills, with what its trades show beyond them."""
        trades = self._trades.get(order.broker_order_id, {}).values()
        order.fills += unbooked(order.fills, sorted(trades, key=_number))
        return order.fills

    def _filled(self, order: Known) -> int:
        return _units(self._booked(order))

    def _status(self, order: Known) -> OrderStatus:
        """Return the status: COMPLETE as soon as the trades fill the order.

        For a modified order Kite's status counts, because its quantity may not be known here.
        """
        if order.is_modified or order.status != "OPEN":
            return order.status
        return "COMPLETE" if 0 < order.quantity <= self._filled(order) else "OPEN"

    def _update(self, order: Known) -> OrderUpdate:
        fills = self._booked(order)
        if not any(map(is_from_order, fills)):
            fills = sorted(fills, key=_number)
        return order.update(self._status(order), tuple(fills))


def _number(fill: Fill) -> tuple[int, str]:
    """Return the sort key of trade ids, which are numbers as text."""
    return len(fill.fill_id), fill.fill_id


def _units(fills: Iterable[Fill]) -> int:
    return sum(fill.quantity for fill in fills)


def _value(fills: Iterable[Fill]) -> Decimal:
    return sum((fill.price * fill.quantity for fill in fills), Decimal(0))
