"""The account ports: trade book, positions and funds, as the broker reports them.

Quantities are units, money is exact, in rupees. Every request may raise SessionError, RateLimited,
BrokerUnavailable, ReplyUnreadable or RequestRefused of `libs.broker.errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from libs.broker.port.orders import Fill, OrderRequest, OrderUpdate, Side


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill in the day's trade book, with the order that it belongs to."""

    broker_order_id: str
    tradingsymbol: str
    transaction_type: Side
    fill: Fill
    exchange: str = ""
    product: str = ""


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


@dataclass(frozen=True, slots=True)
class ContractState:
    """What the account has of one contract: net positions by product, and its open orders."""

    positions: tuple[NetPosition, ...]
    working: tuple[OrderUpdate, ...]

    def net(self, product: str) -> int:
        """Return the net units of a product, negative for a short position."""
        return sum(one.quantity for one in self.positions if one.product == product)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row of the account's books that could not be read, and what it shows of itself.

    `what` is order, trade, position or margin; empty fields could not be read either.
    """

    what: str
    broker_order_id: str
    tag: str
    exchange: str
    tradingsymbol: str
    reason: str


class Account(Protocol):
    """The account's trades and positions; its order book is `OrderClient.orders`.

    Each row is read by itself: one that cannot be read is left out, and named by `unreadable`.
    """

    def unreadable(self) -> Sequence[Unreadable]:
        """Return what could not be read when each book was read last."""

    async def contract(self, exchange: str, tradingsymbol: str) -> ContractState:
        """Return what is held of a contract, and its orders that may still fill, nothing else.

        It is asked before each sale, so it reads as little as possible. Raises ReplyUnreadable if
        the contract's own position cannot be read.
        """

    async def required_margin(self, request: OrderRequest) -> Decimal | None:
        """Return the margin that an order needs by the broker's calculator, rupees.

        None: there is no calculator.
        """

    async def margins(self) -> Mapping[str, Margin]:
        """Return the funds by segment: equity, commodity. Paper trading has none: empty."""

    async def trades(self) -> Sequence[Trade]:
        """Return the day's trade book."""

    async def positions(self) -> Sequence[NetPosition]:
        """Return the net positions, closed ones included."""


class Funds(Protocol):
    """The broker's name. Paper trading has none."""

    async def broker(self) -> str:
        """Return the broker's name as the account shows it."""
