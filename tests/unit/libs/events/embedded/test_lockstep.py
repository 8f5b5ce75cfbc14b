"""Lockstep: one message at a time, in publish order over all topics and groups."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libs.events.bus import Consumer
from libs.events.embedded.bus import LocalBus
from tests import skipping
from tests.skipping import skip
from tests.unit.libs.events.embedded.logs import held, record

PARTITIONS = {"orders": 2, "positions": 1, "control": 1, "ticks": 1}
Handle = Callable[[str], Awaitable[None]]


class Reader:
    """A member of a group that notes what it is given and when it is done with it."""

    def __init__(
        self, consumer: Consumer, notes: list[str], name: str, handle: Handle | None
    ) -> None:
        self.consumer = consumer
        self.name = name
        self._notes = notes
        self._handle = handle

    async def run(self) -> None:
        while True:
            for message in await self.consumer.fetch(100, 0.05):
                await self._read(message.value.decode())

    async def _read(self, text: str) -> None:
        self._notes.append(f"{self.name} begins {text}")
        await asyncio.sleep(0.001)
        if self._handle is not None:
            await self._handle(text)
        self._notes.append(f"{self.name} ends {text}")


class Run:
    """A bus in lockstep with readers at work."""

    def __init__(self, *, retained_bytes: int = 1 << 20) -> None:
        self.bus = LocalBus(
            lockstep=True,
            is_aside=lambda group: group == "table",
            partitions=PARTITIONS,
            retained_bytes=retained_bytes,
        )
        self.notes: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Run":
        await self.bus.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.bus.stop()

    async def reader(self, name: str, *topics: str, handle: Handle | None = None) -> Reader:
        reader = Reader(await self.bus.subscribe(name, topics), self.notes, name, handle)
        self._tasks.append(asyncio.create_task(reader.run()))
        return reader

    async def publish(self, *texts: str) -> None:
        """Publish "topic/partition text" in this order."""
        for text in texts:
            place, _, rest = text.partition(" ")
            topic, _, partition = place.partition("/")
            await self.bus.publish(record(rest, topic, int(partition or 0)))

    async def idle(self) -> list[str]:
        """The notes, once everything is handled."""
        await asyncio.wait_for(self.bus.idle(), 10)
        return self.notes

    def begun(self) -> list[str]:
        return [note.replace(" begins", "") for note in self.notes if " begins " in note]


def play(story: Callable[[Run], Awaitable[None]], retained_bytes: int = 1 << 20) -> Run:
    async def run() -> Run:
        async with Run(retained_bytes=retained_bytes) as one:
            await asyncio.wait_for(story(one), 30)
        return one

    return skipping.run(run())


def test_one_message_is_handled_at_a_time() -> None:
    async def story(run: Run) -> None:
        for name in ("a", "b", "c"):
            await run.reader(name, "orders", "control")
        await run.publish("orders 1", "control 2", "orders/1 3")
        await run.idle()

    notes = play(story).notes
    assert len(notes) == 18
    for begin, end in zip(notes[::2], notes[1::2], strict=True):
        assert end == begin.replace("begins", "ends")


def test_delivery_is_in_publish_order_over_topics_and_partitions() -> None:
    async def story(run: Run) -> None:
        await run.reader("a", "control", "positions", "orders")
        await run.publish("orders/1 1", "control 2", "orders/0 3", "positions 4", "orders/1 5")
        await run.idle()

    assert play(story).begun() == ["a 1", "a 2", "a 3", "a 4", "a 5"]


def test_groups_take_turns_in_the_order_in_which_they_joined() -> None:
    async def story(run: Run) -> None:
        for name in ("z", "a", "m"):
            await run.reader(name, "orders")
        await run.publish("orders 1", "orders 2")
        await run.idle()

    assert play(story).begun() == ["z 1", "a 1", "m 1", "z 2", "a 2", "m 2"]


def test_what_a_handler_publishes_comes_after_what_was_published_before() -> None:
    async def story(run: Run) -> None:
        async def answer(text: str) -> None:
            await run.publish(f"positions answer to {text}")

        await run.reader("executor", "orders", handle=answer)
        await run.reader("position", "orders", "positions")
        await run.publish("orders 1", "orders 2")
        await run.idle()

    assert play(story).begun() == [
        "executor 1",
        "position 1",
        "executor 2",
        "position 2",
        "position answer to 1",
        "position answer to 2",
    ]


def test_idle_waits_until_the_last_answer_is_handled() -> None:
    async def story(run: Run) -> None:
        async def count_down(text: str) -> None:
            if int(text):
                await run.publish(f"orders {int(text) - 1}")

        await run.reader("a", "orders", handle=count_down)
        await run.publish("orders 5")
        assert (await run.idle())[-1] == "a ends 0"

    assert play(story).begun() == [f"a {number}" for number in (5, 4, 3, 2, 1, 0)]


def test_a_bus_where_nothing_is_due_is_idle() -> None:
    async def story(run: Run) -> None:
        assert await run.idle() == []
        await run.publish("orders nobody reads this")
        assert await run.idle() == []
        await run.reader("a", "control")
        assert await run.idle() == []

    play(story)


def test_a_group_that_joins_later_is_given_everything_from_the_beginning() -> None:
    async def story(run: Run) -> None:
        await run.reader("early", "orders")
        await run.publish("orders 1", "orders/1 2")
        await run.idle()
        await run.reader("late", "orders")
        await run.idle()

    assert play(story).begun() == ["early 1", "early 2", "late 1", "late 2"]


def test_what_was_committed_before_a_member_left_is_not_delivered_again() -> None:
    async def story(run: Run) -> None:
        await run.publish("orders 1", "orders 2")
        first = await run.bus.subscribe("a", ["orders"])
        (message,) = await first.fetch(10, 1.0)
        await first.commit({message.topic_partition: 1})
        await first.close()
        await run.reader("a", "orders")
        await run.idle()

    assert play(story).begun() == ["a 2"]


def test_a_message_that_was_not_committed_is_delivered_to_the_next_member() -> None:
    async def story(run: Run) -> None:
        await run.publish("orders 1", "orders 2")
        first = await run.bus.subscribe("a", ["orders"])
        assert len(await first.fetch(10, 1.0)) == 1
        await first.close()
        await run.reader("a", "orders")
        await run.idle()

    assert play(story).begun() == ["a 1", "a 2"]


def test_a_paused_partition_holds_the_turn_until_it_is_resumed() -> None:
    async def story(run: Run) -> None:
        reader = await run.reader("a", "orders", "control")
        paused = [p for p in reader.consumer.assignment() if p.topic == "orders"]
        reader.consumer.pause(paused)
        await run.publish("orders 1", "control 2")
        await skip(1.0, times=3)
        assert run.notes == []
        reader.consumer.resume(paused)
        await run.idle()

    assert play(story).begun() == ["a 1", "a 2"]


def test_a_fetch_without_a_turn_ends_after_its_timeout() -> None:
    async def story(run: Run) -> None:
        consumer = await run.bus.subscribe("a", ["orders"])
        assert await asyncio.wait_for(consumer.fetch(10, 0.02), 5) == []

    play(story)


def test_ticks_beyond_the_memory_are_kept_until_their_turn_has_come() -> None:
    texts = [f"ticks {number:03}" for number in range(50)]

    async def story(run: Run) -> None:
        await run.reader("a", "ticks")
        await run.publish(*texts)
        await run.idle()
        assert run.bus.dropped == 0

    run = play(story, retained_bytes=30)
    assert run.begun() == [text.replace("ticks", "a") for text in texts]


@pytest.mark.parametrize("attempt", range(3))
def test_the_same_run_is_delivered_in_the_same_order_each_time(attempt: int) -> None:
    async def story(run: Run) -> None:
        async def fan_out(text: str) -> None:
            await asyncio.sleep(0.001 * attempt)
            if len(text) < 4:
                await run.publish(f"orders/0 {text}x", f"orders/1 {text}y")

        await run.reader("a", "orders", handle=fan_out)
        await run.reader("b", "orders", "control")
        await run.publish("orders 1", "control 2", "orders/1 3")
        await run.idle()
        assert len(await held(run.bus)) == len(run.begun()) // 2

    begun = play(story).begun()
    assert begun[:8] == ["a 1", "b 1", "b 2", "a 3", "b 3", "a 1x", "b 1x", "a 1y"]
    assert len(begun) == 61


def test_a_group_aside_holds_up_nobody_and_misses_nothing() -> None:
    async def story(run: Run) -> None:
        may_go_on, has_all = asyncio.Event(), asyncio.Event()

        async def wait(text: str) -> None:
            await may_go_on.wait()
            if sum(one.startswith("table begins") for one in run.notes) == 3:
                has_all.set()

        table = await run.reader("table", "orders", handle=wait)
        await run.reader("a", "orders")
        await run.publish("orders 1", "orders 2", "orders/1 3")
        await run.idle()
        assert [one for one in run.begun() if one.startswith("a ")] == ["a 1", "a 2", "a 3"]
        assert "table ends 1" not in run.notes
        may_go_on.set()
        await has_all.wait()
        assert sum((await table.consumer.lag()).values()) == 3  # it has committed nothing

    play(story)
