"""Compares our orders and positions with the broker's; a line of text for each difference."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from libs.events.orders import (
    OrderCancelled,
    OrderEvent,
    OrderFilled,
    OrderPlanned,
    OrderRejected,
)

TOLERANCE = Decimal("0.0001")
"""Rupees by which averages and values may differ, since the broker rounds them."""


@dataclass(frozen=True, slots=True)
class OrderResult:
    """Kite's status of an order, units filled, and their average price in rupees."""

    status: str
    filled_quantity: int
    average_price: Decimal


def results_of(events: Iterable[OrderEvent]) -> dict[str, OrderResult]:
    """Return the result of each order by its tag, according to our events."""
    results: dict[str, OrderResult] = {}
    for event in events:
        if isinstance(event, OrderPlanned):
            results.setdefault(event.tag, OrderResult("OPEN", 0, Decimal(0)))
        elif isinstance(event, OrderFilled):
            is_complete = event.filled_quantity >= event.quantity
            status = "COMPLETE" if is_complete else results[event.tag].status
            results[event.tag] = OrderResult(status, event.filled_quantity, event.average_price)
        elif isinstance(event, (OrderRejected, OrderCancelled)):
            was = results[event.tag]
            status = "REJECTED" if isinstance(event, OrderRejected) else "CANCELLED"
            results[event.tag] = OrderResult(status, was.filled_quantity, was.average_price)
    return results


def order_differences(
    events: Sequence[OrderEvent], book: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the differences between our orders and Kite's order book.

    An order that the broker refused at once is not in its book.
    """
    ours = results_of(events)
    counts = Counter(order["tag"] for order in book)
    yield from (
        f"{tag}: {count} orders carry this tag" for tag, count in counts.items() if count > 1
    )
    yield from (f"{tag}: at the broker, and not ours" for tag in counts if tag not in ours)
    theirs = {order["tag"]: _result(order) for order in book}
    for tag, result in ours.items():
        if tag not in theirs and result.status != "REJECTED":
            yield f"{tag}: {result.status} with us, and not at the broker"
        elif tag in theirs and not _is_same(result, theirs[tag]):
            yield f"{tag}: {_text(result)} with us, {_text(theirs[tag])} at the broker"


def position_differences(
    events: Iterable[OrderEvent], positions: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the differences between our fills and Kite's net positions, in units and rupees."""
    ours: dict[str, dict[str, Decimal]] = {}
    for event in events:
        if isinstance(event, OrderFilled):
            side = event.transaction_type.lower()
            sums = ours.setdefault(event.contract.tradingsymbol, {})
            value = event.fill_price * event.fill_quantity
            sums[f"{side}_quantity"] = (
                sums.get(f"{side}_quantity", Decimal(0)) + event.fill_quantity
            )
            sums[f"{side}_value"] = sums.get(f"{side}_value", Decimal(0)) + value
    theirs = {position["tradingsymbol"]: position for position in positions}
    for symbol in sorted(ours.keys() | theirs.keys()):
        for column in ("buy_quantity", "buy_value", "sell_quantity", "sell_value"):
            mine = ours.get(symbol, {}).get(column, Decimal(0))
            brokers = Decimal(str(theirs.get(symbol, {}).get(column, 0)))
            if abs(mine - brokers) > TOLERANCE:
                yield f"{symbol}: {column} {mine} with us, {brokers} at the broker"


def _result(order: Mapping[str, Any]) -> OrderResult:
    status = order["status"]
    is_over = status in {"COMPLETE", "CANCELLED", "REJECTED"}
    average = Decimal(str(order["average_price"]))
    return OrderResult(status if is_over else "OPEN", int(order["filled_quantity"]), average)


def _is_same(ours: OrderResult, theirs: OrderResult) -> bool:
    is_same_price = abs(ours.average_price - theirs.average_price) <= TOLERANCE
    same = (ours.status, ours.filled_quantity) == (theirs.status, theirs.filled_quantity)
    return same and is_same_price


def _text(result: OrderResult) -> str:
    return f"{result.status} {result.filled_quantity} at {result.average_price}"
