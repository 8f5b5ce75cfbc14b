"""The venue port: all that the executor needs for its orders."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from libs.broker.port.account import Account, NetPosition
from libs.broker.port.orders import OrderClient, OrderUpdate
from libs.broker.port.session import Session
from libs.market.instruments import Instrument
from libs.market.quotes import Quote


class QuoteSource(Protocol):
    """The latest quotes, from memory."""

    def quote(self, instrument_token: int) -> Quote | None:
        """Return the latest quote, None if there is none."""


class Venue(OrderClient, Account, Protocol):
    """An order client with the account, and a task that follows orders."""

    @property
    def may_lose_replies(self) -> bool:
        """Whether an order may exist at the broker although its reply was lost.

        False if replies cannot be lost and orders end with the process.
        """

    @property
    def is_real(self) -> bool:
        """Whether its orders cost real money: then only live mode may send them."""

    def session(self) -> Session | None:
        """Return the login that orders are sent with; None: none is needed. Raises SessionError."""

    def begin_with(self, held: Sequence[NetPosition], past: Sequence[OrderUpdate]) -> None:
        """Take over, at a start, what the executor's books hold, and their orders that filled.

        Only a venue whose account ends with the process does; a broker knows what it has.
        """

    def list_instrument(self, instrument: Instrument) -> None:
        """Note an instrument of the day; a paper venue holds orders to its lot, tick and freeze."""

    def on_quotes(self, quotes: QuoteSource) -> None:
        """Note the quotes after each batch of ticks; a paper venue fills its orders now."""

    async def run(self) -> None:
        """Follow the orders until cancelled."""

    async def updated(self) -> None:
        """Return when `take_updates` has something."""

    async def close(self) -> None:
        """Close the connections."""

    def budget(self) -> Mapping[int, int]:
        """Return how many order requests the rate limits allow now, by span (ms)."""

    def describe(self) -> Mapping[str, Any]:
        """Return counts for /info."""
