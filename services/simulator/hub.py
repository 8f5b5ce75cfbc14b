"""All websocket connections of the user."""

import asyncio
from collections.abc import Callable
from itertools import count

from starlette.responses import Response
from starlette.websockets import WebSocket

from services.simulator.domain.errors import KiteError, TokenError, TooManyRequests
from services.simulator.domain.exchange import Exchange, Update
from services.simulator.domain.faults.kinds import (
    AnySocketFault,
    Close,
    Freeze,
    Garbage,
    Lag,
    Reorder,
    Silence,
)
from services.simulator.domain.feed.packets import TickRows
from services.simulator.replies import refusal
from services.simulator.settings import SimulatorSettings
from services.simulator.stream import Stream, StreamCounts


class Hub:
    """Accepts connections, and sends each second's updates and ticks to all of them."""

    def __init__(self, exchange: Exchange, settings: SimulatorSettings) -> None:
        self._exchange, self._settings = exchange, settings
        self._numbers = count(1)
        self._open: dict[int, Stream] = {}
        self._closed = StreamCounts()
        self._subscribed = asyncio.Event()

    @property
    def streams(self) -> list[Stream]:
        """The open connections, oldest first."""
        return list(self._open.values())

    @property
    def counts(self) -> StreamCounts:
        """Return the counts of all connections so far, closed ones included."""
        return StreamCounts.total([self._closed, *(stream.counts for stream in self.streams)])

    @property
    def has_subscribers(self) -> bool:
        """Whether a connection follows any instrument."""
        return self._subscribed.is_set()

    async def wait_for_subscribers(self) -> None:
        """Return when a connection follows an instrument."""
        await self._subscribed.wait()

    async def connect(self, socket: WebSocket) -> None:
        """Serve a connection until it ends, or refuse it."""
        response = self._refusal(socket)
        if response is not None:
            await socket.send_denial_response(response)
            return
        stream = self._accepted(socket)
        try:
            await socket.accept()
            await stream.serve()
        finally:
            stream.end()
            self._closed = StreamCounts.total([self._closed, stream.counts])
            del self._open[stream.number]
            self._update_subscribed()

    async def post(self, update: Update) -> None:
        """Send an order update to every connection."""
        await self._each(lambda stream: stream.put_update(update))

    async def send(self, rows: TickRows) -> None:
        """Send a second's ticks, and wait until the network has taken them."""
        await self._each(lambda stream: stream.put_ticks(rows))

    def offer(self, rows: TickRows) -> None:
        """Send a second's ticks to the connections that keep up."""
        for stream in self.streams:
            stream.offer_ticks(rows)

    def end(self) -> None:
        """Close all connections."""
        for stream in self.streams:
            stream.end()

    def apply(self, fault: AnySocketFault) -> None:
        """Apply a fault to the connections that it names."""
        for stream in self.streams:
            if fault.connection in (None, stream.number):
                _hit(stream, fault)

    def _accepted(self, socket: WebSocket) -> Stream:
        number = next(self._numbers)
        stream = Stream(number, socket, self._exchange, self._settings, self._update_subscribed)
        self._open[number] = stream
        return stream

    def _update_subscribed(self) -> None:
        if any(len(stream.subscription) for stream in self.streams):
            self._subscribed.set()
        else:
            self._subscribed.clear()

    async def _each(self, put: Callable[[Stream], None]) -> None:
        streams = self.streams
        for stream in streams:
            put(stream)
        for stream in streams:
            await stream.drained()
        await asyncio.sleep(0)  # without connections, let HTTP requests run

    def _refusal(self, socket: WebSocket) -> Response | None:
        fault = self._exchange.faults.for_upgrade(self._exchange.now_ms)
        if fault is not None:
            return Response("no", fault.status)
        error = self._refusal_reason(socket)
        return None if error is None else refusal(error)

    def _refusal_reason(self, socket: WebSocket) -> KiteError | None:
        keys = [socket.query_params.get(name, "") for name in ("api_key", "access_token")]
        if not self._exchange.logins.accepts(keys[0], keys[1], self._exchange.now_ms):
            return TokenError("Incorrect `api_key` or `access_token`.")
        most = self._exchange.limits.connections
        if self._settings.limits and len(self._open) >= most:
            return TooManyRequests(f"Maximum {most} connections are allowed.")
        return None


def _hit(stream: Stream, fault: AnySocketFault) -> None:
    match fault:
        case Silence(what="all", seconds=seconds):
            stream.keep_silent(seconds)
        case Silence() | Lag() | Freeze() | Reorder():
            stream.lead_astray(fault)
        case Close():
            stream.abort()
        case Garbage(what=what):
            stream.put_garbage(what)
