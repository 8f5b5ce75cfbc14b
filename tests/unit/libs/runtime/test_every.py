"""What a group does each second of its clock: with and without messages, in lockstep by stamps."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from libs.events.embedded.bus import LocalBus
from libs.events.errors import BusUnavailable
from libs.events.event import Event
from libs.runtime.clock import FeedClock
from libs.runtime.subscription import Emit, Every, Subscription
from tests import skipping
from tests.unit.libs.runtime.loops import NOW, Bench, Echo, asked, halted, until

SECOND = 1000
TOPIC = "signal_updates"


class Machine:
    """Monotonic time that a test moves."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class Turns:
    """Notes when it was called, and whether a message was being handled then."""

    def __init__(self) -> None:
        self.at_ms: list[int] = []

    async def act(self, now_ms: int, emit: Emit) -> None:
        self.at_ms.append(now_ms)


class Noting(Echo):
    """Notes messages and turns in one list, by the loop's clock."""

    def __init__(self, clock: FeedClock) -> None:
        super().__init__()
        self.clock = clock
        self.order: list[str] = []

    async def handle(self, event: Event, emit: Emit) -> None:
        self.order.append(f"handles {(event.occurred_ms - NOW) // SECOND}")

    async def act(self, now_ms: int, emit: Emit) -> None:
        self.order.append(f"acts at {(now_ms - NOW) // SECOND}")


def run_beside(
    bench: Bench, every: Every, handler: Echo, story: Callable[[], Coroutine[None, None, None]]
) -> None:
    """Run a loop with `every` while a story is told."""

    async def running() -> None:
        await bench.local.start()
        loop = bench.loop_of(Subscription("echo", ("exit_requests",), handler, timed=every))
        await loop.start()
        task = asyncio.create_task(loop.run())
        try:
            await story()
        finally:
            loop.stop()
            await task

    skipping.run(running())


def test_it_is_due_once_in_each_period_of_the_clock_and_not_before_there_is_a_time() -> None:
    every = Every(SECOND, Turns().act)
    assert not every.is_due(0)
    assert every.is_due(NOW)

    async def acting() -> None:
        async def emit(*_: Event) -> None:
            """Publish nothing."""

        await every.act(NOW + 300, emit)

    asyncio.run(acting())
    assert not every.is_due(NOW + 999)
    assert not every.is_due(NOW)
    assert every.is_due(NOW + 1000)


def test_a_dead_feed_does_not_stop_it() -> None:
    bench, machine, turns = Bench(), Machine(), Turns()
    bench.clock = clock = FeedClock(1.0, machine)

    async def story() -> None:
        clock.observe(NOW)
        for _ in range(3):
            await skipping.skip(0.1, times=2)
            machine.now += SECOND
        await skipping.skip(0.1, times=2)

    run_beside(bench, Every(SECOND, turns.act), Echo(), story)
    assert turns.at_ms == [NOW, NOW + 1000, NOW + 2000, NOW + 3000]


def test_a_steady_flow_of_messages_does_not_keep_it_from_its_turn() -> None:
    bench = Bench()
    handler = Noting(FeedClock())
    bench.clock = handler.clock

    async def story() -> None:
        await bench.publish(asked(0), asked(400), asked(1200), asked(1500), asked(2100))
        await until(lambda: len(handler.order) >= 8, "all is handled")

    run_beside(bench, Every(SECOND, handler.act), handler, story)
    assert handler.order == [
        *("handles 0", "acts at 0", "handles 0", "handles 1", "acts at 1"),
        *("handles 1", "handles 2", "acts at 2"),
    ]


def test_in_lockstep_it_acts_with_the_messages_alone() -> None:
    bench, turns = Bench(LocalBus(lockstep=True)), Turns()
    clock = FeedClock()
    bench.clock = clock

    async def story() -> None:
        await bench.publish(asked(0))
        await bench.local.idle()
        clock.observe(NOW + 5000)  # as another service does, at a moment that nobody can foresee
        await skipping.skip(0.1, times=5)
        assert turns.at_ms == [NOW]
        await bench.publish(asked(5000))
        await bench.local.idle()

    run_beside(bench, Every(SECOND, turns.act), Echo2(), story)
    assert turns.at_ms == [NOW, NOW + 5000]


class Echo2(Echo):
    async def handle(self, event: Event, emit: Emit) -> None:
        """Do nothing."""


def test_it_never_acts_while_a_message_is_handled() -> None:
    bench, machine, turns = Bench(), Machine(), Turns()
    bench.clock = FeedClock(1.0, machine)
    may_end = asyncio.Event()

    class Slow(Echo):
        async def handle(self, event: Event, emit: Emit) -> None:
            self.handled.append(0)
            await may_end.wait()

    slow = Slow()

    async def story() -> None:
        await bench.publish(asked(0))
        await until(lambda: bool(slow.handled), "the message is being handled")
        machine.now += 10 * SECOND
        await skipping.skip(0.1, times=3)
        assert turns.at_ms == []
        may_end.set()
        await skipping.skip(0.1, times=3)

    run_beside(bench, Every(SECOND, turns.act), slow, story)
    assert turns.at_ms == [NOW + 10_000]


def test_what_it_makes_is_published_and_acknowledged() -> None:
    bench = Bench()
    bench.clock = clock = FeedClock(1.0, Machine())

    async def story() -> None:
        clock.observe(NOW)
        await until(lambda: "flush producer" in bench.log, "it is acknowledged")
        assert await bench.events("exit_requests") == [asked(7)]

    every = Every.reacting(SECOND, lambda now_ms: (asked(7),) if now_ms == NOW else ())
    run_beside(bench, every, Echo2(), story)
    assert bench.log.index("publish exit_requests") < bench.log.index("flush producer")


def test_a_turn_without_output_does_not_make_the_output_of_messages_wait() -> None:
    bench, turns = Bench(), Turns()
    bench.clock.remember(NOW)

    async def story() -> None:
        await bench.local.start()
        subscription = Subscription(
            "echo", ("control",), Answering(), timed=Every(SECOND, turns.act), is_atomic=True
        )
        loop = bench.loop_of(subscription)
        await loop.start()
        task = asyncio.create_task(loop.run())
        await bench.publish(halted(1))
        await until(lambda: "flush producer" in bench.log, "the message's output is flushed")
        assert not any(line.startswith("commit") for line in bench.log)
        loop.stop()
        await task

    asyncio.run(story())
    assert turns.at_ms == [NOW + 1]


class Answering(Echo):
    """Answers each message."""

    async def handle(self, event: Event, emit: Emit) -> None:
        await emit(asked(1))


def test_what_could_not_be_published_is_published_the_next_time() -> None:
    made = [asked(1)]
    every = Every.reacting(SECOND, lambda _: (made.pop(),) if made else ())
    published: list[Event] = []

    async def refuse(*_: Event) -> None:
        raise BusUnavailable("away")

    async def take(*events: Event) -> None:
        published.extend(events)

    async def story() -> None:
        with pytest.raises(BusUnavailable):
            await every.act(NOW, refuse)
        assert every.is_due(NOW)
        await every.act(NOW, take)
        assert not every.is_due(NOW)

    asyncio.run(story())
    assert published == [asked(1)]


def test_a_period_must_be_a_time() -> None:
    with pytest.raises(ValueError, match="0 ms"):
        Every(0, Turns().act)


def test_other_groups_have_no_turns() -> None:
    bench = Bench()

    async def story() -> None:
        await bench.local.start()
        loop = bench.loop(Echo())
        await loop.start()
        task = asyncio.create_task(loop.run())
        await bench.publish(halted(1))
        await until(lambda: "publish exit_requests" in bench.log, "the message is handled")
        loop.stop()
        await task

    asyncio.run(story())
    assert "flush producer" in bench.log  # by the commit alone
