"""What every bus must do for groups: sharing, commits, lag, pausing, rebalances, restarts."""

import asyncio

from libs.events.bus import Bus, TopicPartition
from tests.contracts.buses import (
    PARTITIONS,
    BusFactory,
    Diary,
    joined,
    next_offsets,
    nothing_from,
    play,
    publish,
    record,
    shared,
    take,
    texts,
)


def test_each_group_is_given_everything(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        first = await joined(bus, "first")
        await publish(bus, *(record(f"{number}") for number in range(5)))
        second = await joined(bus, "second")
        assert texts(await take(first, 5)) == texts(await take(second, 5))

    play(bus_factory, story)


def test_a_group_reads_several_topics(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, record("an order"), record("a halt", topic="control"))
        consumer = await bus.subscribe("readers", ["orders", "control"])
        await shared(PARTITIONS["orders"] + PARTITIONS["control"], consumer)
        assert sorted(texts(await take(consumer, 2))) == ["a halt", "an order"]

    play(bus_factory, story)


def test_the_members_of_a_group_share_its_partitions(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        first = await bus.subscribe("readers", ["candles"])
        second = await bus.subscribe("readers", ["candles"])
        await shared(PARTITIONS["candles"], first, second)
        await publish(bus, *(record(f"{n}", n % 4, "candles") for n in range(40)))
        counts = [10 * len(member.assignment()) for member in (first, second)]
        got = [await take(first, counts[0]), await take(second, counts[1])]
        assert sorted(map(int, texts([*got[0], *got[1]]))) == list(range(40))
        for member, messages in zip((first, second), got, strict=True):
            assert {message.topic_partition for message in messages} == member.assignment()

    play(bus_factory, story)


def test_members_that_join_at_the_same_time_share_the_partitions(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        listeners = [Diary("a"), Diary("b"), Diary("c")]
        members = await asyncio.gather(
            *(bus.subscribe("readers", ["candles"], listener) for listener in listeners)
        )
        await shared(PARTITIONS["candles"], *members)
        await asyncio.gather(members[0].close(), members[1].close())
        await shared(PARTITIONS["candles"], members[2])

    play(bus_factory, story)


def test_a_member_that_leaves_gives_its_partitions_to_the_others(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        first = await bus.subscribe("readers", ["candles"])
        second = await bus.subscribe("readers", ["candles"])
        await shared(PARTITIONS["candles"], first, second)
        await first.close()
        await shared(PARTITIONS["candles"], second)
        await publish(bus, *(record(f"{n}", n, "candles") for n in range(4)))
        assert sorted(texts(await take(second, 4))) == ["0", "1", "2", "3"]

    play(bus_factory, story)


def test_what_was_committed_is_not_delivered_again(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}") for number in range(10)))
        first = await joined(bus, "readers")
        handled = await take(first, 10)
        await first.commit(next_offsets(handled[:6]))
        await first.close()
        second = await joined(bus, "readers")
        assert texts(await take(second, 4)) == ["6", "7", "8", "9"]
        await nothing_from(second)

    play(bus_factory, story)


def test_what_was_not_committed_is_delivered_again(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}", number % 3) for number in range(9)))
        first = await joined(bus, "readers")
        before = await take(first, 9)
        await first.close()
        after = await take(await joined(bus, "readers"), 9)
        assert sorted(texts(before)) == sorted(texts(after))

    play(bus_factory, story)


def test_a_commit_of_one_group_moves_no_other(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, record("one"), record("two"))
        first, second = await joined(bus, "first"), await joined(bus, "second")
        await first.commit(next_offsets(await take(first, 2)))
        await second.close()
        assert texts(await take(await joined(bus, "second"), 2)) == ["one", "two"]

    play(bus_factory, story)


def test_a_commit_of_one_partition_moves_no_other(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, record("in 0", 0), record("in 1", 1))
        first = await joined(bus, "readers")
        await take(first, 2)
        await first.commit({TopicPartition("orders", 1): 1})
        await first.close()
        assert texts(await take(await joined(bus, "readers"), 1)) == ["in 0"]

    play(bus_factory, story)


def test_lag_is_what_the_group_has_not_committed(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}") for number in range(5)), record("x", 1))
        consumer = await joined(bus, "readers")
        zero, one, two = (TopicPartition("orders", partition) for partition in range(3))
        assert await consumer.lag() == {zero: 5, one: 1, two: 0}
        await take(consumer, 6)
        assert await consumer.lag() == {zero: 5, one: 1, two: 0}
        await consumer.commit({zero: 3, one: 1})
        assert await consumer.lag() == {zero: 2, one: 0, two: 0}

    play(bus_factory, story)


def test_a_paused_partition_is_silent_and_the_others_are_not(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        consumer = await joined(bus, "readers")
        paused = [TopicPartition("orders", 0)]
        consumer.pause(paused)
        await publish(bus, record("held", 0), record("through", 1), record("held too", 0))
        assert texts(await take(consumer, 1)) == ["through"]
        await nothing_from(consumer)
        consumer.resume(paused)
        assert texts(await take(consumer, 2)) == ["held", "held too"]

    play(bus_factory, story)


def test_a_pause_goes_on_where_the_consumer_was(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}") for number in range(6)))
        consumer = await joined(bus, "readers")
        assert texts(await take(consumer, 2, at_most=1)) == ["0", "1"]
        consumer.pause(consumer.assignment())
        await nothing_from(consumer)
        assert consumer.assignment() == {TopicPartition("orders", p) for p in range(3)}
        consumer.resume(consumer.assignment())
        assert texts(await take(consumer, 4)) == ["2", "3", "4", "5"]

    play(bus_factory, story)


def test_a_partition_is_revoked_before_another_member_gets_it(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        entries: list[tuple[str, str, int]] = []
        first = await joined(bus, "readers", "candles", Diary("first", entries))
        second = await bus.subscribe("readers", ["candles"], Diary("second", entries))
        await shared(PARTITIONS["candles"], first, second)
        for partition in (p.partition for p in second.assignment()):
            story_of_it = [entry[:2] for entry in entries if entry[2] == partition]
            assert story_of_it == [
                ("first", "assigned"),
                ("first", "revoked"),
                ("second", "assigned"),
            ]

    play(bus_factory, story)


def test_a_commit_while_partitions_are_revoked_counts(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        await publish(bus, *(record(f"{n}", n % 4, "candles") for n in range(8)))
        diary = Diary("first")
        first = await joined(bus, "readers", "candles", diary)
        diary.consumer = first
        diary.on_revoke = dict.fromkeys(first.assignment(), 2)
        await take(first, 8)
        second = await bus.subscribe("readers", ["candles"])
        await shared(PARTITIONS["candles"], first, second)
        await nothing_from(second)

    play(bus_factory, story)


def test_a_listener_is_told_when_its_consumer_closes(bus_factory: BusFactory) -> None:
    async def story(bus: Bus) -> None:
        diary = Diary("only")
        consumer = await joined(bus, "readers", "orders", diary)
        await consumer.close()
        assert diary.entries == [
            ("only", what, p) for what in ("assigned", "revoked") for p in range(3)
        ]

    play(bus_factory, story)


def test_nothing_is_delivered_before_the_listener_is_ready(bus_factory: BusFactory) -> None:
    class Slow(Diary):
        is_ready = False

        async def on_assigned(self, partitions: object) -> None:
            await asyncio.sleep(0.1)
            self.is_ready = True

    async def story(bus: Bus) -> None:
        await publish(bus, record("one"))
        slow = Slow("slow")
        consumer = await bus.subscribe("readers", ["orders"], slow)
        assert texts(await take(consumer, 1)) == ["one"]
        assert slow.is_ready

    play(bus_factory, story)


def test_a_group_goes_on_after_a_restart(durable_bus_factory: BusFactory) -> None:
    async def before(bus: Bus) -> None:
        await publish(bus, *(record(f"{number}") for number in range(5)), record("other", 1))
        consumer = await joined(bus, "readers")
        handled = [each for each in await take(consumer, 6) if each.partition == 0]
        await consumer.commit(next_offsets(handled[:3]))

    async def after(bus: Bus) -> None:
        await publish(bus, record("5"))
        consumer = await joined(bus, "readers")
        messages = await take(consumer, 4)
        assert texts([m for m in messages if m.partition == 0]) == ["3", "4", "5"]
        assert texts([m for m in messages if m.partition == 1]) == ["other"]
        await nothing_from(consumer)

    play(durable_bus_factory, before, after)
