"""What every bus must tell of the past: spans, times, single partitions, where a group stands."""

from dataclasses import replace

from libs.events.bus import Bus, Message, TopicPartition
from tests.contracts.buses import (
    BusFactory,
    eventually,
    joined,
    next_offsets,
    play,
    publish,
    record,
    take,
    texts,
)

PLACE = TopicPartition("orders", 0)


async def span(bus: Bus, start: int, stop: int | None = None) -> list[Message]:
    return [message async for message in bus.read_span(PLACE, start, stop)]


def test_a_span_holds_its_first_offset_and_not_its_last(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}") for number in range(6)), record("other", 1))
        assert texts(await span(bus, 2, 4)) == ["2", "3"]
        assert [message.offset for message in await span(bus, 2, 4)] == [2, 3]
        assert texts(await span(bus, 4)) == ["4", "5"]

    play(bus_factory, story)


def test_a_span_that_reaches_beyond_what_is_there_ends(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, record("0"), record("1"))
        assert texts(await span(bus, 1, 100)) == ["1"]
        assert await span(bus, 2, 100) == []
        assert await span(bus, 1, 1) == []

    play(bus_factory, story)


def test_a_span_of_an_empty_partition_is_empty(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        assert await span(bus, 0) == []
        assert await span(bus, 0, 5) == []

    play(bus_factory, story)


def test_the_offset_at_a_time_is_the_first_stamped_then_or_later(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        stamped = [replace(record(f"{at}"), timestamp_ms=at) for at in (1000, 2000, 2000, 3000)]
        await publish(bus, *stamped)
        times = (0, 1000, 1001, 2000, 2500, 3000, 3001)
        found = [await bus.offset_at(PLACE, at_ms) for at_ms in times]
        assert found == [0, 0, 1, 1, 3, 3, 4]

    play(bus_factory, story)


def test_the_offset_at_any_time_of_an_empty_partition_is_its_end(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        assert await bus.offset_at(PLACE, 1000) == 0

    play(bus_factory, story)


def test_reading_some_partitions_leaves_the_others_out(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}", number) for number in range(3)))
        read = [message async for message in bus.read(["orders"], [0, 2])]
        assert sorted(texts(read)) == ["0", "2"]
        assert [message async for message in bus.read(["orders"], [])] == []

    play(bus_factory, story)


def test_a_member_knows_where_its_group_stands(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}") for number in range(5)), record("x", 1))
        consumer = await joined(bus, "readers")
        assert set((await consumer.committed(consumer.assignment())).values()) == {0}
        taken = [one for one in await take(consumer, 6) if one.partition == 0]
        await consumer.commit(next_offsets(taken[:3]))
        both = [PLACE, TopicPartition("orders", 1)]

        async def stands_there() -> bool:
            return await consumer.committed(both) == {both[0]: 3, both[1]: 0}

        await eventually(stands_there, "the commit is seen")

    play(bus_factory, story)


def test_a_bus_that_is_there_answers_and_confirms(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await bus.ping()
        await bus.confirm()

    play(bus_factory, story)


def test_a_durable_bus_says_that_it_keeps_its_topics(durable_bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        assert bus.keeps("orders")

    play(durable_bus_factory, story)
