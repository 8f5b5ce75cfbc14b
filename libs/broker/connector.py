"""A connector makes the parts of one broker's account; each part has its own connections.

The registry (libs/runtime/brokers) maps names to connectors; nothing else chooses a broker.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import structlog

from libs.broker.port.market import MarketData, TickStream
from libs.broker.port.session import Sessions
from libs.broker.port.venue import Venue


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process gives to its connector.

    `now_ms` is the service's clock and `wall_ms` the machine's (epoch ms). `is_today` is False
    for a simulated day, in which only the exchange decides that a session is over. `note` is
    called for each request with its class, `ok` or the error's name, and its seconds, from any
    thread.
    """

    now_ms: Callable[[], int]
    wall_ms: Callable[[], int]
    is_today: bool
    log: structlog.typing.FilteringBoundLogger
    note: Callable[[str, str, float], None] | None = None


class Connector(Protocol):
    """A broker that takes orders."""

    def venue(self) -> Venue:
        """Return a venue; raise ValueError, which names the key, for unusable settings."""


@runtime_checkable
class MarketConnector(Connector, Protocol):
    """A broker that has market data too."""

    def sessions(self) -> Sessions:
        """Return the login."""

    def market_data(self) -> MarketData:
        """Return instruments, history and quotes by request."""

    def tick_stream(self) -> TickStream:
        """Return a stream of ticks."""
