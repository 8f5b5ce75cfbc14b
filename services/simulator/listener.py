"""Serves an application on a socket; its requests can reach the connection below HTTP."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from libs.runtime.listening import listening

_STOP_SECONDS = 1
_KEEP_ALIVE_SECONDS = 75
_HEAD_BYTES = 128 * 1024
"""A call for 1,000 instruments names them all in its address."""


class _OpenProtocol(H11Protocol):
    """Hands each request its transport, so that a connection can be broken on purpose.

    asyncio leaves Nagle's algorithm on where a socket does not name its protocol; the tail of a
    large frame would then wait some 40 ms for an acknowledgement.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the process, and notifies when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listener:
    """Serves an application from `start` to `stop`; port 0 takes any that is free."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._socket = listening(host, port, "simulator.port")
        self.port: int = self._socket.getsockname()[1]
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=_OpenProtocol,
                ws="websockets-sansio",
                ws_ping_interval=None,
                ws_per_message_deflate=False,
                lifespan="off",
                h11_max_incomplete_event_size=_HEAD_BYTES,
                log_config=None,
                log_level="warning",  # at info it would show addresses with tokens in them
                access_log=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start answering."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await self._server.answering.wait()

    async def stop(self) -> None:
        """Finish running requests within a moment, and stop."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
