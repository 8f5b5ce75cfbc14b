"""The shell in an outage, at a restart and at its limits: nothing is lost, and nothing loops."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from libs.events.bus import Record
from libs.events.control import TradingHalted
from libs.events.embedded.bus import LocalBus
from libs.events.errors import BusUnavailable, PoisonMessage, RecordTooLarge
from libs.events.event import Event
from libs.runtime import group as group_module
from libs.runtime.group import Group
from libs.runtime.partition_state import Since
from libs.runtime.subscription import CheckpointPolicy, Emit, Reaction, Subscription
from libs.store.errors import StoreRejected
from tests.unit.libs.runtime.loops import NOW, PLACE, Bench, Echo, asked, halted, until
from tests.unit.libs.runtime.test_delivery import (
    OFTEN,
    Counts,
    journalled,
    letters,
    life,
    money,
)


class FlakyPartitions(LocalBus):
    """A cluster that does not answer once when it is asked for the topic's partitions."""

    def __init__(self, topic: str) -> None:
        super().__init__()
        self._away = {topic}

    async def partitions(self, topic: str) -> int:
        if topic in self._away:
            self._away.remove(topic)
            raise BusUnavailable("list topics: Kafka has not answered for 10 s")
        return await super().partitions(topic)


class Once:
    """A reaction as the domains have them: what was handled before makes nothing."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def react(self, event: Event) -> Sequence[Event]:
        assert isinstance(event, TradingHalted)
        number = int(event.reason)
        if number in self.seen:
            return ()
        self.seen.add(number)
        return (asked(number),)


def test_a_reaction_is_published_after_the_cluster_did_not_answer_once() -> None:
    async def story() -> None:
        bench = Bench(FlakyPartitions("exit_requests"), OFTEN)
        await bench.local.start()
        await bench.publish(halted(1))
        reaction = Reaction(Once().react)
        loop = bench.loop_of(Subscription("position", ("control",), reaction, ("positions",)))
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(lambda: bench.local.committed("position", PLACE) == 1, "committed")
        loop.stop()
        await task
        assert await bench.events("exit_requests") == [asked(1)], "committed, and never published"
        await bench.local.stop()

    asyncio.run(story())


def test_a_stop_in_trouble_commits_nothing_that_was_not_published() -> None:
    async def story() -> None:
        bench = Bench(policy=OFTEN)
        await bench.local.start()
        await bench.publish(halted(1))
        bench.bus.refusals = [BusUnavailable("away")] * 1000
        reaction = Reaction(Once().react)
        loop = bench.loop_of(Subscription("position", ("control",), reaction, ("positions",)))
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(lambda: len(bench.bus.refusals) < 999, "in trouble")
        loop.stop()
        await task
        published = await bench.events("exit_requests")
        assert published or bench.local.committed("position", PLACE) == 0
        await bench.local.stop()

    asyncio.run(story())


def test_a_message_refused_after_trouble_leaves_the_group_reading() -> None:
    """RetryUntilWell pauses the input; what is raised on a later try never resumes it."""

    class Refuses(Echo):
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[Exception] = [BusUnavailable("away"), PoisonMessage("refused")]

        async def handle(self, event: Event, emit: Emit) -> None:
            if self.errors:
                raise self.errors.pop(0)
            await super().handle(event, emit)

    async def story() -> None:
        bench, handler = Bench(policy=OFTEN), Refuses()
        await bench.local.start()
        await bench.publish(halted(0))
        loop = bench.loop(handler)
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(lambda: bench.local.committed("echo", PLACE) == 1, "the first is set aside")
        await bench.publish(halted(1))
        with suppress(TimeoutError):
            await asyncio.wait_for(until(lambda: handler.handled == [1], "the next"), 2)
        paused, report = bench.bus.consumers[0].paused, bench.health.report()["echo"]
        loop.stop()
        await task
        await bench.local.stop()
        assert (handler.handled, paused, report) == ([1], set(), "ok")

    asyncio.run(story())


def test_a_message_that_also_breaks_the_restore_is_set_aside_too(tmp_path: Path) -> None:
    """`instruments`, `exit_requests`, `positions` and `control` are input and past of executor."""

    class Restoring(Counts):
        def restore(self, event: Event) -> None:
            if event.occurred_ms - NOW == self._bad:
                raise self._error

    async def story() -> None:
        bench = journalled(tmp_path)
        await bench.local.start()
        await bench.publish(*map(asked, range(3)))
        outcomes: list[str] = []
        while "runs" not in outcomes and len(outcomes) < 5:
            handler = Restoring(bad=1)
            subscription = Subscription(
                "executor", ("exit_requests",), handler, ("exit_requests",), handles_money=True
            )
            try:
                await life(bench, handler, subscription, 1)
                outcomes.append("runs")
            except TypeError:
                outcomes.append("ended")
        verdicts = [verdict for _, verdict in await letters(bench)]
        await bench.local.stop()
        assert outcomes == ["ended", "ended", "runs"]
        assert verdicts == ["failed", "set aside"]

    asyncio.run(story())


class Partitioned(Counts):
    """State by partition, rebuilt from its own input: `replay` meets what `handle` met."""

    def forget(self, partition: int) -> None:
        self.handled.clear()

    def since(self, partition: int, last: Event | None) -> Since:
        return Since(restored_ms=None, replayed_ms=0)

    def replay(self, event: Event) -> None:
        number = event.occurred_ms - NOW
        if number == self._bad:
            raise self._error
        self.handled.append(number)


def test_a_message_that_was_set_aside_does_not_break_the_replay(tmp_path: Path) -> None:
    async def story() -> None:
        bench = journalled(tmp_path)
        await bench.local.start()
        await bench.publish(*map(asked, range(3)))
        outcomes: list[str] = []
        for _ in range(2):
            handler = Partitioned(bad=1)
            subscription = Subscription("candle", ("exit_requests",), handler, state=handler)
            try:
                await life(bench, handler, subscription, 2)
                outcomes.append("runs")
            except TypeError:
                outcomes.append("ended")
        await bench.local.stop()
        assert outcomes == ["runs"] * 2

    asyncio.run(story())


class Limited(LocalBus):
    """A bus with Kafka's limit."""

    def check(self, record: Record) -> None:
        size = len(record.value) + sum(len(n) + len(v) for n, v in record.headers)
        if size > 1000:
            raise RecordTooLarge(f"{record.topic}: {size} bytes, and the limit is 1000")

    async def publish(self, record: Record) -> None:
        self.check(record)
        await super().publish(record)


@pytest.mark.parametrize(
    "error", [TypeError("x" * 2000), TypeError("bad symbol \ud83d")], ids=["long", "surrogate"]
)
def test_any_reason_fits_into_a_dead_letter(error: Exception) -> None:
    async def story() -> None:
        bench = Bench(Limited(), OFTEN)
        await bench.local.start()
        await bench.publish(halted(0))

        class Broken(Echo):
            async def handle(self, event: Event, emit: Emit) -> None:
                raise error

        loop = bench.loop(Broken())
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(
            lambda: task.done() or bench.local.committed("echo", PLACE) == 1, "buried, or ended"
        )
        loop.stop()
        await task  # raises RecordTooLarge or UnicodeEncodeError: at each restart again
        await bench.local.stop()

    asyncio.run(story())


def test_a_message_just_below_the_limit_can_be_buried() -> None:
    """Its letter is larger than it is, by four headers."""

    async def story() -> None:
        bench = Bench(Limited(), OFTEN)
        await bench.local.start()
        await bench.local.publish(Record("control", "key", b"x" * 990, NOW, 0))
        loop = bench.loop(Echo())
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(
            lambda: task.done() or bench.local.committed("echo", PLACE) == 1, "buried, or ended"
        )
        loop.stop()
        await task
        await bench.local.stop()

    asyncio.run(story())


def test_the_halt_is_acknowledged_before_the_letter_that_ends_the_matter(tmp_path: Path) -> None:
    """Killed after a `set aside` letter is there and its halt is not: passed over silently."""

    async def story() -> None:
        bench = journalled(tmp_path)
        await bench.local.start()
        await bench.publish(*map(asked, range(2)))
        for _ in range(2):
            handler = Counts(bad=1)
            with pytest.raises(TypeError):
                await life(bench, handler, money(handler), 3)
        at = bench.log.index("publish control")
        after = bench.log[at : bench.log.index("publish exit_requests.dlq", at)]
        await bench.local.stop()
        assert "flush producer" in after, bench.log

    asyncio.run(story())


def test_a_writer_that_fails_while_it_handles_leaves_its_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TableWriter.handle inserts when its buffer is full; so does the flush of the leaving."""
    monkeypatch.setattr(group_module, "FIRST_WAIT_SECONDS", 0.01)

    class Full(Echo):
        refusals = 2

        def _insert(self) -> None:
            if self.refusals:
                self.refusals -= 1
                raise StoreRejected("wrong password")

        async def handle(self, event: Event, emit: Emit) -> None:
            assert isinstance(event, TradingHalted)
            if event.reason == "1":
                self._insert()
            self.handled.append(int(event.reason))

        async def flush(self) -> None:
            self._insert()

    async def story() -> None:
        bench, sink = Bench(policy=CheckpointPolicy(milliseconds=3_600_000)), Full()
        await bench.local.start()
        await bench.publish(halted(0), halted(1))
        subscription = Subscription("writer", ("control",), sink, is_required=False)
        group = Group(
            lambda: bench.loop_of(subscription), bench.health, structlog.get_logger(), True
        )
        await group.start()
        task = asyncio.create_task(group.run())
        with suppress(TimeoutError):
            await asyncio.wait_for(until(lambda: sink.handled[-2:] == [0, 1], "stored"), 2)
        members = len(bench.local._groups["writer"].members)
        group.stop()
        with suppress(Exception):
            await asyncio.wait_for(task, 2)
        assert (sink.handled[-2:], members) == ([0, 1], 1)

    asyncio.run(story())
