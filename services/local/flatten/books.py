"""What our books hold of earlier days: the broker's order book of today does not show it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from libs.broker.port import OrderUpdate, is_own_tag
from libs.events.event import Event
from libs.events.orders import Mode, OrderFilled, OrderPlanned
from services.local.flatten.account import ContractKey


@dataclass(frozen=True, slots=True)
class Booked:
    """A fill of our books: tag of its order, the order at the broker, units (a sale: below 0)."""

    tag: str
    broker_order_id: str
    key: ContractKey
    units: int


def books_of(events: Iterable[Event], mode: Mode) -> tuple[Booked, ...]:
    """Return the fills of a mode; a repeated event counts once."""
    products: dict[object, str] = {}
    fills: dict[object, OrderFilled] = {}
    for event in events:
        if isinstance(event, OrderPlanned):
            products[event.order_id] = event.product
        elif isinstance(event, OrderFilled) and event.mode == mode:
            fills[event.event_id] = event
    return tuple(_booked(one, products.get(one.order_id, "NRML")) for one in fills.values())


def carried(books: Iterable[Booked], orders: Sequence[OrderUpdate]) -> dict[ContractKey, int]:
    """Return what our books held when the day began, and what of it was closed without us since.

    Left out is what the broker's order book of today shows under our tags: that is counted there.
    """
    tags = {one.tag for one in orders}
    ours = {one.broker_order_id for one in orders if is_own_tag(one.tag)}
    held: dict[ContractKey, int] = defaultdict(int)
    for one in books:
        if one.tag not in tags and one.broker_order_id not in ours:
            held[one.key] += one.units
    return dict(held)


def _booked(fill: OrderFilled, product: str) -> Booked:
    contract = fill.contract
    key = ContractKey(contract.exchange, contract.tradingsymbol, product)
    units = fill.fill_quantity if fill.transaction_type == "BUY" else -fill.fill_quantity
    return Booked(fill.tag, fill.broker_order_id, key, units)
