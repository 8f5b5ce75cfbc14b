"""Table writers: each is a consumer group that buffers rows and inserts them at checkpoints.

Nothing on the event path waits for a writer. A writer that could not insert catches up by itself,
because offsets are committed only after the insert.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from libs.events.event import Event
from libs.store.store import Store

Rows = Callable[[Event], Mapping[str, Any]]
"""Makes the rows of an event: columns of equal length, or nothing for one without rows."""
Make = Callable[[], Mapping[str, Any]]
"""Makes rows, in columns of equal length."""
Emit = Callable[..., Awaitable[None]]
MANY = 20_000
"""So many rows are made on a thread of their own: the loop has more to do."""


@runtime_checkable
class RowBuffer(Protocol):
    """Events whose rows are made together, for tables of very many rows.

    An insert is due from `max_rows` rows on. Past events of `restore_topics` are given to `restore`
    before the first event is added, so that it makes the same rows as before a restart.
    """

    max_rows: int
    restore_topics: tuple[str, ...]

    def add(self, event: Event) -> int:
        """Keep an event; return how many rows it has."""

    def take(self) -> Make:
        """Return what makes the rows of the events kept, on any thread, and forget the events."""

    def restore(self, event: Event) -> None:
        """Note what a past event says of the rows to come."""


class TableWriter:
    """Buffers the rows of events, and inserts them at a checkpoint.

    When there are `max_rows` rows their insert begins, and goes on while the next ones are
    buffered. What could not be inserted is kept: the next full buffer, and each event after it, is
    refused with the error, and delivered again. `on_insert(table, rows, seconds)` is called after
    each insert.
    """

    def __init__(
        self,
        store: Store,
        table: str,
        rows: Rows | RowBuffer,
        on_insert: Callable[[str, int, float], None],
        max_rows: int = 100_000,
    ) -> None:
        self._store = store
        self._table = table
        self._buffer: RowBuffer = _Made(rows, max_rows) if callable(rows) else rows
        self._on_insert = on_insert
        self._count = 0
        self._taken: _Taken | None = None
        self._inserting: asyncio.Task[Exception | None] | None = None

    async def handle(self, event: Event, emit: Emit) -> None:
        """Buffer the rows of one event."""
        if self._count >= self._buffer.max_rows:
            await self._inserted()
            self._take()
        self._count += self._buffer.add(event)

    async def flush(self) -> None:
        """Insert the buffered rows; after an error they are kept for the retry."""
        await self._inserted()
        if self._count:
            self._take()
            await self._inserted()

    @property
    def restore_topics(self) -> tuple[str, ...]:
        """The topics whose past says something of the rows to come."""
        return self._buffer.restore_topics

    def restore(self, event: Event) -> None:
        """Note what a past event says of the rows to come; stored rows stay stored."""
        self._buffer.restore(event)

    async def begin(self, emit: Emit) -> None:
        """Clear the buffer: uncommitted events are delivered again."""
        self._buffer.take()
        self._count, self._taken, self._inserting = 0, None, None

    def _take(self) -> None:
        """Begin to insert what is buffered."""
        self._taken, self._count = _Taken(self._count, self._buffer.take()), 0
        self._inserting = asyncio.create_task(self._insert(self._taken))

    async def _inserted(self) -> None:
        """Wait for the insert that was begun; one that failed is tried again."""
        if self._taken is None:
            return
        inserting = self._inserting or asyncio.create_task(self._insert(self._taken))
        self._inserting = None
        error = await inserting
        if error is not None:
            raise error
        self._taken = None

    async def _insert(self, taken: "_Taken") -> Exception | None:
        """Insert rows; return an error for whoever waits."""
        try:
            columns = await taken.columns()
            started = time.perf_counter()
            inserted = await self._store.insert(self._table, columns)
        except Exception as error:  # noqa: BLE001  raised by `_inserted`
            return error
        self._on_insert(self._table, inserted, time.perf_counter() - started)
        return None


class _Taken:
    """Rows of an insert, made once and kept for its retries."""

    def __init__(self, rows: int, make: Make) -> None:
        self._rows = rows
        self._make: Make | None = make
        self._columns: Mapping[str, Any] = {}

    async def columns(self) -> Mapping[str, Any]:
        """Return the rows in columns."""
        if self._make is not None:
            is_large = self._rows >= MANY
            self._columns = await asyncio.to_thread(self._make) if is_large else self._make()
            self._make = None
        return self._columns


class _Made:
    """Rows that are made event by event."""

    restore_topics: tuple[str, ...] = ()

    def __init__(self, rows: Rows, max_rows: int) -> None:
        self._rows = rows
        self.max_rows = max_rows
        self._parts: list[Mapping[str, Any]] = []

    def add(self, event: Event) -> int:
        """Make an event's rows."""
        columns = self._rows(event)
        length = len(next(iter(columns.values()), ()))
        if length:
            self._parts.append(columns)
        return length

    def restore(self, event: Event) -> None:
        """Do nothing: an event says all of its rows."""

    def take(self) -> Make:
        """Return what joins the rows."""
        parts, self._parts = self._parts, []
        return lambda: _joined(parts)


def _joined(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {name: _column([part[name] for part in parts]) for name in parts[0]}


def _column(parts: list[Any]) -> Any:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return [value for part in parts for value in part]
