"""Kite's websocket: one connection, reconnected when it closes or is silent."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from libs.broker.errors import SessionExpired
from libs.broker.kite.address import KiteAddress
from libs.broker.kite.backoff import Backoff
from libs.broker.kite.frames import DecodedFrame, decode
from libs.broker.kite.session import KiteSession
from libs.broker.kite.subscriptions import Subscriptions
from libs.broker.port.market import Mode

_FORBIDDEN, _TOO_MANY = 403, 429
_CLOSE_SECONDS = 1.0
_PING_SECONDS = 10.0
"""A ping shows the line's equipment that the connection is in use. Its answer decides nothing: the
silence does, which also ends a connection that answers pings and sends nothing."""
_STEADY_SECONDS = 5.0
"""A connection that has lasted for so long is well: the next one is opened soon again."""
_LATE_SECONDS = 0.1
"""A timeout that comes later: the process stood still, and messages may have come meanwhile."""
_CONNECTION_ERRORS = (OSError, WebSocketException)

# At level debug the library's own logger would show the address with the token.
_quiet = logging.getLogger(f"{__name__}.connection")
_quiet.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class TickerCounts:
    """Counts of a ticker since it was made.

    `frames` are binary messages, heartbeats included; `unreadable` are invalid text messages.
    `failures` are connections that could not be opened, `too_many` those of them that Kite refused
    for their number.
    """

    reconnects: int = 0
    failures: int = 0
    too_many: int = 0
    silences: int = 0
    frames: int = 0
    broken_packets: int = 0
    order_updates: int = 0
    unreadable: int = 0


class Ticker:
    """One websocket connection to Kite.

    `on_order` gets each order update as Kite's fields; `on_connect` is called after each connect.
    A connection without a message that can be read for `silence_seconds` is replaced by a new one.
    After a refusal for too many connections the next one waits for `cool_down_seconds` at least.
    """

    def __init__(
        self,
        address: KiteAddress,
        session: Callable[[], KiteSession],
        *,
        silence_seconds: float = 5.0,
        cool_down_seconds: float = 10.0,
        on_order: Callable[[dict[str, Any]], None] | None = None,
        log: structlog.typing.FilteringBoundLogger | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.on_order = on_order
        self.on_connect: Callable[[], None] | None = None
        self._address = address
        self._session = session
        self._silence_seconds = silence_seconds
        self._cool_down_seconds = cool_down_seconds
        self._log = log or structlog.get_logger(part="ticker")
        self._backoff = backoff or Backoff()
        self._subscriptions = Subscriptions()
        self._sending = asyncio.Lock()
        self._connection: ClientConnection | None = None
        self._closed = asyncio.Event()
        self._refused_token = ""
        self._has_connected = False
        self._heard_at = self._opened_at = 0.0
        self._is_cooling = False
        self._counters = TickerCounts()

    @property
    def counters(self) -> TickerCounts:
        """Return the counts so far."""
        return self._counters

    def counts(self) -> dict[str, int]:
        """Return the counts so far by name."""
        return asdict(self._counters)

    @property
    def open_seconds(self) -> float:
        """For how long the connection has been open, 0 while there is none."""
        if self._connection is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._opened_at

    async def subscribe(self, tokens: Collection[int], mode: Mode) -> None:
        """Stream these instruments in a mode, from now on and after every reconnect."""
        async with self._sending:
            await self._send(self._subscriptions.add(tokens, mode))

    async def unsubscribe(self, tokens: Collection[int]) -> None:
        """Stream these instruments no longer."""
        async with self._sending:
            await self._send(self._subscriptions.remove(tokens))

    async def frames(self) -> AsyncGenerator[DecodedFrame]:
        """Yield decoded messages until the ticker is closed; a heartbeat is an empty frame.

        A generator that is closed ends the connection, and another one opens a new one.

        Raises SessionError when there is no session, or none that Kite accepts.
        """
        while not self._closed.is_set():
            connection = await self._connected()
            if connection is not None:
                try:
                    await self._begin(connection)
                    while (message := await self._next(connection)) is not None:
                        frame = self._take(message)
                        if frame is not None:
                            yield frame
                finally:
                    self._connection = None
                    await connection.close()
            await self._pause()

    async def replace(self) -> None:
        """End a connection that is taken for dead; `frames` goes on over a new one."""
        if self._connection is not None:
            self._count(silences=1)
            self._log.warning("Kite's ticker sends no ticks: it is connected anew")
            self._connection.transport.abort()

    async def close(self) -> None:
        """End the connection, and with it `frames`."""
        self._closed.set()
        if self._connection is not None:
            await self._connection.close()

    async def _connected(self) -> ClientConnection | None:
        """Return a new connection, None if it fails."""
        try:
            return await self._open()
        except _CONNECTION_ERRORS as error:
            self._is_cooling = _status(error) == _TOO_MANY
            self._count(failures=1, too_many=self._is_cooling)
            self._log.warning("cannot connect to Kite's ticker", reason=_reason(error))
            return None

    async def _begin(self, connection: ClientConnection) -> None:
        """Send all subscriptions on a new connection."""
        self._heard_at = self._opened_at = asyncio.get_running_loop().time()
        self._count(reconnects=self._has_connected)
        self._has_connected = True
        with suppress(TimeoutError):  # the silence timeout ends a connection that hangs
            async with asyncio.timeout(self._silence_seconds), self._sending:
                self._connection = connection
                await self._send(self._subscriptions.commands())
        if self.on_connect is not None:
            self.on_connect()

    async def _open(self) -> ClientConnection:
        """Connect; a refused token is not sent again, a newer one is tried at once."""
        while True:
            session = self._session()
            if session.access_token == self._refused_token:
                raise SessionExpired("Kite's ticker refuses the session: run `alphastocks login`")
            try:
                return await self._connect(session)
            except InvalidStatus as error:
                if _status(error) != _FORBIDDEN:
                    raise
                self._refused_token = session.access_token

    async def _connect(self, session: KiteSession) -> ClientConnection:
        query = urlencode({"api_key": session.api_key, "access_token": session.access_token})
        return await connect(
            f"{self._address.ws_root}?{query}",
            open_timeout=self._address.timeout_seconds,
            close_timeout=_CLOSE_SECONDS,
            compression=None,
            ping_interval=_PING_SECONDS,
            ping_timeout=None,
            proxy=None if self._address.is_local else True,
            logger=_quiet,
        )

    async def _send(self, commands: Collection[str]) -> None:
        if self._connection is None:
            return
        # Commands that a closing connection loses are sent again on the next one.
        with suppress(ConnectionClosed):
            for command in commands:
                await self._connection.send(command)

    async def _next(self, connection: ClientConnection) -> str | bytes | None:
        """Return the next message, None if the connection has closed or is silent."""
        if self._closed.is_set():
            return None
        due = self._heard_at + self._silence_seconds
        try:
            async with asyncio.timeout_at(due):
                return await connection.recv()
        except TimeoutError:
            if self._stood_still(due):
                return await self._next(connection)
            self._count(silences=1)
            self._log.warning("Kite's ticker is silent", seconds=self._silence_seconds)
            connection.transport.abort()
        except ConnectionClosed as error:
            self._log.warning("Kite's ticker has closed", reason=_reason(error))
        return None

    def _stood_still(self, due: float) -> bool:
        """Whether a timeout is late; then there is a moment to read what waits."""
        now = asyncio.get_running_loop().time()
        if now - due <= _LATE_SECONDS:
            return False
        self._heard_at = now + _LATE_SECONDS - self._silence_seconds
        return True

    def _take(self, message: str | bytes) -> DecodedFrame | None:
        if isinstance(message, str):
            self._hear()
            self._take_text(message)
            return None
        frame = decode(message)
        self._count(frames=1, broken_packets=frame.broken)
        if not frame.is_garbage:
            self._hear()
        return frame

    def _hear(self) -> None:
        """Note a sign of life."""
        self._heard_at = asyncio.get_running_loop().time()
        if self._heard_at - self._opened_at >= _STEADY_SECONDS:
            self._backoff.reset()

    def _take_text(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._count(unreadable=1)
            return
        content = message.get("data")
        if message.get("type") == "error":
            self._log.error("Kite's ticker says", error=str(content))
        elif message.get("type") == "order" and isinstance(content, dict):
            self._count(order_updates=1)
            if self.on_order is not None:
                self.on_order(content)

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self._counters, name) + number for name, number in more.items()}
        self._counters = replace(self._counters, **counted)

    async def _pause(self) -> None:
        """Wait before the next connection, unless the ticker is closed meanwhile."""
        seconds = self._backoff.next_seconds()
        if self._is_cooling:
            self._is_cooling, seconds = False, seconds + self._cool_down_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()


def _status(error: Exception) -> int:
    return error.response.status_code if isinstance(error, InvalidStatus) else 0


def _reason(error: Exception) -> str:
    """Return the reason without the address, which contains the token."""
    if isinstance(error, InvalidStatus):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, ConnectionClosed):
        return f"code {error.rcvd.code}" if error.rcvd else "no closing handshake"
    return type(error).__name__
