"""Messages that a handler takes several at a time: what is a run, and what becomes of a bad one."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from libs.events.bus import Message, Record
from libs.events.control import TradingHalted
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.event import Event
from libs.runtime.consumer import ConsumerLoop
from libs.runtime.partition_state import Since
from libs.runtime.subscription import CheckpointPolicy, Emit, Subscription
from tests.unit.libs.runtime.loops import PLACE, Bench, Echo, asked, halted, until

OFTEN = CheckpointPolicy(records=1, milliseconds=3_600_000)
POISON = Record("control", "", b"\xff no event", 0, 0)


class Sums(Echo):
    """Takes runs of up to three; its state is the numbers so far, in their order."""

    def __init__(self, bad: int | None = None) -> None:
        super().__init__()
        self.runs: list[list[int]] = []
        self.numbers: list[int] = []
        self._bad = bad

    async def handle(self, event: Event, emit: Emit) -> None:
        self._take(event)
        await super().handle(event, emit)

    def run_length(self, events: Sequence[Event]) -> int:
        return min(3, len(events))

    def may_wait(self, event: Event) -> bool:
        """All but multiples of ten cause nothing alone."""
        return _number(event) % 10 != 0

    async def handle_run(self, events: Sequence[Event], emit: Emit) -> None:
        for event in events:
            self._take(event)
        self.runs.append([_number(event) for event in events])
        await emit(asked(_number(events[-1])))

    def forget(self, partition: int) -> None:
        self.numbers = []

    def since(self, partition: int, last: Event | None) -> Since:
        return Since(0, 0)

    def restore(self, event: Event) -> None:
        """What was published tells nothing that the input does not."""

    def replay(self, event: Event) -> None:
        self.numbers.append(_number(event))

    def _take(self, event: Event) -> None:
        if _number(event) == self._bad:
            raise ValueError("a number that nobody can add")
        self.numbers.append(_number(event))


def _number(event: Event) -> int:
    assert isinstance(event, TradingHalted)
    return int(event.reason)


def loop_of(bench: Bench, sums: Sums) -> ConsumerLoop:
    made = ("exit_requests",)
    return bench.loop_of(Subscription("sums", ("control",), sums, made, state=sums, runs=sums))


async def take_all(bench: Bench, sums: Sums, committed: int) -> None:
    """Run until so many messages are committed, as SIGTERM would end it."""
    loop = loop_of(bench, sums)
    await loop.start()
    task = asyncio.create_task(loop.run())
    await until(lambda: task.done() or bench.log[-1:] == [f"commit [{committed}]"], "committed")
    loop.stop()
    await task


async def letters(bench: Bench) -> list[Message]:
    return [message async for message in bench.local.read(["control.dlq"])]


def often() -> Bench:
    return Bench(policy=OFTEN)


def test_messages_at_hand_are_taken_together_and_what_is_left_alone() -> None:
    async def story() -> None:
        bench, sums = often(), Sums()
        await bench.local.start()
        await bench.publish(*map(halted, range(7)))
        await take_all(bench, sums, 7)
        assert sums.runs == [[0, 1, 2], [3, 4, 5]]
        assert sums.handled == [6]
        assert await bench.events("exit_requests") == [asked(2), asked(5), asked(6)]
        await bench.local.stop()

    asyncio.run(story())


def test_what_comes_out_of_a_run_names_its_last_message_as_the_cause() -> None:
    async def story() -> None:
        bench, sums = often(), Sums()
        await bench.local.start()
        await bench.publish(*map(halted, range(3)))
        await take_all(bench, sums, 3)
        (out,) = [message async for message in bench.local.read(["exit_requests"])]
        assert dict(out.headers)["cause"] == b"control/0/2"
        await bench.local.stop()

    asyncio.run(story())


def test_poison_ends_a_run_and_is_buried_alone() -> None:
    async def story() -> None:
        bench, sums = often(), Sums()
        await bench.local.start()
        await bench.publish(halted(0), halted(1))
        await bench.local.publish(POISON)
        await bench.publish(halted(3), halted(4))
        await take_all(bench, sums, 5)
        assert sums.runs == [[0, 1], [3, 4]]
        assert [message.value for message in await letters(bench)] == [POISON.value]
        await bench.local.stop()

    asyncio.run(story())


def test_a_run_that_fails_is_taken_back_and_its_culprit_alone_is_buried() -> None:
    async def story() -> None:
        bench, sums = often(), Sums(bad=4)
        await bench.local.start()
        await bench.publish(*map(halted, range(6)))
        await take_all(bench, sums, 6)
        assert sums.runs == [[0, 1, 2]]
        assert sums.numbers == [0, 1, 2, 3, 5]
        assert sums.handled == [3, 5]
        (letter,) = await letters(bench)
        assert dict(letter.headers)["origin"] == b"control/0/4"
        assert PLACE.partition == letter.partition
        await bench.local.stop()

    asyncio.run(story())


def test_what_a_failing_run_published_already_is_not_published_twice(tmp_path: Path) -> None:
    class Early(Sums):
        async def handle_run(self, events: Sequence[Event], emit: Emit) -> None:
            await emit(asked(_number(events[0])))
            raise ValueError("only now")

    async def story() -> None:
        durable = LocalBus(partitions={"exit_requests": 1}, journal=Journal(tmp_path / "events"))
        bench = Bench(durable, OFTEN)
        await bench.local.start()
        await bench.publish(*map(halted, range(3)))
        await take_all(bench, Early(), 3)
        assert await bench.events("exit_requests") == [asked(0), asked(1), asked(2)]
        await bench.local.stop()

    asyncio.run(story())


def test_what_may_wait_is_handled_with_what_may_not_or_when_nothing_comes() -> None:
    async def story() -> None:
        bench = Bench(policy=replace(OFTEN, puts_off=True))
        sums = Sums()
        await bench.local.start()
        await bench.publish(*map(halted, (1, 2, 10)))
        loop = loop_of(bench, sums)
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(lambda: sums.runs == [[1, 2, 10]], "handled together")
        await bench.publish(*map(halted, (11, 12)))
        await until(lambda: sums.numbers[-2:] == [11, 12], "handled since nothing else comes")
        loop.stop()
        await task
        assert await loop.lag() == {} or set((await loop.lag()).values()) == {0}
        await bench.local.stop()

    asyncio.run(story())
