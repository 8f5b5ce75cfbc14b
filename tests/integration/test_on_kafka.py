"""The six services as processes on a real Kafka and a real ClickHouse.

A recorded day must give the candles and signals of the in-process replay, whatever happens to the
processes on the way.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.events.bus import Record
from libs.events.control import TradingHalted
from libs.events.kafka.address import KafkaAddress
from libs.events.orders import OrderFilled, OrderPlanned
from libs.events.positions import (
    ExitRequested,
    PositionClosed,
    PositionEvent,
    PositionOpened,
)
from libs.events.topics import TOPICS
from libs.store.clickhouse import ClickHouseStore, create_database
from libs.store.migrate import apply
from libs.store.store import StoreAddress
from services.local.play.database import migrations
from services.local.play.fleet import Fleet, Member
from tests.integration.commands import alphastocks, events_of, settings_file
from tests.integration.kafka_days import (
    SERVICES,
    TIMEOUT_SECONDS,
    KafkaDay,
    by_id,
    rows_of,
    until,
)
from tests.integration.proxies import HOST, Proxy
from tests.integration.recordings import DAY, write_recording
from tests.servers import TestKafka, running_kafka, why_none

EXECUTOR_READS = ("instruments", "signal_generated", "exit_requests", "positions", "control")
"""Its business topics: poison on one of them halts new entries; on `ticks` it halts nothing."""
LIVE_CANDLES = "SELECT count() AS n FROM historical_data FINAL WHERE source = 'live'"
SIGNAL_READS = ("strategy_signals", "signal_updates", "orders")
PACED = 1200.0
"""A session of 6 hours 15 minutes in 19 seconds: time enough to be disturbed."""


@dataclass(frozen=True)
class Expected:
    """What the in-process replay makes of the recording."""

    candles: list[str]
    strategy_signals: dict[str, dict[str, Any]]
    signals: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def test_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestKafka]:
    """A Kafka for these tests alone: they kill it, and what holds little is soon back."""
    if reason := why_none():
        pytest.skip(reason)
    with running_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def kafka(test_kafka: TestKafka) -> KafkaAddress:
    return test_kafka.address


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def expected(
    tmp_path_factory: pytest.TempPathFactory, clickhouse_server: StoreAddress, recording: Path
) -> Expected:
    folder = tmp_path_factory.mktemp("replay")
    database = replace(clickhouse_server, database=f"test_{uuid4().hex}")
    config = settings_file(folder, database)
    command = ("replay", recording, "--date", DAY, "--out", folder / "out", "--config", config)
    with pytest.MonkeyPatch.context() as patch:
        assert alphastocks(patch, *command, "--var", folder / "var") == 0
    out = folder / "out"
    candles = sorted((out / "candles.csv").read_text().splitlines())
    strategy_signals = {e["event_id"]: e for e in events_of(out, "strategy_signals.jsonl")}
    signals = {e["event_id"]: e for e in events_of(out, "signals.jsonl")}
    assert len(candles) > 1000
    assert signals
    return Expected(candles, strategy_signals, signals)


Story = Callable[[KafkaDay, Fleet], Awaitable[None]]
Play = Callable[..., None]


@pytest.fixture
def play(kafka: KafkaAddress, database: StoreAddress, recording: Path, tmp_path: Path) -> Play:
    """Return a function that prepares a day and plays a story on it."""

    async def run(story: Story, speed: float) -> None:
        await create_database(database)
        store = ClickHouseStore(database)
        await apply(store, migrations())
        await store.close()
        async with Proxy(database.port) as proxy:
            address = replace(database, host=HOST, port=proxy.port)
            day = await KafkaDay.prepared(kafka, address, recording, tmp_path, proxy, speed)
            async with day.fleet() as fleet:
                await story(day, fleet)

    return lambda story, speed=1e9: asyncio.run(run(story, speed))


async def check(day: KafkaDay, expected: Expected) -> None:
    """The topics hold the replay's candles and signals, each once, and nothing was buried."""
    assert rows_of(await day.candles()) == expected.candles
    assert by_id(await day.events("strategy_signals")) == expected.strategy_signals
    assert by_id(await day.events("signal_generated")) == expected.signals
    assert await day.dead_letters() == []


async def check_orders(day: KafkaDay) -> None:
    """No order is there twice, no more is sold than was bought, and no position is forgotten.

    A day that is disturbed at a thousand times its pace may be over before what is held is quoted
    again: then an exit is asked for and cannot fill any more.
    """

    async def all_left() -> bool:
        opened, closed = await ids_of(day, PositionOpened), await ids_of(day, PositionClosed)
        return opened <= closed | await ids_of(day, ExitRequested, "exit_requests")

    await until(all_left, "every position is closed, or its exit is asked for")
    orders = await day.events("orders")
    plans = [one for one in orders if isinstance(one, OrderPlanned)]
    assert len({one.tag for one in plans}) == len({one.event_id for one in plans})
    fills = {one.fill_id: one for one in orders if isinstance(one, OrderFilled)}.values()
    for position_id in {fill.position_id for fill in fills}:
        signed = (
            fill.fill_quantity * (1 if fill.transaction_type == "BUY" else -1)
            for fill in fills
            if fill.position_id == position_id
        )
        assert sum(signed) >= 0


async def check_closed(day: KafkaDay) -> None:
    """Positions were opened, and every one is closed."""
    opened = await ids_of(day, PositionOpened)
    assert opened

    async def all_closed() -> bool:
        return opened == await ids_of(day, PositionClosed)

    await until(all_closed, "every position is closed")


async def ids_of(
    day: KafkaDay, kind: type[PositionEvent | ExitRequested], topic: str = "positions"
) -> set[UUID]:
    return {one.position_id for one in await day.events(topic) if isinstance(one, kind)}


async def check_stored(database: StoreAddress, expected: Expected) -> None:
    """Each candle of the day has its row, once."""

    async def is_so() -> bool:
        store = ClickHouseStore(database)
        try:
            return (await store.query(LIVE_CANDLES))["n"] == [len(expected.candles) - 1]
        finally:
            await store.close()

    await until(is_so, "all candles are stored")


@pytest.mark.proof("a minute and a half; in small: the day on which each service is killed")
def test_a_recorded_day_gives_the_candles_and_signals_of_the_replay_row_by_row(
    play: Play, expected: Expected, database: StoreAddress
) -> None:
    async def story(day: KafkaDay, fleet: Fleet) -> None:
        await day.start_all(fleet)
        await day.played()
        await check(day, expected)
        await check_orders(day)
        await check_closed(day)
        for topic in ("candles", "strategy_signals", "signal_generated", "orders", "positions"):
            assert await day.repeats(topic) == {}
        await check_stored(database, expected)
        for member in fleet.members:
            assert member.restarts == 0

    play(story, PACED)


async def kill(member: Member) -> None:
    """kill -9."""
    assert member.process is not None
    member.process.kill()
    await member.process.wait()


def test_a_kill_of_each_service_in_mid_session_changes_neither_candles_nor_signals(
    play: Play, expected: Expected, database: StoreAddress
) -> None:
    async def story(day: KafkaDay, fleet: Fleet) -> None:
        await day.start_all(fleet)
        await day.until_candles(100)
        order = [name for name in SERVICES if name != "ingest"]
        random.Random(5).shuffle(order)
        for name in order:
            (member,) = fleet.of(name)
            await kill(member)
            await asyncio.sleep(1.5)
        await day.played()
        await check(day, expected)
        await check_orders(day)
        assert await day.repeats("candles") == {}
        await check_stored(database, expected)
        assert all(fleet.of(name)[0].restarts == 1 for name in order)

    play(story, PACED)


@pytest.mark.proof("a minute; in small: handovers of candle and strategy, the group contract")
def test_growth_to_three_replicas_and_back_under_load_changes_nothing(
    play: Play, expected: Expected
) -> None:
    async def story(day: KafkaDay, fleet: Fleet) -> None:
        await day.start_all(fleet)
        await day.until_candles(100)
        for service in ("candle", "strategy"):
            for _ in range(2):
                await fleet.start(service)
        await day.until_candles(1200)
        for service in ("candle", "strategy"):
            for member in fleet.of(service)[:2]:  # the first goes too: its partitions move
                await fleet.stop(member)
        await day.played()
        await check(day, expected)
        assert "service started" in day.log_of("candle-2")
        assert len(fleet.of("candle")) == len(fleet.of("strategy")) == 1

    play(story, PACED)


@pytest.mark.proof("a minute; in small: the bus contract, dead letters of the runtime")
def test_poison_on_each_topic_goes_to_dead_letters_and_the_rest_flows(
    play: Play, expected: Expected
) -> None:
    async def story(day: KafkaDay, fleet: Fleet) -> None:
        async with day.bus() as bus:
            for topic in TOPICS:
                await bus.publish(Record(topic, "poison", b"\xff not an event", 0, 0))
            await bus.flush()
        await day.start_all(fleet)
        await day.played()
        buried = {topic for topic, _ in await day.dead_letters()}
        assert buried == set(TOPICS)
        halts = [e.reason for e in await day.events("control") if isinstance(e, TradingHalted)]
        skipped = {reason.partition("/")[0] for reason in halts}
        assert skipped == {
            *(f"executor skipped {topic}" for topic in EXECUTOR_READS),
            *(f"signal skipped {topic}" for topic in SIGNAL_READS),
            "position skipped orders",
        }
        assert rows_of(await day.candles()) == expected.candles
        assert by_id(await day.events("signal_generated")) == expected.signals
        assert all(member.restarts == 0 for member in fleet.members)

    play(story)


@pytest.mark.proof("a minute; in small: repeats of each domain")
def test_input_that_is_delivered_again_changes_nothing(play: Play, expected: Expected) -> None:
    async def story(day: KafkaDay, fleet: Fleet) -> None:
        await day.start_all(fleet)
        await day.played()
        before = {topic: len(await day.events(topic)) for topic in ("orders", "signal_generated")}
        async with day.bus() as bus:
            for topic in ("candles", "strategy_signals", "signal_generated", "exit_requests"):
                again = [message async for message in bus.read([topic])]
                for one in again:
                    record = Record(
                        topic, one.key, one.value, one.timestamp_ms, one.partition, one.headers
                    )
                    await bus.publish(record)
            await bus.flush()
        await day.played()
        await check_orders(day)
        generated = await day.events("signal_generated")
        assert len(generated) == 2 * before["signal_generated"]  # ours, and no third
        assert len(await day.events("orders")) == before["orders"]
        assert rows_of(await day.candles()) == expected.candles

    play(story)


@pytest.mark.proof("two minutes; in small: the fenced bus of the contracts, handler troubles")
def test_a_second_executor_takes_over_and_the_first_is_fenced_and_says_so(
    play: Play, expected: Expected
) -> None:
    async def story(day: KafkaDay, fleet: Fleet) -> None:
        await day.start_all(fleet)
        await day.until_candles(100)
        (first,) = fleet.of("executor")
        first.is_wanted = False  # what ends by the fence stays ended: the other one goes on
        second = await fleet.start("executor")
        assert first.process is not None
        assert await asyncio.wait_for(first.process.wait(), TIMEOUT_SECONDS) == 1
        assert "fenced: another process" in day.log_of("executor-0").splitlines()[-1]
        await day.played()
        await check(day, expected)
        await check_orders(day)
        assert second.restarts == 0

    play(story, PACED)


@pytest.mark.proof("a minute and a half; in small: writers that restart, a store that comes back")
def test_a_database_that_is_away_stops_no_exit_and_is_caught_up_with(
    play: Play, expected: Expected, database: StoreAddress
) -> None:
    async def story(day: KafkaDay, fleet: Fleet) -> None:
        await day.start_all(fleet)
        await day.until_candles(300)
        day.database.cut()
        await day.played()
        await check(day, expected)
        await check_orders(day)
        await check_closed(day)
        day.database.join()
        await check_stored(database, expected)

    play(story, PACED)


@pytest.mark.proof("over a minute; in small: the bus contract over a restart, the emitter")
def test_a_broker_that_is_killed_and_comes_back_loses_and_repeats_nothing(
    play: Play, expected: Expected, test_kafka: TestKafka
) -> None:
    server = test_kafka.server
    if server is None:
        pytest.skip("the broker is not ours to kill")

    async def story(day: KafkaDay, fleet: Fleet) -> None:
        await day.start_all(fleet)
        await day.until_candles(300)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(2)
        await server.start_async()
        await day.played()
        await check(day, expected)
        await check_orders(day)

    play(story, PACED)
