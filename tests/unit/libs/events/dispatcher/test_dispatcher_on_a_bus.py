"""The dispatcher as a group of a bus: decoded, dispatched, handled, then committed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libs.events.bus import Message, TopicPartition
from libs.events.codec import record_of
from libs.events.control import ServiceFailed
from libs.events.dispatcher.dispatcher import Dispatcher
from libs.events.embedded.bus import LocalBus
from libs.events.errors import BusClosed, UnknownTopic
from tests import skipping
from tests.skipping import skip
from tests.unit.libs.events.dispatcher.dispatching import Seen, failure
from tests.unit.libs.events.embedded.logs import record

CONTROL = TopicPartition("control", 0)
Story = Callable[[LocalBus, Dispatcher], Awaitable[None]]


def play(story: Story, *, lockstep: bool = False) -> None:
    """Play a story on a bus with a dispatcher; no task may be left behind."""

    async def run() -> None:
        bus = LocalBus(lockstep=lockstep)
        await bus.start()
        async with Dispatcher() as dispatcher:
            await asyncio.wait_for(story(bus, dispatcher), 20)
        await bus.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    skipping.run(run())


async def publish(bus: LocalBus, *reasons: str) -> None:
    for reason in reasons:
        await bus.publish(record_of(failure(reason)))


async def committed(bus: LocalBus, group: str, offset: int) -> None:
    """Return once the group has committed this offset."""
    for _ in range(1000):
        if bus.committed(group, CONTROL) == offset:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{group} committed {bus.committed(group, CONTROL)}, not {offset}")


def test_what_a_group_is_given_is_dispatched_in_order_and_committed() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        handler = Seen()
        dispatcher.subscribe(handler)
        await publish(bus, "0", "1")
        await dispatcher.follow(bus, "outcome", ["control"])
        await publish(bus, "2", "3")
        await committed(bus, "outcome", 4)
        assert handler == ["0", "1", "2", "3"]

    play(story)


def test_nothing_is_committed_before_every_handler_is_done_with_it() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        gate = asyncio.Event()

        async def wait(_event: ServiceFailed) -> None:
            await gate.wait()

        dispatcher.subscribe(wait)
        dispatcher.subscribe(Seen())
        await publish(bus, "0")
        await dispatcher.follow(bus, "outcome", ["control"])
        await skip(1.0, times=3)
        assert bus.committed("outcome", CONTROL) == 0
        gate.set()
        await committed(bus, "outcome", 1)

    play(story)


def test_what_was_not_committed_comes_again_to_the_next_dispatcher() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        first, second = Seen(), Seen()
        dispatcher.subscribe(first)
        await dispatcher.follow(bus, "outcome", ["control"])
        await publish(bus, "0", "1")
        await committed(bus, "outcome", 2)
        await dispatcher.stop()
        await publish(bus, "2")
        async with Dispatcher() as another:
            another.subscribe(second)
            await another.follow(bus, "outcome", ["control"])
            await committed(bus, "outcome", 3)
        assert (first, second) == (["0", "1"], ["2"])

    play(story)


def test_a_message_that_is_no_event_is_a_dead_letter_and_the_rest_goes_on() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        handler = Seen()
        dispatcher.subscribe(handler)
        await bus.publish(record("no event", "control"))
        await publish(bus, "after")
        await dispatcher.follow(bus, "outcome", ["control"])
        await committed(bus, "outcome", 2)
        assert handler == ["after"]
        (letter,) = dispatcher.dead_letters
        assert isinstance(letter.subject, Message)
        assert (letter.subject.value, letter.subscriber) == (b"no event", "outcome")
        assert "JSON" in letter.reason

    play(story)


def test_a_failure_of_a_handler_is_committed_as_a_dead_letter() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        async def fail(_event: ServiceFailed) -> None:
            raise ValueError("no luck")

        dispatcher.subscribe(fail)
        await publish(bus, "0")
        await dispatcher.follow(bus, "outcome", ["control"])
        await committed(bus, "outcome", 1)
        assert [letter.reason for letter in dispatcher.dead_letters] == ["ValueError: no luck"]

    play(story)


def test_in_lockstep_an_idle_bus_means_that_everything_is_handled() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        seen: list[str] = []

        async def slow(event: ServiceFailed) -> None:
            await asyncio.sleep(0.01)
            seen.append(event.reason)

        dispatcher.subscribe(slow)
        await dispatcher.follow(bus, "outcome", ["control"])
        await publish(bus, "0", "1", "2")
        await bus.idle()
        assert seen == ["0", "1", "2"]
        assert bus.committed("outcome", CONTROL) == 3

    play(story, lockstep=True)


def test_several_groups_may_feed_one_dispatcher() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        handler = Seen()
        dispatcher.subscribe(handler)
        await dispatcher.follow(bus, "one", ["control"])
        await dispatcher.follow(bus, "two", ["control"])
        await publish(bus, "0")
        await committed(bus, "one", 1)
        await committed(bus, "two", 1)
        assert handler == ["0", "0"]

    play(story)


def test_an_unknown_topic_is_refused_at_once() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        with pytest.raises(UnknownTopic, match="kontrol"):
            await dispatcher.follow(bus, "outcome", ["kontrol"])

    play(story)


def test_a_dispatcher_that_is_not_started_follows_nothing() -> None:
    async def story(bus: LocalBus, _dispatcher: Dispatcher) -> None:
        with pytest.raises(BusClosed, match="group outcome"):
            await Dispatcher().follow(bus, "outcome", ["control"])

    play(story)


def test_an_error_of_the_bus_is_raised_by_drain_and_by_stop() -> None:
    async def story() -> None:
        bus, dispatcher = LocalBus(), Dispatcher()
        await bus.start()
        await dispatcher.start()
        await dispatcher.follow(bus, "outcome", ["control"])
        await bus.stop()
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=30)
        with pytest.raises(BusClosed, match="closed consumer of group outcome"):
            await dispatcher.drain()
        with pytest.raises(BusClosed, match="closed consumer of group outcome"):
            await dispatcher.stop()
        await dispatcher.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())


def test_stopping_leaves_the_group() -> None:
    async def story(bus: LocalBus, dispatcher: Dispatcher) -> None:
        await dispatcher.follow(bus, "outcome", ["control"])
        await dispatcher.stop()
        successor = await bus.subscribe("outcome", ["control"])
        assert successor.assignment() == {CONTROL}

    play(story)
