"""Stamps along a chain of services: which hop had the data when, carried from cause to effect."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from libs.events.codec import record_of
from libs.events.embedded.bus import LocalBus
from libs.events.event import Event
from libs.events.stamps import Stamps
from libs.runtime.clock import FeedClock
from libs.runtime.service import Parts, Service
from libs.runtime.stamping import CurrentStamps, hop_of
from libs.runtime.subscription import Emit, Every, Reaction, Subscription
from libs.runtime.testing import ServiceHarness
from tests import skipping
from tests.unit.libs.events.test_stamps import CHAIN, batch
from tests.unit.libs.runtime.loops import NOW, Echo, asked, halted

Seen = list[Stamps]


def watching(seen: Seen, every: Every | None = None) -> Callable[[Parts], Service]:
    """Return the maker of a service that notes the stamps of each message, and answers it."""

    def make(parts: Parts) -> Service:
        def react(_: Event) -> tuple[Event, ...]:
            seen.append(parts.stamps.of_current())
            return (asked(len(seen)),)

        group = Subscription("position", ("ticks", "control"), Reaction(react), timed=every)
        return Service("position", (group,), stamps=parts.stamps)

    return make


async def stamps_on(harness: ServiceHarness, topic: str) -> list[Stamps]:
    return [Stamps.of(message.headers) for message in await harness.messages(topic)]


def with_harness(
    make: Callable[[Parts], Service],
    story: Callable[[ServiceHarness], Awaitable[None]],
    clock: FeedClock | None = None,
) -> None:
    async def running() -> None:
        async with ServiceHarness(make, clock=clock) as harness:
            await story(harness)

    skipping.run(running())


def test_what_a_tick_leads_to_bears_when_exchange_ingest_and_service_had_it() -> None:
    seen: Seen = []

    async def story(harness: ServiceHarness) -> None:
        await harness.publish(batch(NOW - 5_000, clock_ms=NOW, received_ms=NOW + 40))
        (stamps,) = await stamps_on(harness, "exit_requests")
        assert stamps.hops == (
            ("exchange", NOW - 5_000),
            ("ingest", NOW + 40),
            ("position", NOW),
        )

    with_harness(watching(seen), story)
    assert [one.hops for one in seen] == [(("exchange", NOW - 5_000), ("ingest", NOW + 40))]


def test_the_stamps_of_a_cause_are_carried_on() -> None:
    seen: Seen = []

    async def story(harness: ServiceHarness) -> None:
        harness.clock.observe(NOW + 3_000)
        record = record_of(halted(1))
        await harness.bus.publish(replace(record, headers=(*record.headers, CHAIN.header())))
        await harness.bus.idle()
        (stamps,) = await stamps_on(harness, "exit_requests")
        assert stamps == CHAIN.passed("position", NOW + 3_000)
        assert harness.measured("hop_age_seconds", "TradingHalted") == 3.0

    with_harness(watching(seen), story)
    assert seen == [CHAIN]


def test_a_message_without_stamps_gives_its_effects_those_of_its_service_alone() -> None:
    seen: Seen = []

    async def story(harness: ServiceHarness) -> None:
        await harness.publish(halted(1))
        assert await stamps_on(harness, "exit_requests") == [Stamps((("position", NOW + 1),))]

    with_harness(watching(seen), story)
    assert seen == [Stamps()]


def test_what_time_alone_asks_for_stands_on_no_message() -> None:
    seen: Seen = []
    clock = FeedClock(1.0, lambda: 0)
    every = Every.reacting(1000, lambda _: (asked(9),))

    async def story(harness: ServiceHarness) -> None:
        clock.observe(NOW)
        await skipping.skip(0.1, times=2)
        await harness.bus.idle()
        assert await stamps_on(harness, "exit_requests") == [Stamps((("position", NOW),))]

    with_harness(watching(seen, every), story, clock)


def test_between_two_messages_there_are_no_stamps_also_after_one_that_failed() -> None:
    kept: list[CurrentStamps] = []

    def make(parts: Parts) -> Service:
        def react(_: Event) -> tuple[Event, ...]:
            raise ValueError("a defect")

        kept.append(parts.stamps)
        group = Subscription("position", ("ticks",), Reaction(react))
        return Service("position", (group,), stamps=parts.stamps)

    async def story(harness: ServiceHarness) -> None:
        await harness.publish(batch(NOW))
        assert len(await harness.dead_letters("ticks")) == 1

    with_harness(make, story)
    assert kept[0].of_current() == Stamps()


def test_a_tables_writer_does_not_take_the_place_of_what_the_service_handles() -> None:
    seen: Seen = []

    class Slow(Echo):
        """Waits in the middle of a message, while a writer handles another one."""

        def __init__(self, parts: Parts, written: asyncio.Event) -> None:
            super().__init__()
            self.parts, self.written = parts, written

        async def handle(self, event: Event, emit: Emit) -> None:
            await self.written.wait()
            seen.append(self.parts.stamps.of_current())

    class Writer(Echo):
        def __init__(self, written: asyncio.Event) -> None:
            super().__init__()
            self.written = written

        async def handle(self, event: Event, emit: Emit) -> None:
            self.written.set()

    def make(parts: Parts) -> Service:
        written = asyncio.Event()
        groups = (
            Subscription("position", ("ticks",), Slow(parts, written)),
            Subscription("position.writer.x", ("control",), Writer(written), is_required=False),
        )
        return Service("position", groups, stamps=parts.stamps)

    async def story(harness: ServiceHarness) -> None:
        for event in (batch(NOW), halted(1)):
            await harness.bus.publish(record_of(event))
        await skipping.skip(0.2, times=5)

    async def running() -> None:
        bus = LocalBus(partitions={"ticks": 1})
        await bus.start()
        async with ServiceHarness(make, bus=bus) as harness:
            await story(harness)

    skipping.run(running())
    assert [dict(one.hops)["exchange"] for one in seen] == [NOW]


def test_before_there_is_a_time_there_is_no_stamp() -> None:
    async def prepare(emit: Emit) -> None:
        await emit(asked(1))

    async def story(harness: ServiceHarness) -> None:
        assert await stamps_on(harness, "exit_requests") == [Stamps()]

    with_harness(lambda _: Service("ingest", prepare=prepare), story)


def test_a_hop_is_the_service_of_its_group() -> None:
    assert [hop_of(name) for name in ("executor", "executor.writer.orders")] == ["executor"] * 2
