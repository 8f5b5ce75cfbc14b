"""A connector makes the parts of one broker's account, each with connections of its own.

The registry (libs/runtime/brokers) holds one by name; nothing else chooses a broker.
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

    `now_ms` is the clock of its events and `wall_ms` the wall's (epoch ms); `is_today` is False
    where a simulated day is played: then only the exchange says that a session is over. `note` is
    told of each request its class, `ok` or the error's name, and its seconds, from any thread.
    """

    now_ms: Callable[[], int]
    wall_ms: Callable[[], int]
    is_today: bool
    log: structlog.typing.FilteringBoundLogger
    note: Callable[[str, str, float], None] | None = None


class Connector(Protocol):
    """A place for orders."""

    def venue(self) -> Venue:
        """Return a venue; ValueError, which names the key, for settings that do not do."""


@runtime_checkable
class MarketConnector(Connector, Protocol):
    """A broker that has a market too."""

    def sessions(self) -> Sessions:
        """Return the login."""

    def market_data(self) -> MarketData:
        """Return what is asked for by requests."""

    def tick_stream(self) -> TickStream:
        """Return a stream of ticks."""
