"""The queue of messages to one websocket."""

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message, and the name of the count to raise when it was sent."""

    message: bytes | str
    count: str


class Outbox:
    """A queue that one task sends; others put messages into it and may wait until it is empty."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Outgoing] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self.is_closed = False

    @property
    def has_room(self) -> bool:
        """Whether fewer messages wait than should at most."""
        return len(self._waiting) < self._size

    def put(self, outgoing: Outgoing) -> None:
        """Add a message; a closed box takes none."""
        if not self.is_closed:
            self._waiting.append(outgoing)
            self._emptied.clear()
            self._filled.set()

    async def next(self) -> Outgoing | None:
        """Return the message to be sent, which calls the one before it sent; None when closed."""
        if not self._waiting and not self.is_closed:
            self._emptied.set()
            self._filled.clear()
            await self._filled.wait()
        return None if self.is_closed else self._waiting.popleft()

    async def drained(self) -> None:
        """Return when everything was sent, or the box was closed."""
        await self._emptied.wait()

    def close(self) -> None:
        """Drop what waits, and release all waiting tasks."""
        self.is_closed = True
        self._waiting.clear()
        self._filled.set()
        self._emptied.set()
