"""What the embedded bus keeps in memory: ticks only as long as someone may still need them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libs.events.bus import Consumer, TopicPartition
from libs.events.embedded.bus import LocalBus
from libs.events.errors import BusClosed
from tests.unit.libs.events.embedded.logs import held, record, texts

TICKS = TopicPartition("ticks", 0)


def play(story: Callable[[LocalBus], Awaitable[None]], retained_bytes: int = 1 << 20) -> None:
    async def run() -> None:
        bus = LocalBus(partitions={"ticks": 1, "orders": 2}, retained_bytes=retained_bytes)
        await bus.start()
        await asyncio.wait_for(story(bus), 30)
        await bus.stop()

    asyncio.run(run())


async def publish(bus: LocalBus, first: int, last: int, topic: str = "ticks") -> None:
    for number in range(first, last):
        await bus.publish(record(f"{number:04}", topic))


async def take(consumer: Consumer, count: int) -> list[str]:
    return texts(await consumer.fetch(count, 1.0))


def test_ticks_that_every_group_committed_are_forgotten() -> None:
    async def story(bus: LocalBus) -> None:
        first = await bus.subscribe("first", ["ticks"])
        second = await bus.subscribe("second", ["ticks"])
        await publish(bus, 0, 10)
        await first.commit({TICKS: 8})
        assert len(await held(bus, "ticks")) == 10
        await second.commit({TICKS: 3})
        assert await held(bus, "ticks") == [f"{number:04}" for number in range(3, 10)]
        assert bus.dropped == 0

    play(story)


def test_business_records_are_kept_when_they_are_committed() -> None:
    async def story(bus: LocalBus) -> None:
        consumer = await bus.subscribe("only", ["orders"])
        await publish(bus, 0, 10, "orders")
        await consumer.commit({TopicPartition("orders", 0): 10})
        assert len(await held(bus)) == 10

    play(story, retained_bytes=8)


def test_ticks_beyond_the_memory_are_dropped_oldest_first_and_counted() -> None:
    async def story(bus: LocalBus) -> None:
        consumer = await bus.subscribe("slow", ["ticks"])
        await publish(bus, 0, 10)
        assert bus.dropped == 7
        assert await take(consumer, 10) == ["0007", "0008", "0009"]
        await publish(bus, 10, 12)
        assert bus.dropped == 9
        assert await take(consumer, 10) == ["0010", "0011"]

    play(story, retained_bytes=12)


def test_the_newest_tick_is_kept_however_large_it_is() -> None:
    async def story(bus: LocalBus) -> None:
        await publish(bus, 0, 3)
        assert await held(bus, "ticks") == ["0002"]

    play(story, retained_bytes=1)


def test_lag_counts_only_what_can_still_be_delivered() -> None:
    async def story(bus: LocalBus) -> None:
        consumer = await bus.subscribe("slow", ["ticks"])
        await publish(bus, 0, 10)
        assert await consumer.lag() == {TICKS: 3}
        assert bus.committed("slow", TICKS) == 7

    play(story, retained_bytes=12)


def test_a_group_that_joins_late_begins_with_what_is_still_held() -> None:
    async def story(bus: LocalBus) -> None:
        await publish(bus, 0, 10)
        consumer = await bus.subscribe("late", ["ticks"])
        assert await take(consumer, 10) == ["0007", "0008", "0009"]

    play(story, retained_bytes=12)


def test_a_commit_of_a_partition_that_was_taken_away_is_left_out() -> None:
    async def story(bus: LocalBus) -> None:
        topic_partition = TopicPartition("orders", 1)
        await publish(bus, 0, 4, "orders")
        first = await bus.subscribe("readers", ["orders"])
        second = await bus.subscribe("readers", ["orders"])
        assert topic_partition in second.assignment()
        await first.commit({topic_partition: 99, TopicPartition("orders", 0): 2})
        assert bus.committed("readers", topic_partition) == 0
        assert bus.committed("readers", TopicPartition("orders", 0)) == 2

    play(story)


def test_two_members_of_one_group_that_read_other_topics_get_their_own() -> None:
    async def story(bus: LocalBus) -> None:
        first = await bus.subscribe("readers", ["orders"])
        second = await bus.subscribe("readers", ["ticks"])
        assert {p.topic for p in first.assignment()} == {"orders"}
        assert second.assignment() == {TICKS}

    play(story)


def test_the_table_gives_the_partitions_unless_they_are_named() -> None:
    async def story(bus: LocalBus) -> None:
        names = ("ticks", "orders", "orders.dlq", "candles")
        assert [await bus.partitions(name) for name in names] == [1, 2, 2, 8]

    play(story)


def test_a_bus_that_was_stopped_may_not_be_published_on() -> None:
    async def story() -> None:
        bus = LocalBus()
        await bus.start()
        await bus.stop()
        with pytest.raises(BusClosed, match="not started"):
            await publish(bus, 0, 1)

    asyncio.run(story())
