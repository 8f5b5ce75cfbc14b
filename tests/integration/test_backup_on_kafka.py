"""Backup and restore of Kafka's topics, whose offsets have gaps and are counted anew."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from libs.events.bus import Message, Record, TopicPartition
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import kafka_admin
from libs.events.kafka.bus import KafkaBus
from libs.runtime.partition_state import CAUSE
from libs.store.store import StoreAddress
from services.local.backup.logs import ALL_TOPICS
from tests.contracts.kafka_buses import drop_topics
from tests.integration.commands import alphastocks, settings_file

ORDERS, TICKS = TopicPartition("orders", 2), TopicPartition("ticks", 0)


class Clusters:
    """Parts of the tests' Kafka with a prefix each, and the commands on them."""

    def __init__(self, kafka: KafkaAddress, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kafka, self.config, self._monkeypatch = kafka, config, monkeypatch
        self.first = replace(kafka, prefix=f"{uuid4().hex[:8]}.")
        self.second = replace(kafka, prefix=f"{uuid4().hex[:8]}.")
        self.folder = config.parent / "backup"

    def run(self, address: KafkaAddress, *words: object) -> int:
        for name, value in (("KIND", "kafka"), ("BOOTSTRAP", address.bootstrap)):
            self._monkeypatch.setenv(f"ALPHASTOCKS_BUS__{name}", value)
        self._monkeypatch.setenv("ALPHASTOCKS_BUS__PREFIX", address.prefix)
        return alphastocks(self._monkeypatch, *words, "--config", self.config)


@pytest.fixture
def clusters(
    kafka: KafkaAddress, database: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Clusters]:
    made = Clusters(kafka, settings_file(tmp_path, database), monkeypatch)
    assert made.run(made.first, "topics", "apply", "--yes") == 0
    assert made.run(made.first, "migrate") == 0
    yield made
    for address in (made.first, made.second):
        asyncio.run(drop_topics(address))


def on_bus(
    address: KafkaAddress, work: Callable[[KafkaBus], Awaitable[None]], fence: str | None = None
) -> None:
    async def run() -> None:
        bus = KafkaBus(address, fence)
        await bus.start()
        try:
            await work(bus)
        finally:
            await bus.stop()

    asyncio.run(run())


def everything(address: KafkaAddress) -> dict[TopicPartition, list[Message]]:
    found: dict[TopicPartition, list[Message]] = {}

    async def read(bus: KafkaBus) -> None:
        async for message in bus.read(ALL_TOPICS):
            found.setdefault(message.topic_partition, []).append(message)

    on_bus(address, read)
    return found


def committed(address: KafkaAddress) -> dict[str, dict[TopicPartition, int]]:
    async def ask() -> dict[str, dict[TopicPartition, int]]:
        async with kafka_admin(address) as admin:
            return {one.group: dict(one.committed) for one in await admin.standings()}

    return asyncio.run(ask())


async def with_gaps(bus: KafkaBus) -> None:
    """Publish a transaction each, so that a marker follows each record; commit after the third."""
    for number in range(5):
        headers = ((CAUSE, b"ticks/0/2"),) if number == 4 else ()
        value = b"\xff%d" % number
        await bus.publish(Record("orders", f"k{number}", value, 1_000 + number, 2, headers))
        await bus.publish(Record("ticks", "0", value, 1_000 + number, 0))
        await bus.flush()
    consumer = await bus.subscribe("position", ["orders"])
    await consumer.commit({ORDERS: 5})
    await bus.confirm()


def test_records_and_places_of_groups_are_the_same_on_another_cluster(clusters: Clusters) -> None:
    on_bus(clusters.first, with_gaps, fence="fence")
    assert clusters.run(clusters.first, "backup", clusters.folder) == 0
    assert clusters.run(clusters.second, "restore", clusters.folder) == 0
    before, after = everything(clusters.first), everything(clusters.second)
    assert before.keys() == after.keys() == {ORDERS, TICKS}
    for place, messages in before.items():
        assert [one.offset for one in messages] == [0, 2, 4, 6, 8]
        as_they_are = [replace(one, offset=0, headers=()) for one in messages]
        assert [replace(one, offset=0, headers=()) for one in after[place]] == as_they_are
        assert [one.offset for one in after[place]] == [0, 1, 2, 3, 4]
    assert after[ORDERS][4].headers == ((CAUSE, b"ticks/0/1"),)
    assert committed(clusters.second) == {"position": {ORDERS: 3}}
    rest: list[bytes] = []

    async def go_on(bus: KafkaBus) -> None:
        consumer = await bus.subscribe("position", ["orders"])
        while len(rest) < 2:
            rest.extend(message.value for message in await consumer.fetch(10, 1.0))

    on_bus(clusters.second, go_on, fence="other")
    assert rest == [b"\xff3", b"\xff4"]


def test_a_bus_that_holds_something_is_refused_and_left_as_it_is(
    clusters: Clusters, capsys: pytest.CaptureFixture[str]
) -> None:
    on_bus(clusters.first, with_gaps, fence="fence")
    assert clusters.run(clusters.first, "backup", clusters.folder) == 0
    before = everything(clusters.first)
    assert clusters.run(clusters.first, "restore", clusters.folder) == 2
    said = capsys.readouterr().err
    assert "the bus is not empty: fence.lease, orders, position, ticks" in said
    assert everything(clusters.first) == before
