"""Our orders and positions beside the broker's: what differs, in words."""

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

PAISE_OF_PAISE = Decimal("0.0001")
"""Averages are compared to this many rupees: the broker rounds them."""


@dataclass(frozen=True, slots=True)
class OrderFate:
    """What an order came to: its status in Kite's words, units filled and their average price."""

    status: str
    filled_quantity: int
    average_price: Decimal


def fates_of(events: Iterable[OrderEvent]) -> dict[str, OrderFate]:
    """Return the fate of each order by its tag, as our events tell it."""
    fates: dict[str, OrderFate] = {}
    for event in events:
        if isinstance(event, OrderPlanned):
            fates.setdefault(event.tag, OrderFate("OPEN", 0, Decimal(0)))
        elif isinstance(event, OrderFilled):
            is_complete = event.filled_quantity >= event.quantity
            status = "COMPLETE" if is_complete else fates[event.tag].status
            fates[event.tag] = OrderFate(status, event.filled_quantity, event.average_price)
        elif isinstance(event, (OrderRejected, OrderCancelled)):
            was = fates[event.tag]
            status = "REJECTED" if isinstance(event, OrderRejected) else "CANCELLED"
            fates[event.tag] = OrderFate(status, was.filled_quantity, was.average_price)
    return fates


def order_differences(
    events: Sequence[OrderEvent], book: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what differs between our orders and Kite's order book.

    An order that the broker refused on the spot is not in its book.
    """
    ours = fates_of(events)
    counts = Counter(order["tag"] for order in book)
    yield from (
        f"{tag}: {count} orders carry this tag" for tag, count in counts.items() if count > 1
    )
    yield from (f"{tag}: at the broker, and not ours" for tag in counts if tag not in ours)
    theirs = {order["tag"]: _fate(order) for order in book}
    for tag, fate in ours.items():
        if tag not in theirs and fate.status != "REJECTED":
            yield f"{tag}: {fate.status} with us, and not at the broker"
        elif tag in theirs and not _is_same(fate, theirs[tag]):
            yield f"{tag}: {_words(fate)} with us, {_words(theirs[tag])} at the broker"


def position_differences(
    events: Iterable[OrderEvent], positions: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what differs between our fills and Kite's net positions: units, and rupees."""
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
            kites = Decimal(str(theirs.get(symbol, {}).get(column, 0)))
            if abs(mine - kites) > PAISE_OF_PAISE:
                yield f"{symbol}: {column} {mine} with us, {kites} at the broker"


def _fate(order: Mapping[str, Any]) -> OrderFate:
    status = order["status"]
    is_over = status in {"COMPLETE", "CANCELLED", "REJECTED"}
    average = Decimal(str(order["average_price"]))
    return OrderFate(status if is_over else "OPEN", int(order["filled_quantity"]), average)


def _is_same(ours: OrderFate, theirs: OrderFate) -> bool:
    is_same_price = abs(ours.average_price - theirs.average_price) <= PAISE_OF_PAISE
    same = (ours.status, ours.filled_quantity) == (theirs.status, theirs.filled_quantity)
    return same and is_same_price


def _words(fate: OrderFate) -> str:
    return f"{fate.status} {fate.filled_quantity} at {fate.average_price}"
