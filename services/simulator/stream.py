"""One websocket connection of the user."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from services.simulator.domain.errors import InputError
from services.simulator.domain.exchange import Exchange, Update
from services.simulator.domain.faults.kinds import Freeze, Lag, Reorder, Silence
from services.simulator.domain.feed.astray import Astray
from services.simulator.domain.feed.garbage import spoilt
from services.simulator.domain.feed.packets import Subscription, TickRows, frames
from services.simulator.domain.feed.socket_commands import obey
from services.simulator.outbox import Outbox, Outgoing
from services.simulator.settings import SimulatorSettings

_HEARTBEAT = Outgoing(b"\0", "heartbeats_sent")
_LONE_PACKET = bytes.fromhex("0001 0008 00000001 00000064")


@dataclass(slots=True)
class StreamCounts:
    """Counts of a connection; `frames_sent` counts valid frames with ticks."""

    frames_sent: int = 0
    seconds_left_out: int = 0
    updates_sent: int = 0
    heartbeats_sent: int = 0
    garbage_sent: int = 0
    errors_sent: int = 0
    commands_taken: int = 0

    def add(self, name: str) -> None:
        """Count one more."""
        setattr(self, name, getattr(self, name) + 1)

    @staticmethod
    def total(parts: Sequence["StreamCounts"]) -> "StreamCounts":
        """Return the sums."""
        names = StreamCounts.__slots__
        return StreamCounts(*(sum(getattr(part, name) for part in parts) for name in names))


class Stream:
    """A connection with its subscription, its counts and its queue of messages."""

    def __init__(
        self,
        number: int,
        socket: WebSocket,
        exchange: Exchange,
        settings: SimulatorSettings,
        on_subscription: Callable[[], None],
    ) -> None:
        self.number = number
        self._on_subscription = on_subscription
        self.subscription = Subscription()
        self.counts = StreamCounts()
        self._socket, self._exchange, self._settings = socket, exchange, settings
        self._outbox = Outbox(settings.unsent_messages)
        self._silent_until = 0.0
        self._astray = Astray()
        self._is_sending = False

    async def serve(self) -> None:
        """Handle commands and send messages, until either side ends."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            beating = group.create_task(self._beat())
            await self._read()
            self.end()
            beating.cancel()

    def put_update(self, update: Update) -> None:
        """Send an order update."""
        self._put(json.dumps({"type": "order", "data": update}), "updates_sent")

    def put_ticks(self, rows: TickRows) -> None:
        """Send the subscribed ticks of a second."""
        loop = asyncio.get_running_loop()
        delay = self._astray.delay(loop.time())
        for frame in self._astray.sent(frames(rows, self.subscription), loop.time()):
            if delay:
                loop.call_later(delay, self._put, frame, "frames_sent")
            else:
                self._put(frame, "frames_sent")

    def offer_ticks(self, rows: TickRows) -> None:
        """Send the subscribed ticks of a second, or drop them if too many messages wait."""
        if self._outbox.has_room:
            self.put_ticks(rows)
        else:
            self.counts.add("seconds_left_out")

    async def drained(self) -> None:
        """Return when everything was handed to the network, or the connection has ended."""
        await self._outbox.drained()

    def end(self) -> None:
        """Close the connection; abort it if a message cannot be sent."""
        self._outbox.close()
        if self._is_sending:
            self.abort()

    def abort(self) -> None:
        """Break the connection without a closing handshake."""
        transport: asyncio.Transport = self._socket.scope["state"]["transport"]
        transport.abort()
        self._outbox.close()

    def keep_silent(self, seconds: float) -> None:
        """Send nothing for so long; messages of that time are lost."""
        self._silent_until = asyncio.get_running_loop().time() + seconds

    def lead_astray(self, fault: Silence | Lag | Freeze | Reorder) -> None:
        """Let its frames of ticks be kept back, late, repeated or in another order."""
        self._astray.begin(fault, asyncio.get_running_loop().time())

    def put_garbage(self, what: str) -> None:
        """Send a frame that cannot be parsed."""
        rows = self._exchange.snapshot(self.subscription.tokens)
        sound = next(iter(frames(rows, self.subscription)), _LONE_PACKET)
        self._put(spoilt(sound, what), "garbage_sent")

    def row(self) -> dict[str, Any]:
        """Return the connection as the control interface shows it."""
        return {"number": self.number, "tokens": len(self.subscription), **asdict(self.counts)}

    async def _read(self) -> None:
        with suppress(WebSocketDisconnect, WebSocketDisconnected):
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                self._obey(message.get("text") or "")

    def _obey(self, text: str) -> None:
        before = self.subscription.tokens
        try:
            most = self._exchange.limits.tokens_a_connection
            asked = obey(text, self.subscription, most)
        except InputError as error:
            self._put(json.dumps({"type": "error", "data": str(error)}), "errors_sent")
            asked = self.subscription.tokens - before
        if asked:
            self.put_ticks(self._exchange.snapshot(asked))
        self.counts.add("commands_taken")
        self._on_subscription()

    def _put(self, message: bytes | str, count: str) -> None:
        self._outbox.put(Outgoing(message, count))

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, WebSocketDisconnected):
            while not self._outbox.is_closed:
                outgoing = await self._outbox.next()
                if outgoing is not None and not self._is_silent():
                    await self._send(outgoing)
            await self._socket.close()
        self.end()

    async def _beat(self) -> None:
        """Send a heartbeat at every interval, also while ticks flow."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            if self._outbox.has_room:
                self._outbox.put(_HEARTBEAT)

    async def _send(self, outgoing: Outgoing) -> None:
        self._is_sending = True
        if isinstance(outgoing.message, str):
            await self._socket.send_text(outgoing.message)
        else:
            await self._socket.send_bytes(outgoing.message)
        self._is_sending = False
        self.counts.add(outgoing.count)

    def _is_silent(self) -> bool:
        return asyncio.get_running_loop().time() < self._silent_until
