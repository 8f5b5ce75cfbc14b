"""What is compared: a snapshot of the account, and our books of each contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from libs.broker.port import Margin, NetPosition, OrderUpdate, Side, Trade

TradeId: TypeAlias = tuple[str, str]
"""The broker's order id and the fill's id: the latter alone comes again each day."""


class ContractKey(NamedTuple):
    """A contract in one product: what the broker nets."""

    exchange: str
    tradingsymbol: str
    product: str


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of the broker's that could not be read; empty fields are not known either."""

    kind: Literal["order", "trade", "position"]
    name: str
    exchange: str = ""
    tradingsymbol: str = ""
    tag: str = ""

    def concerns(self, contract: "OurContract") -> bool:
        """Whether our books of a contract cannot be compared without it.

        An order by hand is not needed, and neither is a trade by hand: what it did is in the net
        position, and is asked about only where that differs.
        """
        key = contract.key
        if self.kind == "position":
            return self.tradingsymbol == key.tradingsymbol and self.exchange in {"", key.exchange}
        return self.kind == "order" and any(self.tag == one.tag for one in contract.orders)


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """The day's orders, trades and positions, read in this order, and the funds by segment."""

    orders: Sequence[OrderUpdate] = ()
    trades: Sequence[Trade] = ()
    positions: Sequence[NetPosition] = ()
    unreadable: Sequence[UnreadableRow] = ()
    margins: Mapping[str, Margin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OurOrder:
    """An order of our books that was sent, in units; `working` may still fill.

    The broker's id is empty while it is not known. `is_today`: sent in the snapshot's trading day.
    `is_cover`: it buys back what was sold too much. `has_ended` by our books.
    """

    tag: str
    broker_order_id: str
    transaction_type: Side
    filled: int = 0
    working: int = 0
    is_today: bool = True
    is_cover: bool = False
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class OurContract:
    """Our books of a contract: each that holds units, or has an order of today.

    `bought` and `sold` (units) count all fills and bookings since the position was opened;
    `booked` are the units that were booked from trades that are not ours. `square_off_ms` (epoch
    ms): when the broker closes the product today. `has_expired`: it is not traded any more.
    """

    key: ContractKey
    underlying: str
    lot_size: int
    bought: int
    sold: int
    orders: Sequence[OurOrder] = ()
    booked: Mapping[TradeId, int] = field(default_factory=dict)
    square_off_ms: int | None = None
    has_expired: bool = False

    @property
    def held(self) -> int:
        """Units that our books hold; negative if more was sold than bought."""
        return self.bought - self.sold

    @property
    def selling(self) -> int:
        """Units in sales of ours that may still fill."""
        return sum(one.working for one in self.orders if one.transaction_type == "SELL")

    @property
    def covering(self) -> int:
        """Units that orders of ours are buying back."""
        return sum(one.working for one in self.orders if one.is_cover)

    def is_ours(self, order: OrderUpdate) -> bool:
        """Whether an order of the broker's book is one of these."""
        return any(
            (order.tag and order.tag == one.tag)
            or (one.broker_order_id and order.broker_order_id == one.broker_order_id)
            for one in self.orders
        )
