"""The loop, on a local bus: what is delivered, emitted, committed, buried, retried and left."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from libs.events.bus import Message, Record
from libs.events.candles import CandleBatch, CandleColumns, Source
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.event import Event, identity, utc_from_ms
from libs.runtime import consumer
from libs.runtime.consumer import ConsumerLoop
from libs.runtime.dead_letters import TooManyDeadLetters
from libs.runtime.emitter import record_topic
from libs.runtime.subscription import CheckpointPolicy, Emit, Reaction, Subscription
from libs.store.errors import StoreRejected, StoreUnavailable
from tests.unit.libs.runtime.loops import DAY, NOW, PLACE, Bench, Echo, asked, halted, until

OFTEN = CheckpointPolicy(records=1, milliseconds=3_600_000)


async def run_until(loop: ConsumerLoop, is_so: Callable[[], bool], what: str) -> None:
    """Run a loop until something is so, then stop it as SIGTERM would."""
    await loop.start()
    task = asyncio.create_task(loop.run())
    try:
        await until(lambda: is_so() or task.done(), what)
    finally:
        loop.stop()
        await task
    assert is_so(), what


async def handle_all(bench: Bench, handler: Echo, count: int) -> None:
    await run_until(
        bench.loop(handler), lambda: len(handler.handled) >= count, f"{count} messages are handled"
    )


async def letters(bench: Bench, topic: str = "control") -> list[Message]:
    return [message async for message in bench.local.read([f"{topic}.dlq"])]


def test_what_the_handler_emits_is_published_in_order() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        await bench.publish(*map(halted, range(5)))
        await handle_all(bench, echo, 5)
        assert echo.handled == list(range(5))
        assert await bench.events("exit_requests") == [asked(number) for number in range(5)]
        await bench.local.stop()

    asyncio.run(story())


def test_a_reaction_publishes_what_its_functions_return() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.local.start()
        await bench.publish(halted(1))
        restored: list[Event] = []
        reaction = Reaction(lambda event: [asked(2), asked(3)], restored.append, lambda: [asked(1)])
        loop = bench.loop_of(Subscription("echo", ("control",), reaction, ("control",)))
        done = 'alphastocks_events_handled_total{type="TradingHalted"} 1'
        await run_until(loop, lambda: done in bench.metrics.render().decode(), "it is handled")
        assert restored == [halted(1)]
        assert await bench.events("exit_requests") == [asked(1), asked(2), asked(3)]
        await bench.local.stop()

    asyncio.run(story())


def test_a_checkpoint_flushes_the_sink_then_the_producer_then_commits() -> None:
    async def story() -> None:
        bench, echo = Bench(policy=OFTEN), Echo()
        await bench.local.start()
        await bench.publish(halted(0))
        echo.log = bench.log
        await handle_all(bench, echo, 1)
        assert bench.log == [
            "begin",
            "publish exit_requests",
            "flush sink",
            "flush producer",
            "commit [1]",
        ]
        await bench.local.stop()

    asyncio.run(story())


def test_nothing_is_committed_before_a_checkpoint_is_due() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        await bench.publish(*map(halted, range(3)))
        loop = bench.loop(echo)
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(lambda: len(echo.handled) == 3, "all are handled")
        assert not [entry for entry in bench.log if entry.startswith("commit")]
        assert sum((await loop.lag()).values()) == 3
        await loop.commit()
        assert bench.log[-1] == "commit [3]"
        assert sum((await loop.lag()).values()) == 0
        loop.stop()
        await task
        await bench.local.stop()

    asyncio.run(story())


def test_a_group_that_gathers_commits_after_more_messages_than_the_policy_asks_for() -> None:
    async def story() -> None:
        bench, echo = Bench(policy=OFTEN), Echo()
        await bench.local.start()
        group = Subscription("echo", ("control",), echo, max_records=1, checkpoint_records=3)
        await bench.publish(*map(halted, range(4)))
        await run_until(bench.loop_of(group), lambda: len(echo.handled) == 4, "all are handled")
        assert [entry for entry in bench.log if entry.startswith("commit")] == [
            "commit [3]",
            "commit [4]",
        ]
        await bench.local.stop()

    asyncio.run(story())


def test_what_was_handled_but_not_committed_when_the_loop_was_cancelled_comes_again() -> None:
    async def story() -> None:
        bench, first, second = Bench(), Echo(), Echo()
        await bench.local.start()
        await bench.publish(*map(halted, range(3)))
        loop = bench.loop(first)
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(lambda: len(first.handled) == 3, "all are handled")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await handle_all(bench, second, 3)
        assert second.handled == [0, 1, 2]
        assert await bench.events("exit_requests") == [*map(asked, range(3)), *map(asked, range(3))]
        await bench.local.stop()

    asyncio.run(story())


def test_after_a_kill_the_journal_redelivers_from_the_last_commit(tmp_path: Path) -> None:
    async def first_life(echo: Echo) -> None:
        bench = Bench(LocalBus(journal=Journal(tmp_path / "journal")))
        await bench.local.start()
        loop = bench.loop(echo)
        await loop.start()
        task = asyncio.create_task(loop.run())
        await bench.publish(halted(0))
        await until(lambda: len(echo.handled) == 1, "the first is handled")
        await loop.commit()
        await bench.publish(halted(1))
        await until(lambda: len(echo.handled) == 2, "the second is handled")
        shutil.copytree(tmp_path / "journal", tmp_path / "as the kill left it")
        loop.stop()
        await task
        await bench.local.stop()

    async def second_life(echo: Echo) -> None:
        bench = Bench(LocalBus(journal=Journal(tmp_path / "as the kill left it")))
        await bench.local.start()
        await handle_all(bench, echo, 1)
        await bench.local.stop()

    first, second = Echo(), Echo()
    asyncio.run(first_life(first))
    asyncio.run(second_life(second))
    assert (first.handled, second.handled) == ([0, 1], [1])


def test_poison_goes_to_dead_letters_with_its_origin_and_the_rest_flows() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        await bench.publish(halted(0))
        await bench.local.publish(Record("control", "key", b"no json", NOW, 0, (("a", b"b"),)))
        await bench.publish(halted(2))
        await handle_all(bench, echo, 2)
        assert echo.handled == [0, 2]
        (letter,) = await letters(bench)
        headers = dict(letter.headers)
        assert (letter.value, letter.key, letter.timestamp_ms) == (b"no json", "key", NOW)
        assert headers["a"] == b"b"
        assert headers["origin"] == b"control/0/1"
        assert headers["service"] == b"echo"
        assert b"control" in headers["reason"]
        assert bench.local.committed("echo", PLACE) == 3
        await bench.local.stop()

    asyncio.run(story())


class Picky(Echo):
    """An echo that raises an error for one number."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def handle(self, event: Event, emit: Emit) -> None:
        if event == halted(1):
            raise self._error
        await super().handle(event, emit)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a sale of nothing"),
        KeyError("SBIN"),
        ZeroDivisionError("of what?"),
        AttributeError("no such name"),
        RuntimeError("a bug"),
    ],
)
def test_a_defect_in_a_group_without_state_goes_to_dead_letters_with_the_reason(
    error: Exception,
) -> None:
    async def story() -> None:
        bench, picky = Bench(), Picky(error)
        await bench.local.start()
        await bench.publish(*map(halted, range(3)))
        await handle_all(bench, picky, 2)
        assert picky.handled == [0, 2]
        (letter,) = await letters(bench)
        assert dict(letter.headers)["reason"].decode() == f"{type(error).__name__}: {error}"
        families = text_string_to_metric_families(bench.metrics.render().decode())
        (dead,) = (one for one in families if one.name == "alphastocks_dead_letters")
        assert dead.samples[0].value == 1
        await bench.local.stop()

    asyncio.run(story())


def test_past_the_limit_of_dead_letters_the_loop_ends_and_says_so() -> None:
    async def story() -> None:
        bench, echo = Bench(policy=CheckpointPolicy(dead_letter_limit=2)), Echo()
        await bench.local.start()
        for _ in range(4):
            await bench.local.publish(Record("control", "key", b"no json", NOW, 0))
        loop = bench.loop(echo)
        await loop.start()
        with pytest.raises(
            TooManyDeadLetters, match=r"echo: 3 dead letters, the limit is 2.*control"
        ):
            await loop.run()
        assert len(await letters(bench)) == 3
        await bench.local.stop()

    asyncio.run(story())


class Troubled(Echo):
    """An echo whose outside is away for some calls; it looks at the loop meanwhile."""

    def __init__(self, bench: Bench, calls: int) -> None:
        super().__init__()
        self._bench = bench
        self._calls = calls
        self.seen: list[tuple[bool, str, int]] = []

    async def handle(self, event: Event, emit: Emit) -> None:
        health, (consumer,) = self._bench.health, self._bench.bus.consumers
        self.seen.append((health.is_ready, health.report()["echo"], len(consumer.paused)))
        if self._calls:
            self._calls -= 1
            raise StoreUnavailable("the database is away")
        await super().handle(event, emit)


@pytest.mark.usefixtures("_no_waits")
def test_trouble_of_the_outside_pauses_the_input_and_is_told_until_it_is_over() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.local.start()
        troubled = Troubled(bench, calls=3)
        await bench.publish(halted(0), halted(1))
        await handle_all(bench, troubled, 2)
        away = (False, "the database is away", 1)
        well = (True, "ok", 0)
        assert troubled.seen == [well, away, away, away, well]
        assert troubled.handled == [0, 1]
        assert await letters(bench) == []
        await bench.local.stop()

    asyncio.run(story())


@pytest.mark.usefixtures("_no_waits")
def test_a_publish_that_fails_is_repeated_without_asking_the_handler_again() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        await bench.publish(halted(0))
        bench.bus.refusals = [StoreUnavailable("full"), StoreUnavailable("still full")]
        await run_until(
            bench.loop(echo),
            lambda: "publish exit_requests" in bench.log,
            "the answer is published",
        )
        assert echo.handled == [0]
        assert await bench.events("exit_requests") == [asked(0)]
        await bench.local.stop()

    asyncio.run(story())


def test_an_error_of_the_outside_that_cannot_pass_ends_the_loop_and_its_message_comes_again() -> (
    None
):
    error = StoreRejected("no such table")

    async def story() -> None:
        bench, again = Bench(), Echo()
        await bench.local.start()
        await bench.publish(*map(halted, range(3)))
        loop = bench.loop(Picky(error))
        await loop.start()
        with pytest.raises(type(error), match=str(error)):
            await loop.run()
        await handle_all(bench, again, 2)
        assert again.handled == [1, 2]
        await bench.local.stop()

    asyncio.run(story())


class Gate(Echo):
    """An echo that waits at its first message until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.opened = asyncio.Event(), asyncio.Event()

    async def handle(self, event: Event, emit: Emit) -> None:
        self.entered.set()
        await self.opened.wait()
        await super().handle(event, emit)


def test_stopping_finishes_the_message_under_way_and_commits_it() -> None:
    async def story() -> None:
        bench, gate, again = Bench(), Gate(), Echo()
        await bench.local.start()
        await bench.publish(*map(halted, range(3)))
        loop = bench.loop(gate)
        await loop.start()
        task = asyncio.create_task(loop.run())
        await gate.entered.wait()
        loop.stop()
        gate.opened.set()
        await task
        assert gate.handled == [0]
        assert bench.log[-1] == "commit [1]"
        await handle_all(bench, again, 2)
        assert again.handled == [1, 2]
        await bench.local.stop()

    asyncio.run(story())


class Unsinkable(Echo):
    """An echo whose sink never takes anything."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = asyncio.Event()

    async def flush(self) -> None:
        self.tried.set()
        raise StoreUnavailable("the database is away")


@pytest.mark.usefixtures("_no_waits")
def test_stopping_while_the_outside_is_away_ends_without_a_commit() -> None:
    async def story() -> None:
        bench, sink, again = Bench(), Unsinkable(), Echo()
        await bench.local.start()
        await bench.publish(halted(0))
        loop = bench.loop(sink)
        await loop.start()
        task = asyncio.create_task(loop.run())
        await until(lambda: sink.handled == [0], "the message is handled")
        loop.stop()
        await task
        assert sink.tried.is_set()
        assert not [entry for entry in bench.log if entry.startswith("commit")]
        await handle_all(bench, again, 1)
        assert again.handled == [0]
        await bench.local.stop()

    asyncio.run(story())


def test_partitions_that_go_to_another_member_are_committed_before_it_takes_over() -> None:
    async def story() -> None:
        bench = Bench(LocalBus(partitions={"control": 2}))
        await bench.local.start()
        for partition in (0, 1):
            record = Record(
                "control", "key", halted(partition).model_dump_json().encode(), NOW, partition
            )
            await bench.local.publish(record)
        first, second = Echo(), Echo()
        one, other = bench.loop(first), bench.loop(second)
        await one.start()
        task = asyncio.create_task(one.run())
        await until(lambda: len(first.handled) == 2, "all are handled")
        await other.start()
        assert [entry for entry in bench.log if entry.startswith("commit")] == ["commit [1, 1]"]
        later = asyncio.create_task(other.run())
        record = Record("control", "key", halted(7).model_dump_json().encode(), NOW, 1)
        await bench.local.publish(record)
        await until(lambda: second.handled == [7], "the other member has the partition")
        for loop in (one, other):
            loop.stop()
        await asyncio.gather(task, later)
        assert sorted(first.handled) == [0, 1]
        await bench.local.stop()

    asyncio.run(story())


def test_a_message_of_a_partition_that_went_away_while_it_waited_is_left_to_its_owner() -> None:
    async def story() -> None:
        bench = Bench(LocalBus(partitions={"control": 2}))
        await bench.local.start()
        for number in range(4):
            value = halted(number).model_dump_json().encode()
            await bench.local.publish(Record("control", "key", value, NOW, number % 2))
        first, second = Gate(), Echo()
        one, other = bench.loop(first), bench.loop(second)
        await one.start()
        task = asyncio.create_task(one.run())
        await first.entered.wait()
        joining = asyncio.create_task(other.start())
        await asyncio.sleep(0)
        first.opened.set()
        await joining
        later = asyncio.create_task(other.run())
        await until(lambda: len(first.handled + second.handled) == 4, "all are handled")
        for loop in (one, other):
            loop.stop()
        await asyncio.gather(task, later)
        assert sorted(first.handled + second.handled) == [0, 1, 2, 3]
        assert second.handled
        await bench.local.stop()

    asyncio.run(story())


def restoring(echo: Echo) -> Subscription:
    return Subscription("echo", ("control",), echo, ("control",))


class Ordered(Echo):
    """An echo that notes the order in which it was called."""

    async def handle(self, event: Event, emit: Emit) -> None:
        self.log.append("handle")
        await super().handle(event, emit)

    def restore(self, event: Event) -> None:
        self.log.append("restore")
        super().restore(event)


def test_state_is_restored_and_begun_with_before_the_first_message() -> None:
    async def story() -> None:
        bench, echo = Bench(), Ordered()
        await bench.local.start()
        await bench.publish(halted(0), halted(1))
        await run_until(
            bench.loop_of(restoring(echo)), lambda: len(echo.handled) == 2, "both are handled"
        )
        assert echo.log[:5] == ["restore", "restore", "begin", "handle", "handle"]
        assert bench.clock.now_ms() == NOW + 1
        await bench.local.stop()

    asyncio.run(story())


def test_poison_in_the_past_does_not_keep_a_service_from_starting() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        await bench.local.publish(Record("control", "key", b"no json", NOW, 0))
        await bench.publish(halted(1))
        await run_until(
            bench.loop_of(restoring(echo)), lambda: echo.handled == [1], "it is handled"
        )
        assert echo.restored == [1]
        assert len(await letters(bench)) == 1
        await bench.local.stop()

    asyncio.run(story())


def test_a_group_is_ready_once_it_has_started() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        loop = bench.loop(echo)
        assert bench.health.report() == {"echo": "starting"}
        await loop.start()
        assert bench.health.is_ready
        with pytest.raises(RuntimeError, match="group other has not been started"):
            await bench.loop_of(Subscription("other", ("control",), Echo())).run()
        await bench.local.stop()

    asyncio.run(story())


def candles(source: Source) -> CandleBatch:
    values: dict[str, tuple[object, ...]] = {
        name: (1,) for name in CandleColumns.model_fields if name not in {"expiry", "vwap"}
    }
    texts: dict[str, tuple[object, ...]] = {
        "exchange": ("NSE",),
        "tradingsymbol": ("SBIN",),
        "expiry": (None,),
        "vwap": (None,),
    }
    event_id = identity("test candles", source)
    return CandleBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(NOW),
        trading_day=DAY,
        correlation_id=event_id,
        partition=0,
        interval="1m",
        source=source,
        columns=CandleColumns.model_validate(values | texts),
    )


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        (halted(0), "control"),
        (asked(0), "exit_requests"),
        (candles("live"), "candles"),
        (candles("backfill"), "historical_candles"),
    ],
)
def test_an_event_is_emitted_on_its_topic(event: Event, topic: str) -> None:
    async def story() -> None:
        bench = Bench()
        await bench.local.start()
        await bench.loop(Echo()).emit(event)
        assert await bench.events(topic) == [event]
        await bench.local.stop()

    assert record_topic(event) == topic
    asyncio.run(story())


def test_the_clock_hears_the_time_of_what_is_handled_and_the_age_is_told() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        await bench.publish(halted(5), halted(3))
        await handle_all(bench, echo, 2)
        await bench.local.stop()
        assert bench.clock.now_ms() == NOW + 5
        lines = bench.metrics.render().decode().splitlines()
        assert 'alphastocks_data_age_seconds{type="TradingHalted"} 0.002' in lines

    asyncio.run(story())


@pytest.mark.parametrize(
    ("wait_ms", "appears"),
    [
        (60_000, ["publish exit_requests", "publish exit_requests", "flush producer"]),
        (-1, ["publish exit_requests", "flush producer"] * 2),
    ],
)
def test_what_an_atomic_group_made_appears_after_the_messages_at_hand_or_when_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, wait_ms: int, appears: list[str]
) -> None:
    monkeypatch.setattr(consumer, "UNCOMMITTED_OUTPUT_MS", wait_ms)

    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        await bench.publish(halted(0), halted(1))
        loop = bench.loop_of(Subscription("echo", ("control",), echo, is_atomic=True))
        await run_until(loop, lambda: bench.log[: len(appears)] == appears, "it appears")
        await bench.local.stop()

    asyncio.run(story())
