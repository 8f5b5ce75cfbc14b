"""A bus with a fence: one process at a time, and what it publishes appears together or never."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libs.events.bus import Bus
from libs.events.errors import Fenced
from libs.events.kafka.address import KafkaAddress
from tests.contracts.buses import (
    everything,
    joined,
    next_offsets,
    nothing_from,
    publish,
    record,
    take,
    texts,
)
from tests.contracts.kafka_buses import FencedKafkaBuses, KafkaBuses


def play(kafka: KafkaAddress, story: Callable[[FencedKafkaBuses], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(_started(story, FencedKafkaBuses(kafka)), 60))


async def _started(
    story: Callable[[FencedKafkaBuses], Awaitable[None]], buses: FencedKafkaBuses
) -> None:
    await story(buses)


async def open_bus(buses: KafkaBuses) -> Bus:
    bus = buses()
    await bus.start()
    return bus


def test_what_is_published_is_not_seen_before_the_flush(kafka: KafkaAddress) -> None:
    async def story(buses: FencedKafkaBuses) -> None:
        bus = await open_bus(buses)
        reader = await joined(bus, "readers")
        await bus.publish(record("one", 0))
        await bus.publish(record("two", 1))
        await nothing_from(reader)
        await bus.flush()
        assert sorted(texts(await take(reader, 2))) == ["one", "two"]
        await bus.stop()

    play(kafka, story)


def test_a_second_process_fences_the_first(kafka: KafkaAddress) -> None:
    async def story(buses: FencedKafkaBuses) -> None:
        first = await open_bus(buses)
        await publish(first, record("whole"))
        await first.publish(record("half"))
        second = await open_bus(buses)
        with pytest.raises(Fenced, match="another process"):
            await first.flush()
        with pytest.raises(Fenced):
            await publish(first, record("too late"))
        await publish(second, record("from the second"))
        assert texts(await everything(second, "orders")) == ["whole", "from the second"]
        await first.stop()
        await second.stop()

    play(kafka, story)


def test_the_first_learns_of_the_second_when_it_commits_or_asks(kafka: KafkaAddress) -> None:
    async def story(buses: FencedKafkaBuses) -> None:
        first = await open_bus(buses)
        reader = await joined(first, "readers")
        await publish(first, record("one"))
        taken = await take(reader, 1)
        await first.confirm()
        second = await open_bus(buses)
        with pytest.raises(Fenced):
            await reader.commit(next_offsets(taken))
        with pytest.raises(Fenced):
            await first.confirm()
        successor = await joined(second, "readers")
        assert texts(await take(successor, 1)) == ["one"]
        await first.stop()
        await second.stop()

    play(kafka, story)


def test_the_second_has_all_partitions_at_once(kafka: KafkaAddress) -> None:
    async def story(buses: FencedKafkaBuses) -> None:
        first = await open_bus(buses)
        await joined(first, "readers", "candles")
        second = await open_bus(buses)
        successor = await second.subscribe("readers", ["candles"])
        assert len(successor.assignment()) == 4
        await first.stop()
        await second.stop()

    play(kafka, story)
