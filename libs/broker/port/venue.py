"""A venue: where the executor's orders go, as a whole."""

from collections.abc import Mapping
from typing import Any, Protocol

from libs.broker.port.account import Account
from libs.broker.port.orders import OrderClient
from libs.market.quotes import Quote


class QuoteSource(Protocol):
    """The latest quotes of a market, without asking anybody."""

    def quote(self, instrument_token: int) -> Quote | None:
        """Return the latest quote; None for an instrument that has none."""


class Venue(OrderClient, Account, Protocol):
    """Where the executor's orders go: an order client at work beside the executor's inputs."""

    @property
    def may_lose_replies(self) -> bool:
        """Whether an order can be on its way, or at work, without our knowing.

        False where a reply cannot be lost and orders end with the process.
        """

    @property
    def is_real(self) -> bool:
        """Whether its orders may cost money: then only live mode may send them."""

    def on_quotes(self, quotes: QuoteSource) -> None:
        """Be told the quotes after each batch of ticks; a venue that fills by them does so now."""

    async def run(self) -> None:
        """Follow the orders until cancelled."""

    async def updated(self) -> None:
        """Return when `take_updates` has something."""

    async def close(self) -> None:
        """Let go of connections, when nothing more is asked."""

    def budget(self) -> Mapping[int, int]:
        """Return how many order requests are left now, by the span that is counted (ms)."""

    def describe(self) -> Mapping[str, Any]:
        """Return counts for /info."""
