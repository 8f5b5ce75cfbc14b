"""What becomes of a message that cannot be handled, by the state of the group that reads it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from libs.events.bus import Message, Record, TopicPartition
from libs.events.codec import record_of
from libs.events.control import TradingHalted
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.errors import PoisonMessage, RecordTooLarge
from libs.events.event import Event
from libs.events.positions import ExitRequested
from libs.runtime.dead_letters import DeadLetters
from libs.runtime.delivery import is_defect
from libs.runtime.subscription import CheckpointPolicy, Emit, Reaction, Subscription
from libs.store.errors import StoreRejected, StoreUnavailable
from tests.unit.libs.runtime.loops import NOW, Bench, Echo, asked, halted, until

OFTEN = CheckpointPolicy(records=1, milliseconds=3_600_000)


class Counts(Echo):
    """State as a whole: how often it was told each number. `bad` fails so many times."""

    def __init__(self, bad: int = -1, failures: int = 99, error: Exception | None = None) -> None:
        super().__init__()
        self._bad = bad
        self.failures = failures
        self._error = error or TypeError("a defect")

    async def handle(self, event: Event, emit: Emit) -> None:
        assert isinstance(event, ExitRequested)
        number = event.occurred_ms - NOW
        if number == self._bad and self.failures:
            self.failures -= 1
            raise self._error
        self.handled.append(number)

    def restore(self, event: Event) -> None:
        """Restore nothing: what counts here is what is delivered."""


def money(handler: Counts) -> Subscription:
    return Subscription("position", ("exit_requests",), handler, ("positions",), handles_money=True)


async def life(bench: Bench, handler: Counts, subscription: Subscription, total: int) -> None:
    """One process: from the start to its end by a defect, or until so many are committed."""
    loop = bench.loop_of(subscription)
    await loop.start()
    task = asyncio.create_task(loop.run())
    await until(lambda: task.done() or len(handler.handled) >= total, "handled, or ended")
    loop.stop()
    await task


def journalled(folder: Path) -> Bench:
    bus = LocalBus(partitions={"exit_requests": 1}, journal=Journal(folder / "journal"))
    return Bench(bus, OFTEN)


async def letters(bench: Bench, topic: str = "exit_requests") -> list[tuple[str, str]]:
    headers = [dict(one.headers) async for one in bench.local.read([f"{topic}.dlq"])]
    return [(one["origin"].decode(), one["verdict"].decode()) for one in headers]


async def halts(bench: Bench) -> list[str]:
    return [e.reason for e in await bench.events("control") if isinstance(e, TradingHalted)]


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), AttributeError("x")])
def test_a_defect_in_a_group_with_state_ends_it_and_the_message_is_tried_again(
    tmp_path: Path, error: Exception
) -> None:
    async def story() -> None:
        bench = journalled(tmp_path)
        await bench.local.start()
        await bench.publish(*map(asked, range(3)))
        first = Counts(bad=1, failures=1, error=error)
        with pytest.raises(type(error)):
            await life(bench, first, money(first), 3)
        assert first.handled == [0]
        assert await letters(bench) == [("exit_requests/0/1", "failed")]
        second = Counts()
        await life(bench, second, money(second), 2)
        assert second.handled[-2:] == [1, 2], "the message that failed once is handled now"
        assert len(await letters(bench)) == 1
        assert await halts(bench) == [], "nothing was skipped"
        await bench.local.stop()

    asyncio.run(story())


def test_a_message_that_fails_after_the_restart_too_is_set_aside_once_and_entries_halt(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        bench = journalled(tmp_path)
        await bench.local.start()
        await bench.publish(*map(asked, range(3)))
        for _ in range(2):
            handler = Counts(bad=1)
            with pytest.raises(TypeError):
                await life(bench, handler, money(handler), 3)
        for _ in range(2):
            handler = Counts(bad=1)
            await life(bench, handler, money(handler), 0)
        handler = Counts(bad=1)
        await bench.publish(asked(3))
        await life(bench, handler, money(handler), 1)
        assert handler.handled[-1] == 3, "no loop of restarts arises"
        assert await letters(bench) == [
            ("exit_requests/0/1", "failed"),
            ("exit_requests/0/1", "set aside"),
        ]
        reason = "position skipped exit_requests/0/1: TypeError: a defect"
        assert await halts(bench) == [reason]
        await bench.local.stop()

    asyncio.run(story())


def test_another_message_at_the_place_of_one_that_was_set_aside_is_handled(tmp_path: Path) -> None:
    async def story() -> None:
        bench = journalled(tmp_path)
        await bench.local.start()
        handler = Counts(bad=0)
        subscription = money(handler)
        other = Message("exit_requests", 0, 0, "", b"other bytes", NOW)
        await DeadLetters(bench.local, "position", 9).write(other, "a defect", "set aside")
        await bench.publish(asked(1))
        await life(bench, handler, subscription, 1)
        assert handler.handled == [1]
        await bench.local.stop()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("topic", "handles_money", "is_halted"),
    [("exit_requests", True, True), ("exit_requests", False, False), ("ticks", True, False)],
)
def test_poison_halts_entries_on_business_topics_of_groups_that_handle_money(
    tmp_path: Path, topic: str, handles_money: bool, is_halted: bool
) -> None:
    async def story() -> None:
        bench = journalled(tmp_path)
        await bench.local.start()
        await bench.local.publish(Record(topic, "key", b"\xff no event", NOW, 0))
        await bench.publish(asked(1))
        handler, topic_partition = Counts(), TopicPartition(topic, 0)
        topics = tuple(dict.fromkeys(("exit_requests", topic)))
        subscription = Subscription("executor", topics, handler)
        await life(bench, handler, replace(subscription, handles_money=handles_money), 1)
        await until(lambda: bench.local.committed("executor", topic_partition) > 0, "skipped")
        assert [verdict for _, verdict in await letters(bench, topic)] == ["poison"]
        assert bool(await halts(bench)) is is_halted
        await bench.local.stop()

    asyncio.run(story())


def test_an_event_that_its_handler_refuses_by_name_is_passed_over_with_its_state_untouched(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        bench = journalled(tmp_path)
        await bench.local.start()
        await bench.publish(*map(asked, range(3)))
        handler = Counts(bad=1, error=PoisonMessage("a sale without a position"))
        await life(bench, handler, money(handler), 2)
        assert handler.handled == [0, 2]
        assert await letters(bench) == [("exit_requests/0/1", "poison")]
        await bench.local.stop()

    asyncio.run(story())


def test_nothing_is_published_when_one_event_of_a_reaction_cannot_be() -> None:
    class Strict(LocalBus):
        def check(self, record: Record) -> None:
            if record.value == record_of(asked(3)).value:
                raise RecordTooLarge("exit_requests: a record of 9 bytes, and the limit is 8")

    async def story() -> None:
        bench = Bench(Strict())
        await bench.local.start()
        await bench.publish(halted(1))
        reaction = Reaction(lambda event: (asked(2), asked(3)))
        loop = bench.loop_of(Subscription("echo", ("control",), reaction, ("control",)))
        await loop.start()
        with pytest.raises(RecordTooLarge):
            await loop.run()
        assert await bench.events("exit_requests") == []
        await bench.local.stop()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("error", "tells_of_a_defect"),
    [
        (KeyError("x"), True),
        (OSError("disk"), True),
        (RecordTooLarge("x"), True),
        (StoreRejected("x"), False),
        (StoreUnavailable("x"), False),
    ],
)
def test_errors_that_say_whether_they_are_retriable_are_no_defects(
    error: Exception, tells_of_a_defect: bool
) -> None:
    assert is_defect(error) is tells_of_a_defect
