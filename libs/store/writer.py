"""A table's writer: a consumer group of its own that buffers events as columns and inserts them.

Storing is apart from handling: nothing on the event path waits for a writer, and a writer that
could not insert catches up by itself, because offsets are committed only after the insert.
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
    """Buffers the rows that a pure function makes of events, and inserts them at a checkpoint.

    `rows` returns columns of one length, or nothing for an event that has no place in the table.
    What would make it more than `max_rows` buffered rows is preceded by an insert, before the
    checkpoint. The insert comes first because the shell hands in an event again when it fails.
    `on_insert(table, rows, seconds)` is told each insert.
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
        """Insert what is buffered; on an error it stays buffered for the next try."""
        if not self._buffered:
            return
        started = time.perf_counter()
        inserted = await self._store.insert(self._table, _joined(self._buffered))
        self._buffered, self._count = [], 0
        self._on_insert(self._table, inserted, time.perf_counter() - started)

    def restore(self, event: Event) -> None:
        """Keep nothing: what was stored stays stored."""

    async def begin(self, emit: Emit) -> None:
        """Drop what an earlier start has buffered: it was not committed, and is delivered again."""
        self._buffered, self._count = [], 0


def _joined(parts: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _column([part[name] for part in parts]) for name in parts[0]}


def _column(parts: list[Any]) -> Any:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return [value for part in parts for value in part]
