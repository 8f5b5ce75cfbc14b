"""Table writers: each is a consumer group that buffers rows and inserts them at checkpoints.

Nothing on the event path waits for a writer. A writer that could not insert catches up by itself,
because offsets are committed only after the insert.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np

from libs.events.event import Event
from libs.store.store import Store

Rows = Callable[[Event], Mapping[str, Any]]
Emit = Callable[..., Awaitable[None]]


class TableWriter:
    """Buffers the rows that a pure function makes from events, and inserts them at a checkpoint.

    `rows` returns columns of equal length, or nothing for an event without rows in the table. If
    an event would make it more than `max_rows` rows, the buffer is inserted first; the event is
    buffered afterwards, because it is delivered again when the insert fails.
    `on_insert(table, rows, seconds)` is called after each insert.
    """

    def __init__(
        self,
        store: Store,
        table: str,
        rows: Rows,
        on_insert: Callable[[str, int, float], None],
        max_rows: int = 100_000,
    ) -> None:
        self._store = store
        self._table = table
        self._rows = rows
        self._on_insert = on_insert
        self._max_rows = max_rows
        self._buffered: list[Mapping[str, Any]] = []
        self._count = 0

    async def handle(self, event: Event, emit: Emit) -> None:
        """Buffer the rows of one event."""
        columns = self._rows(event)
        length = len(next(iter(columns.values()), ()))
        if self._count + length > self._max_rows:
            await self.flush()
        if length:
            self._buffered.append(columns)
            self._count += length

    async def flush(self) -> None:
        """Insert the buffered rows; after an error they stay buffered for the retry."""
        if not self._buffered:
            return
        started = time.perf_counter()
        inserted = await self._store.insert(self._table, _joined(self._buffered))
        self._buffered, self._count = [], 0
        self._on_insert(self._table, inserted, time.perf_counter() - started)

    def restore(self, event: Event) -> None:
        """Do nothing: stored rows stay stored."""

    async def begin(self, emit: Emit) -> None:
        """Clear the buffer: uncommitted events are delivered again."""
        self._buffered, self._count = [], 0


def _joined(parts: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _column([part[name] for part in parts]) for name in parts[0]}


def _column(parts: list[Any]) -> Any:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return [value for part in parts for value in part]
