"""When frames arrived by the exchange's time, over all connections of a day."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from services.ingest.domain.arrival import FeedArrival
from services.ingest.domain.exchange_clock import TOLD_MS, ExchangeClock

Stamps = NDArray[Any]
_NO_STAMPS = np.empty(0, np.int64)


class Moment(NamedTuple):
    """A moment by the machine: its time of day (epoch ms), and monotonic ms."""

    wall_ms: int
    monotonic_ms: int

    def before(self, ms: int) -> "Moment":
        """Return the moment so long before."""
        return Moment(self.wall_ms - ms, self.monotonic_ms - ms) if ms else self


class Arrival(NamedTuple):
    """When a frame arrived (epoch ms by the exchange; 0 before the first stamp), and if as news."""

    received_ms: int
    is_news: bool


class Arrivals(Protocol):
    """Times at the exchange. Each connection has a clock of its own, which none other moves."""

    def of(self, connection: int, stamps: Stamps, at: Moment) -> Arrival:
        """Return when a frame with these stamps arrived; one without any is a heartbeat."""

    def reached_ms(self, connection: int, at: Moment) -> int:
        """Return how far a connection has come: what it brings without a time is of then."""

    def now_ms(self, at: Moment) -> int:
        """Return the time at the exchange, 0 before the first stamp."""

    @property
    def offset_ms(self) -> int:
        """How far the machine's clock is ahead of the exchange's, 0 within a second."""


class WallArrivals:
    """By the exchange's stamps, and monotonic time between them.

    The exchange's time is that of the connection that is furthest ahead: the others lag. So a
    lagging one makes no offset of the machine's clock.
    """

    def __init__(self, trading_day: date, connections: int) -> None:
        self._clocks: Sequence[ExchangeClock] = [
            ExchangeClock(trading_day) for _ in range(connections)
        ]
        self._offset_ms = 0

    def of(self, connection: int, stamps: Stamps, at: Moment) -> Arrival:
        """Return when a frame with these stamps arrived, and if one of them is newer than all."""
        received_ms, is_news = self._clocks[connection].arrived(stamps, *at)
        now_ms = self.now_ms(at)
        if now_ms:
            self._offset_ms = at.wall_ms - now_ms
        return Arrival(now_ms if received_ms and len(stamps) else received_ms, is_news)

    def reached_ms(self, connection: int, at: Moment) -> int:
        """Return the connection's newest stamp, and the time since that came."""
        return self._clocks[connection].reached_ms(at.monotonic_ms)

    def now_ms(self, at: Moment) -> int:
        """Return the time of the connection that is furthest ahead."""
        return max(clock.now_ms(at.monotonic_ms) for clock in self._clocks)

    @property
    def offset_ms(self) -> int:
        """How far the machine's clock was ahead at the last frame (ms), 0 up to TOLD_MS."""
        return self._offset_ms if abs(self._offset_ms) > TOLD_MS else 0


class StampedArrivals:
    """By the stamps alone: a simulated market may run at any speed."""

    offset_ms = 0

    def __init__(self, trading_day: date, connections: int) -> None:
        self._arrivals = [FeedArrival(trading_day) for _ in range(connections)]

    def of(self, connection: int, stamps: Stamps, at: Moment) -> Arrival:
        """Return the time that the connection's stamps have come to."""
        return Arrival(self._arrivals[connection].of(stamps), len(stamps) > 0)

    def reached_ms(self, connection: int, at: Moment) -> int:
        """Return the same."""
        return self._arrivals[connection].of(_NO_STAMPS)

    def now_ms(self, at: Moment) -> int:
        """Return the time of the connection that is furthest ahead."""
        return max(arrival.of(_NO_STAMPS) for arrival in self._arrivals)
