"""What every bus must do: order, places, reading, dead letters, restarts, and what is refused.

Written against the port only, so that adapters can take each other's place.
"""

import asyncio
from collections import defaultdict
from hashlib import sha256
from itertools import pairwise

import pytest

from libs.events.bus import Bus, Consumer, Message, Record
from libs.events.errors import BusClosed, UnknownTopic
from libs.events.stamps import Stamps
from libs.runtime.dead_letters import DeadLetters, TooManyDeadLetters
from tests.contracts.buses import (
    PARTITIONS,
    BusFactory,
    Diary,
    everything,
    joined,
    next_offsets,
    play,
    publish,
    record,
    take,
    texts,
)


def test_records_of_a_partition_arrive_in_the_order_of_publishing(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        sent = [record(f"{number}", number % 3) for number in range(300)]
        await publish(bus, *sent)
        by_partition = defaultdict(list)
        for message in await take(await joined(bus, "readers"), 300, at_most=7):
            by_partition[message.partition].append(message)
        assert sorted(by_partition) == [0, 1, 2]
        for partition, messages in by_partition.items():
            assert texts(messages) == [f"{n}" for n in range(300) if n % 3 == partition]
            assert [message.offset for message in messages] == list(range(100))

    play(bus_factory, story)


def test_records_published_while_a_consumer_waits_arrive(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        consumer = await joined(bus, "readers")
        waiting = asyncio.create_task(take(consumer, 2))
        await asyncio.sleep(0.05)
        await publish(bus, record("one"))
        await publish(bus, record("two"))
        assert texts(await waiting) == ["one", "two"]

    play(bus_factory, story)


def test_a_fetch_returns_at_most_as_many_as_asked_for(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}", number % 3) for number in range(30)))
        consumer = await joined(bus, "readers")
        sizes: list[int] = []
        await until_taken(consumer, 30, 4, sizes)
        assert sum(sizes) == 30
        assert max(sizes) <= 4

    play(bus_factory, story)


async def until_taken(consumer: Consumer, count: int, at_most: int, sizes: list[int]) -> None:
    for _ in range(1000):
        if sum(sizes) == count:
            return
        sizes.append(len(await consumer.fetch(at_most, 0.1)))


def test_a_fetch_of_nothing_ends_after_its_timeout(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        consumer = await joined(bus, "readers")
        assert await asyncio.wait_for(consumer.fetch(10, 0.05), 5) == []

    play(bus_factory, story)


def test_a_consumer_with_a_backlog_lets_others_run(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}") for number in range(200)))
        consumer = await joined(bus, "readers")
        turns_of_another = 0

        async def another() -> None:
            nonlocal turns_of_another
            while True:
                turns_of_another += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(another())
        await take(consumer, 200, at_most=1)
        task.cancel()
        assert turns_of_another > 50

    play(bus_factory, story)


def test_a_record_keeps_its_key_value_time_and_headers(bus_factory: BusFactory) -> None:
    sent = Record(
        topic="orders",
        key="NSE:M&M — ₹",
        value=bytes(range(256)),
        timestamp_ms=1_760_000_000_123,
        partition=2,
        headers=(("type", b"OrderFilled"), ("raw", b"\x00\xff"), ("type", b"twice"), ("", b"")),
    )

    async def story(bus: Bus) -> None:
        await publish(bus, sent)
        (got,) = await take(await joined(bus, "readers"), 1)
        assert (got.topic, got.partition, got.offset) == ("orders", 2, 0)
        assert (got.key, got.value) == (sent.key, sent.value)
        assert (got.timestamp_ms, got.headers) == (sent.timestamp_ms, sent.headers)
        assert await everything(bus, "orders") == [got]

    play(bus_factory, story)


def test_the_stamps_of_a_record_arrive_and_can_be_read_again(bus_factory: BusFactory) -> None:
    stamps = Stamps((("exchange", 1_760_000_000_123), ("ingest", 1_760_000_000_163)))
    sent = Record("orders", "k", b"{}", 5, 0, (("type", b"OrderFilled"), stamps.header()))

    async def story(bus: Bus) -> None:
        await publish(bus, sent)
        (got,) = await take(await joined(bus, "readers"), 1)
        assert Stamps.of(got.headers) == stamps
        await are_kept(bus)

    async def are_kept(bus: Bus) -> None:
        (again,) = await everything(bus, "orders")
        assert Stamps.of(again.headers) == stamps

    play(bus_factory, story, *((are_kept,) if bus_factory.is_durable else ()))


def test_an_empty_value_and_an_empty_key_are_records_too(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, Record("orders", "", b"", 0, 0))
        (got,) = await take(await joined(bus, "readers"), 1)
        assert (got.key, got.value, got.timestamp_ms, got.headers) == ("", b"", 0, ())

    play(bus_factory, story)


def test_a_record_stands_in_the_partition_it_names(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{p}", p, key="same") for p in (2, 0, 1)))
        messages = await everything(bus, "orders")
        assert {message.partition: message.value for message in messages} == {
            0: b"0",
            1: b"1",
            2: b"2",
        }

    play(bus_factory, story)


def test_a_key_without_a_partition_always_has_the_same_one(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        keys = [f"key {number % 20}" for number in range(60)]
        await publish(bus, *(record(key, None, key=key) for key in keys))
        partitions = defaultdict(set)
        for message in await everything(bus, "orders"):
            partitions[message.key].add(message.partition)
        assert len(partitions) == 20
        assert {len(used) for used in partitions.values()} == {1}
        assert len(set.union(*partitions.values())) == PARTITIONS["orders"]

    play(bus_factory, story)


def test_a_bus_knows_how_many_partitions_a_topic_has(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        assert {topic: await bus.partitions(topic) for topic in PARTITIONS} == PARTITIONS

    play(bus_factory, story)


def test_reading_gives_all_from_the_beginning_and_ends(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{n}", n % 3) for n in range(30)), record("c", 0, "control"))
        consumer = await joined(bus, "readers")
        await consumer.commit(next_offsets(await take(consumer, 30)))
        messages = await everything(bus, "orders", "control")
        assert sorted(texts(messages)) == sorted([*(f"{n}" for n in range(30)), "c"])
        assert in_order_within_partitions(messages)
        assert len(await everything(bus, "orders")) == 30

    play(bus_factory, story)


def in_order_within_partitions(messages: list[Message]) -> bool:
    offsets = defaultdict(list)
    for message in messages:
        offsets[message.topic_partition].append(message.offset)
    return all(a < b for each in offsets.values() for a, b in pairwise(each))


def test_reading_moves_no_group(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        consumer = await joined(bus, "readers")
        await publish(bus, record("one"))
        assert texts(await everything(bus, "orders")) == ["one"]
        assert texts(await take(consumer, 1)) == ["one"]

    play(bus_factory, story)


def test_reading_an_empty_topic_or_no_topic_ends_at_once(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        assert await everything(bus, "orders") == []
        assert await everything(bus) == []

    play(bus_factory, story)


def test_a_dead_letter_tells_where_from_and_why(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, record("fine", 1), Record("orders", "k", b"\xff", 7, 1, (("a", b"b"),)))
        _, poison = await take(await joined(bus, "readers"), 2)
        await DeadLetters(bus, "executor", limit=1).write(poison, "orders: not JSON")
        (letter,) = await everything(bus, "orders.dlq")
        assert (letter.topic, letter.partition, letter.key) == ("orders.dlq", 1, "k")
        assert (letter.value, letter.timestamp_ms) == (b"\xff", 7)
        assert letter.headers == (
            ("a", b"b"),
            ("origin", b"orders/1/1"),
            ("service", b"executor"),
            ("reason", b"orders: not JSON"),
            ("verdict", b"poison"),
            ("digest", sha256(letter.value).hexdigest().encode()),
        )

    play(bus_factory, story)


def test_dead_letters_past_the_limit_are_written_and_stop_the_service(
    bus_factory: BusFactory,
) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, record("bad"))
        (message,) = await everything(bus, "orders")
        letters = DeadLetters(bus, "executor", limit=1)
        await letters.write(message, "first")
        with pytest.raises(TooManyDeadLetters, match=r"2 dead letters, the limit is 1.*second"):
            await letters.write(message, "second")
        assert len(await everything(bus, "orders.dlq")) == 2

    play(bus_factory, story)


def test_an_unknown_topic_is_named(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        with pytest.raises(UnknownTopic, match="odrers"):
            await publish(bus, record("x", topic="odrers"))
        with pytest.raises(UnknownTopic, match="odrers"):
            await bus.subscribe("readers", ["orders", "odrers"])
        with pytest.raises(UnknownTopic, match="odrers"):
            await bus.partitions("odrers")
        with pytest.raises(UnknownTopic, match="odrers"):
            await everything(bus, "odrers")

    play(bus_factory, story)


def test_publishing_is_refused_before_the_start_and_after_the_stop(bus_factory: BusFactory) -> None:
    async def story() -> None:
        bus = bus_factory()
        with pytest.raises(BusClosed):
            await bus.publish(record("early"))
        await bus.start()
        await publish(bus, record("in time"))
        await bus.stop()
        with pytest.raises(BusClosed):
            await bus.publish(record("late"))

    asyncio.run(story())


def test_stopping_the_bus_closes_its_consumers(bus_factory: BusFactory) -> None:
    async def story() -> None:
        bus, diary = bus_factory(), Diary("only")
        await bus.start()
        consumer = await joined(bus, "readers", "control", diary)
        await bus.stop()
        assert diary.entries == [("only", "assigned", 0), ("only", "revoked", 0)]
        with pytest.raises(BusClosed):
            await consumer.fetch(1, 0.1)

    asyncio.run(story())


def test_a_closed_consumer_refuses_to_fetch_and_may_be_closed_again(
    bus_factory: BusFactory,
) -> None:
    async def story(bus: Bus) -> None:
        consumer = await joined(bus, "readers")
        await consumer.close()
        await consumer.close()
        assert consumer.assignment() == frozenset()
        with pytest.raises(BusClosed):
            await consumer.fetch(1, 0.1)

    play(bus_factory, story)


def test_records_are_the_same_after_a_restart(durable_bus_factory: BusFactory) -> None:
    seen: list[list[Message]] = []

    async def write(bus: Bus) -> None:
        await publish(bus, *(record(f"{n}", n % 3, key=f"k{n}") for n in range(20)))
        await publish(bus, Record("control", "", b"\x00\xff", 5, 0, (("h", b"\x01"),)))
        seen.append(await everything(bus, "orders", "control"))

    async def look(bus: Bus) -> None:
        seen.append(await everything(bus, "orders", "control"))

    play(durable_bus_factory, write, look, look)
    first, *others = (sorted(each, key=lambda m: (m.topic_partition, m.offset)) for each in seen)
    assert len(first) == 21
    assert others == [first, first]


def test_dead_letters_survive_a_restart(durable_bus_factory: BusFactory) -> None:
    async def before(bus: Bus) -> None:
        await publish(bus, record("bad"))
        (message,) = await everything(bus, "orders")
        await DeadLetters(bus, "executor", limit=5).write(message, "why")

    async def after(bus: Bus) -> None:
        (letter,) = await everything(bus, "orders.dlq")
        assert dict(letter.headers)["reason"] == b"why"

    play(durable_bus_factory, before, after)
