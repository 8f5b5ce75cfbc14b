"""What the writer buffers, inserts and keeps."""

import asyncio
import threading
from asyncio import run
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.control import TradingHalted
from libs.events.event import Event, identity, utc_from_ms
from libs.store.errors import StoreUnavailable
from libs.store.store import Columns
from libs.store.writer import MANY, TableWriter
from tests.unit.fakes import ForgetfulStore


class NotingStore(ForgetfulStore):
    """A store that keeps what was inserted, and is away for some calls."""

    def __init__(self, refusals: int = 0) -> None:
        self.tables: list[str] = []
        self.inserts: list[dict[str, list[Any]]] = []
        self.types: list[dict[str, type]] = []
        self.refusals = refusals

    async def insert(self, table: str, columns: Columns) -> int:
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("the database is away")
        self.tables.append(table)
        self.inserts.append({name: list(column) for name, column in columns.items()})
        self.types.append({name: type(column) for name, column in columns.items()})
        return await super().insert(table, columns)


def numbered(first: int, count: int = 1) -> TradingHalted:
    """An event that stands for `count` rows, from the number `first` on."""
    event_id = identity("rows", first, count)
    return TradingHalted(
        event_id=event_id,
        occurred_at=utc_from_ms(0),
        trading_day=date(2026, 6, 10),
        correlation_id=event_id,
        reason=f"{first} {count}",
    )


def rows(event: Event) -> Mapping[str, Any]:
    """Columns of an event: a list and an array; none for an event of no rows."""
    assert isinstance(event, TradingHalted)
    first, count = map(int, event.reason.split())
    numbers = range(first, first + count)
    if first < 0:
        return {}
    return {"name": [f"row {number}" for number in numbers], "number": np.array([*numbers])}


async def emit(_: Event) -> None:
    raise AssertionError("a writer publishes nothing")


class Harness:
    """A writer in one loop: the insert of a full buffer goes on beside what follows."""

    def __init__(self, refusals: int = 0, max_rows: int = 100) -> None:
        self.store = NotingStore(refusals)
        self.told: list[tuple[str, int]] = []
        self.writer = TableWriter(self.store, "orders", rows, self._on_insert, max_rows)

    def _on_insert(self, table: str, count: int, seconds: float) -> None:
        assert seconds >= 0
        self.told.append((table, count))

    async def handle(self, *events: Event) -> None:
        for event in events:
            await self.writer.handle(event, emit)

    async def flush(self) -> None:
        await self.writer.flush()

    @property
    def numbers(self) -> list[list[int]]:
        return [insert["number"] for insert in self.store.inserts]


async def turns() -> None:
    """Let a task that was begun do its work."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_nothing_is_inserted_before_the_flush_and_everything_at_once_then() -> None:
    async def day() -> None:
        harness = Harness()
        await harness.handle(numbered(0, 2), numbered(2), numbered(3, 3))
        await turns()
        assert harness.store.inserts == []
        await harness.flush()
        assert harness.numbers == [[0, 1, 2, 3, 4, 5]]
        assert harness.store.inserts[0]["name"] == [f"row {number}" for number in range(6)]
        assert harness.store.tables == ["orders"]
        assert harness.told == [("orders", 6)]

    run(day())


def test_arrays_are_joined_as_arrays_and_lists_as_lists() -> None:
    async def day() -> None:
        harness = Harness()
        await harness.handle(numbered(0, 2), numbered(2))
        await harness.flush()
        assert harness.store.types == [{"name": list, "number": np.ndarray}]

    run(day())


def test_an_event_without_rows_is_passed_over() -> None:
    async def day() -> None:
        harness = Harness()
        await harness.handle(numbered(-1), numbered(0, 0))
        await harness.flush()
        assert harness.store.inserts == []
        await harness.handle(numbered(-1), numbered(7), numbered(0, 0))
        await harness.flush()
        assert harness.numbers == [[7]]

    run(day())


def test_a_second_flush_inserts_nothing_again() -> None:
    async def day() -> None:
        harness = Harness()
        await harness.handle(numbered(0))
        await harness.flush()
        await harness.flush()
        assert harness.numbers == [[0]]

    run(day())


def test_what_could_not_be_inserted_is_kept_and_inserted_once_afterwards() -> None:
    async def day() -> None:
        harness = Harness(refusals=2)
        await harness.handle(numbered(0, 2))
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await harness.flush()
        await harness.handle(numbered(2))
        await harness.flush()
        await harness.flush()
        assert harness.numbers == [[0, 1], [2]]
        assert harness.told == [("orders", 2), ("orders", 1)]

    run(day())


def test_a_full_buffer_is_inserted_while_the_next_one_fills() -> None:
    async def day() -> None:
        harness = Harness(max_rows=4)
        await harness.handle(numbered(0, 3), numbered(3, 1), numbered(4, 2))
        await turns()
        assert harness.numbers == [[0, 1, 2, 3]]
        await harness.flush()
        assert harness.numbers == [[0, 1, 2, 3], [4, 5]]

    run(day())


def test_no_event_is_taken_while_two_buffers_wait_for_the_database() -> None:
    async def day() -> None:
        harness = Harness(refusals=3, max_rows=2)
        await harness.handle(numbered(0, 2), numbered(2, 2))
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await harness.handle(numbered(4, 2))
        await harness.handle(numbered(4, 2))
        await harness.flush()
        assert harness.numbers == [[0, 1], [2, 3], [4, 5]]

    run(day())


def test_a_flush_that_is_cancelled_leaves_the_rows_for_the_next_one() -> None:
    class Slow(NotingStore):
        async def insert(self, table: str, columns: Columns) -> int:
            if not self.refusals:
                self.refusals = -1
                await asyncio.Event().wait()
            self.refusals = 0
            return await super().insert(table, columns)

    async def day() -> None:
        harness = Harness()
        harness.store = Slow()
        harness.writer = TableWriter(harness.store, "orders", rows, harness._on_insert)
        await harness.handle(numbered(0, 2))
        flushing = asyncio.create_task(harness.flush())
        await turns()
        flushing.cancel()
        await asyncio.wait([flushing])
        await harness.flush()
        assert harness.numbers == [[0, 1]]

    run(day())


class Threads:
    """A buffer that notes on which thread its rows are made."""

    restore_topics: tuple[str, ...] = ()
    max_rows = 10 * MANY

    def __init__(self, rows_each: int) -> None:
        self.rows_each = rows_each
        self.made_on: list[int] = []

    def add(self, event: Event) -> int:
        return self.rows_each

    def restore(self, event: Event) -> None:
        """Note nothing."""

    def take(self) -> Callable[[], Mapping[str, Any]]:
        def make() -> Mapping[str, Any]:
            self.made_on.append(threading.get_ident())
            return {"number": np.zeros(self.rows_each)}

        return make


@pytest.mark.parametrize(("count", "is_on_the_loop"), [(MANY - 1, True), (MANY, False)])
def test_many_rows_are_made_once_and_beside_the_loop(count: int, is_on_the_loop: bool) -> None:
    async def day() -> None:
        buffer = Threads(count)
        writer = TableWriter(NotingStore(refusals=1), "ticks", buffer, lambda *_: None)
        await writer.handle(numbered(0), emit)
        with pytest.raises(StoreUnavailable):
            await writer.flush()
        await writer.flush()
        (made_on,) = buffer.made_on
        assert (made_on == threading.get_ident()) == is_on_the_loop

    run(day())


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 12), st.integers(0, 3))
def test_every_row_is_inserted_once_and_in_order_whatever_the_sizes_and_failures(
    sizes: list[int], max_rows: int, refusals: int
) -> None:
    harness = Harness(refusals, max_rows)

    async def until_taken(work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await work()
            except StoreUnavailable:
                continue

    async def day() -> None:
        first = 0
        for size in sizes:
            event = numbered(first, size)
            await until_taken(partial(harness.handle, event))
            first += size
        await until_taken(harness.flush)
        inserted = [number for numbers in harness.numbers for number in numbers]
        assert inserted == list(range(first))

    run(day())
    assert all(len(numbers) < max_rows + max(sizes) for numbers in harness.numbers)


def test_a_writer_restores_and_begins_nothing() -> None:
    async def day() -> None:
        harness = Harness()
        harness.writer.restore(numbered(0))
        await harness.handle(numbered(0))
        await harness.writer.begin(emit)
        await harness.flush()
        assert harness.store.inserts == []

    run(day())
