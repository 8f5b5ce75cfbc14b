"""The account ports: trade book, positions and funds as the broker's own books have them.

Quantities are units, money is exact, in rupees. Every request may raise SessionError, RateLimited,
BrokerUnavailable, ReplyUnreadable or RequestRefused of `libs.broker.errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from libs.broker.port.orders import Fill, Side


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill in the day's trade book, with the order that it belongs to."""

    broker_order_id: str
    tradingsymbol: str
    transaction_type: Side
    fill: Fill


@dataclass(frozen=True, slots=True)
class NetPosition:
    """What is held of a contract: bought less sold, so a short position is negative."""

    exchange: str
    tradingsymbol: str
    product: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Margin:
    """Funds of a segment in rupees: what may still be used, and what is."""

    available: Decimal
    used: Decimal


class Account(Protocol):
    """What the account holds by the broker's own books; its order book is `OrderClient.orders`."""

    async def trades(self) -> Sequence[Trade]:
        """Return the day's trade book."""

    async def positions(self) -> Sequence[NetPosition]:
        """Return what has been traded or is held, also what is square by now."""


class Funds(Protocol):
    """Whose account it is, and what it can pay. Paper trading has none."""

    async def broker(self) -> str:
        """Return the name that the broker has for itself."""

    async def margins(self) -> Mapping[str, Margin]:
        """Return the funds by segment: equity, commodity."""
