"""Connections of the endpoints, bounded in number and in time.

Whoever opens connections and never finishes a request would otherwise take every file descriptor of
a process that watches stop losses.
"""

import asyncio
from itertools import count

from uvicorn.protocols.http.h11_impl import H11Protocol

from libs.runtime.clock import monotonic_ms
from libs.runtime.logs import logger_of

MOST_CONNECTIONS = 100
"""Open at once on a port; for a further one the oldest that asks nothing is closed."""
HEAD_SECONDS = 10.0
"""The time for the head of a request."""
TOLD_EVERY_MS = 60_000


class BoundedProtocol(H11Protocol):
    """A connection that has to send its requests in time, and gives way where there are many."""

    _deadline: asyncio.TimerHandle | None = None
    _told_ms: int | None = None
    _number = count()
    number = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; where there are too many, close one."""
        super().connection_made(transport)
        self.number = next(self._number)
        self._await_head()
        if len(self.connections) > MOST_CONNECTIONS:
            self._tell_once()
            self._least_wanted().transport.abort()

    def _least_wanted(self) -> "BoundedProtocol":
        """Return the oldest connection that asks nothing, or this one."""
        others = (one for one in self.connections if isinstance(one, BoundedProtocol))
        waiting = (one for one in others if one._is_between() and not one.transport.is_closing())
        return min(waiting, key=lambda one: one.number, default=self)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is complete has met its time."""
        super().data_received(data)
        if not self._is_between():
            self._end_wait()
        elif self._deadline is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._end_wait()
        super().connection_lost(exc)

    def _is_between(self) -> bool:
        """Return whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._late)

    def _end_wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self._is_between():
            self.transport.abort()

    @classmethod
    def _tell_once(cls) -> None:
        now_ms = monotonic_ms()
        if cls._told_ms is None or now_ms - cls._told_ms >= TOLD_EVERY_MS:
            cls._told_ms = now_ms
            logger_of("http").warning("too many connections", most=MOST_CONNECTIONS)
