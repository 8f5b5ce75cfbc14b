"""All orders of the executor, and what each position still holds."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from decimal import Decimal
from uuid import UUID

from libs.broker.port import NetPosition, OrderUpdate
from libs.events.orders import OrderEvent, OrderPlanned
from services.executor.domain.order import Order


@dataclass(frozen=True, slots=True)
class Holding:
    """A position by its orders, in units: bought, sold, and in orders that may still fill.

    `guarding` are those in stops that rest at the exchange. `sold` is less what was bought back of
    an oversold position. `doubtful` is the part of `buying` whose orders are in doubt: whether they
    are at the broker is not known. `sold_unasked` is the part of `sold` that no exit request asked
    for: by a stop at the exchange, by hand, by the broker.
    """

    bought: int
    sold: int
    selling: int
    buying: int
    doubtful: int = 0
    guarding: int = 0
    sold_unasked: int = 0

    @property
    def held(self) -> int:
        """Units held, negative if more was sold than bought."""
        return self.bought - self.sold

    @property
    def buying_surely(self) -> int:
        """Units in entries that are known to work."""
        return self.buying - self.doubtful

    @property
    def sellable(self) -> int:
        """Units that no order is about to sell: what an exit may send at most."""
        return max(0, self.bought - self.sold - self.selling - self.guarding)


_SUMMED = tuple(one.name for one in fields(Holding))


@dataclass(slots=True)
class Blotter:
    """Orders by id, tag and position; `_unfinished` are those that are not known to have ended."""

    _orders: dict[UUID, Order] = field(default_factory=dict)
    _unfinished: dict[UUID, Order] = field(default_factory=dict)
    _by_tag: dict[str, Order] = field(default_factory=dict)
    _by_position: dict[UUID, list[Order]] = field(default_factory=dict)

    def apply(self, event: OrderEvent) -> None:
        """Apply an event of an order, new or known; repeats change nothing."""
        order = self._orders.get(event.order_id)
        if order is not None:
            order.apply(event)
        elif isinstance(event, OrderPlanned):
            self.add(event)

    def knows(self, order_id: UUID) -> bool:
        """Whether there is an order of this id."""
        return order_id in self._orders

    def add(self, plan: OrderPlanned) -> Order:
        """Add a new order."""
        order = Order(plan)
        self._orders[plan.order_id] = self._unfinished[plan.order_id] = order
        self._by_tag[plan.tag] = order
        self._by_position.setdefault(plan.position_id, []).append(order)
        return order

    def watch(self, order: Order) -> None:
        """Count an order as one that may still fill, also if it was taken for filled before."""
        self._unfinished.setdefault(order.plan.order_id, order)

    def with_tag(self, tag: str) -> Order | None:
        """Return the order of a tag."""
        return self._by_tag.get(tag)

    def of_position(self, position_id: UUID) -> list[Order]:
        """Return the orders of a position, in the order of their plans."""
        return self._by_position.get(position_id, [])

    def working(self) -> list[Order]:
        """Return the orders that may still fill, in the order of their plans."""
        self._unfinished = {
            key: order for key, order in self._unfinished.items() if not order.has_ended
        }
        return [order for order in self._unfinished.values() if order.working_quantity]

    def positions(self) -> list[list[Order]]:
        """Return the orders of each position, in the order of their plans."""
        return list(self._by_position.values())

    def held(self) -> tuple[OrderPlanned, ...]:
        """Return an entry of each position that holds units."""
        return self._entries(lambda held: held.bought > held.sold)

    def net_positions(self) -> tuple[NetPosition, ...]:
        """Return what all orders add up to by contract and product."""
        held: Counter[tuple[str, str, str]] = Counter()
        for entry in self.held():
            one, contract = self.holding(entry.position_id), entry.contract
            key = contract.exchange, contract.tradingsymbol, entry.product
            held[key] += one.bought - one.sold
        return tuple(NetPosition(*key, quantity) for key, quantity in held.items())

    def filled_orders(self) -> tuple[OrderUpdate, ...]:
        """Return the orders that have filled and are over, as the broker would show them."""
        ended = [one for one in self._orders.values() if one.fills and one.has_ended]
        return tuple(one.as_update() for one in ended)

    def to_close(self) -> tuple[OrderPlanned, ...]:
        """Return an entry of each position that holds units, or whose entry may still fill."""
        return self._entries(lambda held: held.bought > held.sold or held.buying > 0)

    def _entries(self, is_meant: Callable[[Holding], bool]) -> tuple[OrderPlanned, ...]:
        positions = self._by_position.items()
        return tuple(orders[0].plan for key, orders in positions if is_meant(self.holding(key)))

    def holding(self, position_id: UUID) -> Holding:
        """Return what the orders of a position add up to."""
        sums = dict.fromkeys(_SUMMED, 0)
        for order in self.of_position(position_id):
            filled, may_fill = order.filled_quantity, order.working_quantity + order.stray_quantity
            if order.plan.leg == "entry":
                sums["bought"] += filled
                sums["buying"] += may_fill
                sums["doubtful"] += order.working_quantity if order.state == "unresolved" else 0
                continue
            is_sale = order.plan.transaction_type == "SELL"
            sums["sold"] += filled if is_sale else -filled  # less what is bought back
            sums["sold_unasked"] += filled if order.closes_unasked else 0
            if order.is_stop:
                sums["guarding"] += may_fill + order.shrinking_quantity
            elif is_sale:
                sums["selling"] += may_fill
        return Holding(**sums)

    def average_price(self, position_id: UUID) -> Decimal:
        """Return the average price of a position's bought units, rupees; 0 without any."""
        entries = [o for o in self.of_position(position_id) if o.plan.leg == "entry"]
        bought = sum(order.filled_quantity for order in entries)
        paid = sum((order.average_price * order.filled_quantity for order in entries), Decimal(0))
        return paid / bought if bought else Decimal(0)
