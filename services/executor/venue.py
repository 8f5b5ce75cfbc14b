"""A venue outside the process: an order client that has news of its own."""

from typing import Any, Protocol

from libs.broker.port import OrderClient


class Venue(OrderClient, Protocol):
    """What libs.broker.kite.orders is to the executor."""

    async def run(self) -> None:
        """Listen for news until cancelled."""

    async def updated(self) -> None:
        """Return when `take_updates` has something."""

    async def close(self) -> None:
        """Let go of connections, when nothing more is asked."""

    def budget(self) -> dict[int, int]:
        """Return how many order requests are left now, by the span that is counted (ms)."""

    def describe(self) -> dict[str, Any]:
        """Return counts for /info."""
