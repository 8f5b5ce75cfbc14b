"""Messages that wait for one websocket."""

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message, and the count it goes into when it was sent."""

    message: bytes | str
    count: str


class Outbox:
    """A line of messages that one task sends; the others put into it and may wait for its end."""

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
        """Forget what waits, and let everybody go."""
        self.is_closed = True
        self._waiting.clear()
        self._filled.set()
        self._emptied.set()
