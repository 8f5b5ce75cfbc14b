"""The account ports: trade book, positions and funds, as the broker reports them.

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
    """The net position in a contract: bought less sold, so a short position is negative."""

    exchange: str
    tradingsymbol: str
    product: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Margin:
    """Available and used funds of a segment, in rupees."""

    available: Decimal
    used: Decimal


class Account(Protocol):
    """The account's trades and positions; its order book is `OrderClient.orders`."""

    async def trades(self) -> Sequence[Trade]:
        """Return the day's trade book."""

    async def positions(self) -> Sequence[NetPosition]:
        """Return the net positions, closed ones included."""


class Funds(Protocol):
    """The broker's name and the funds. Paper trading has none."""

    async def broker(self) -> str:
        """Return the broker's name as the account shows it."""

    async def margins(self) -> Mapping[str, Margin]:
        """Return the funds by segment: equity, commodity."""
