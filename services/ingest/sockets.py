"""The broker's connections of a day: what each of them receives, in the order of arrival."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from libs.broker.errors import SessionError
from libs.broker.port.market import TickFrame, TickStream
from libs.events.ticks import TickColumns
from libs.runtime.health import LOGIN, Waiting
from libs.runtime.logs import logger_of

SESSION_SECONDS = 1.0
"""How often a connection without a session asks whether there is a new one."""
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Received:
    """A frame of a connection; without one it is time to look whether all is well.

    `polled`: quotes by request in the place of a frame.
    """

    connection: int = 0
    frame: TickFrame | None = None
    polled: TickColumns | None = None

    @property
    def is_look(self) -> bool:
        """Whether nothing came: no frame waited then."""
        return self.frame is None and self.polled is None


@dataclass(slots=True)
class Sockets:
    """Reads all connections at once; open it for a day, closing it ends them.

    A connection is read on when its last frame was handled. One whose session has ended waits for
    a new one, while those that are open go on.
    """

    streams: Sequence[TickStream]
    waiting: Waiting
    looks: bool = False
    """Whether there is something to look at while no frame comes."""
    _ready: deque[Received | BaseException] = field(default_factory=deque)
    _is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    _handled: dict[int, asyncio.Event] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _reading: int = 0
    _waits: dict[int, str] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        for connection, stream in enumerate(self.streams):
            self._reading += 1
            self._begin(self._read(connection, stream))
        if self.looks:
            self._begin(self._look())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.waiting.reason = ""

    def beside(self, work: Coroutine[None, None, None]) -> None:
        """Let this run until the day's connections are closed."""
        self._begin(work)

    def waits(self, connection: int) -> bool:
        """Whether a connection waits for a session."""
        return connection in self._waits

    async def next(self) -> Received | None:
        """Return what comes next, when the one before it was handled; None: nothing will come."""
        while not self._ready:
            if not self._reading:
                return None
            self._is_ready.clear()
            await self._is_ready.wait()
        received = self._ready.popleft()
        if isinstance(received, BaseException):
            raise received
        return received

    def handled(self, received: Received) -> None:
        """Let the connection be read on."""
        if received.frame is not None:
            self._handled[received.connection].set()

    def put(self, received: Received) -> None:
        """Add what comes from elsewhere."""
        self._put(received)

    def _put(self, received: Received | BaseException) -> None:
        self._ready.append(received)
        self._is_ready.set()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Hand an error to whoever asks for what comes next."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._put(error)

    async def _read(self, connection: int, stream: TickStream) -> None:
        handled = self._handled[connection] = asyncio.Event()
        while True:
            try:
                async with aclosing(stream.frames()) as frames:
                    async for frame in frames:
                        self._waits_no_longer(connection)
                        self._put(Received(connection, frame))
                        await handled.wait()
                        handled.clear()
                break
            except SessionError as error:
                self._wait(connection, str(error))
                await asyncio.sleep(SESSION_SECONDS)
        self._reading -= 1
        self._is_ready.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._ready:
                self._put(Received())

    def _wait(self, connection: int, reason: str) -> None:
        if not self._waits:
            logger_of("ingest").error("no ticks, waiting for a broker session", reason=reason)
        self._waits[connection] = reason
        self.waiting.reason = f"{LOGIN} ({reason})"

    def _waits_no_longer(self, connection: int) -> None:
        if self._waits.pop(connection, None) is not None and not self._waits:
            self.waiting.reason = ""
