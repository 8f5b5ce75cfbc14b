"""Backup and restore of Kafka's topics, whose offsets have gaps and are counted anew."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from libs.events.bus import Message, Record, TopicPartition, started_bus
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import kafka_admin
from libs.events.kafka.bus import KafkaBus
from libs.events.kafka.messages import kafka_partition
from libs.runtime.partition_state import CAUSE
from libs.store.store import StoreAddress
from services.local.backup.files import FileWriter
from services.local.backup.logs import ALL_TOPICS
from services.local.backup.manifest import KeptFile, read_manifest, write_manifest
from tests.contracts.kafka_buses import drop_topics
from tests.integration.commands import alphastocks, settings_file

ORDERS, TICKS = TopicPartition("orders", 2), TopicPartition("ticks", 0)


class Clusters:
    """Parts of the tests' Kafka with a prefix each, and the commands on them."""

    def __init__(self, kafka: KafkaAddress, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kafka, self.config, self._monkeypatch = kafka, config, monkeypatch
        self.first = replace(kafka, prefix=f"{uuid4().hex[:8]}.")
        self.second = replace(kafka, prefix=f"{uuid4().hex[:8]}.")
        self.folder, self.var = config.parent / "backup", config.parent / "var"

    def run(self, address: KafkaAddress, *words: object) -> int:
        for name, value in (("KIND", "kafka"), ("BOOTSTRAP", address.bootstrap)):
            self._monkeypatch.setenv(f"ALPHASTOCKS_BUS__{name}", value)
        self._monkeypatch.setenv("ALPHASTOCKS_BUS__PREFIX", address.prefix)
        return alphastocks(self._monkeypatch, *words, "--config", self.config)

    def backup(self) -> int:
        return self.run(self.first, "backup", self.folder, "--var", self.var)

    def restore(self, into: KafkaAddress, *words: object) -> int:
        return self.run(into, "restore", self.folder, "--var", self.var, *words)


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
        async with started_bus(KafkaBus(address, fence)) as bus:
            await work(bus)

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
    assert clusters.backup() == 0
    assert clusters.restore(clusters.second) == 0
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
    assert clusters.backup() == 0
    before = everything(clusters.first)
    assert clusters.restore(clusters.first) == 2
    said = capsys.readouterr().err
    assert "the bus is not empty: fence.lease, orders, position, ticks" in said
    assert everything(clusters.first) == before


async def expire(address: KafkaAddress, places: Iterable[TopicPartition]) -> None:
    """Delete all records, as the broker does after a topic's retention."""
    admin = AIOKafkaAdminClient(**address.options())
    await admin.start()
    await admin.delete_records({kafka_partition(address, p): RecordsToDelete(-1) for p in places})
    await admin.close()


def test_topics_whose_records_have_expired_are_not_empty(
    clusters: Clusters, capsys: pytest.CaptureFixture[str]
) -> None:
    on_bus(clusters.first, with_gaps, fence="fence")
    assert clusters.backup() == 0
    assert clusters.run(clusters.second, "topics", "apply", "--yes") == 0

    async def one_record(bus: KafkaBus) -> None:
        await bus.publish(Record("ticks", "0", b"1", 1_000, 0))
        await bus.flush()

    on_bus(clusters.second, one_record)
    asyncio.run(expire(clusters.second, [TICKS]))
    assert everything(clusters.second) == {}
    assert clusters.restore(clusters.second, "--only", "topics") == 2
    assert "the bus is not empty: ticks; delete" in capsys.readouterr().err
    assert everything(clusters.second) == {}


def test_a_simulated_account_is_not_replaced_where_the_bus_is_elsewhere(
    clusters: Clusters, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clusters.backup() == 0
    assert f"of Kafka at {clusters.kafka.bootstrap}, prefix {clusters.first.prefix} and" in (
        capsys.readouterr().out
    )
    kept = _account(clusters.folder, clusters.folder.parent / "account.json")
    manifest = read_manifest(clusters.folder).model_copy(update={"account": (kept,)})
    write_manifest(clusters.folder, manifest)
    account = clusters.var / "simulator" / "account.json"
    account.parent.mkdir(parents=True)
    account.write_text("in use")
    assert clusters.restore(clusters.second, "--only", "topics") == 0
    assert account.read_text() == "in use"
    assert "The simulated account is not restored" in capsys.readouterr().err


def _account(folder: Path, file: Path) -> KeptFile:
    writer = FileWriter(folder, f"account/{file.name}.gz")
    writer.write(b"another", 1)
    return writer.close()
