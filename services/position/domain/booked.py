"""A fill as the books keep it, whether it comes from an event or from a table."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Self
from uuid import UUID

from libs.events.orders import Leg, Mode, OrderFilled, TransactionType
from libs.events.positions import fill_key


@dataclass(frozen=True, slots=True)
class BookedFill:
    """One fill: quantities in units, the price in rupees. `quantity` is the order's, 0: unknown.

    `key` tells it from every other fill, as `fill_key` does. `decided_price` is the price that was
    seen when the order was decided, rupees; None: not known.
    """

    key: str
    trading_day: date
    at: datetime
    order_id: UUID
    broker_order_id: str
    fill_id: str
    position_id: UUID
    signal_id: UUID
    leg: Leg
    mode: Mode
    exchange: str
    tradingsymbol: str
    transaction_type: TransactionType
    quantity: int
    filled_quantity: int
    fill_quantity: int
    fill_price: Decimal
    decided_price: Decimal | None = None

    @classmethod
    def of(cls, event: OrderFilled) -> Self:
        """Return the fill of an event."""
        return cls(
            key=fill_key(event),
            trading_day=event.trading_day,
            at=event.occurred_at,
            order_id=event.order_id,
            broker_order_id=event.broker_order_id,
            fill_id=event.fill_id,
            position_id=event.position_id,
            signal_id=event.signal_id,
            leg=event.leg,
            mode=event.mode,
            exchange=event.contract.exchange,
            tradingsymbol=event.contract.tradingsymbol,
            transaction_type=event.transaction_type,
            quantity=event.quantity,
            filled_quantity=event.filled_quantity,
            fill_quantity=event.fill_quantity,
            fill_price=event.fill_price,
            decided_price=event.premium if event.leg == "entry" else None,
        )

    @property
    def value(self) -> Decimal:
        """Quantity times price, rupees."""
        return self.fill_quantity * self.fill_price

    @property
    def slippage(self) -> Decimal | None:
        """What the fill cost against the price that was decided on, rupees; positive is worse."""
        if self.decided_price is None:
            return None
        worse = self.fill_price - self.decided_price
        return self.fill_quantity * (worse if self.transaction_type == "BUY" else -worse)


def in_order(fills: Iterable[BookedFill]) -> tuple[BookedFill, ...]:
    """Return each fill once, oldest first; of two with one key the older one counts.

    The order in which they are given changes nothing.
    """
    first: dict[str, BookedFill] = {}
    for fill in sorted(fills, key=_place):
        first.setdefault(fill.key, fill)
    return tuple(first.values())


def corrected(fills: Iterable[BookedFill]) -> tuple[str, ...]:
    """Return the keys under which different quantities, prices or sides were told."""
    told: dict[str, set[tuple[object, ...]]] = {}
    for fill in fills:
        said = (fill.transaction_type, fill.fill_quantity, fill.fill_price, fill.tradingsymbol)
        told.setdefault(fill.key, set()).add(said)
    return tuple(sorted(key for key, said in told.items() if len(said) > 1))


def _place(fill: BookedFill) -> tuple[object, ...]:
    return (fill.at, fill.filled_quantity, fill.key, fill.fill_quantity, fill.fill_price)
