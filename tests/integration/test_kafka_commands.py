"""`topics apply`, `lag`, `tail` and `dlq` on a real Kafka, as a user calls them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from uuid import uuid4

import pytest

from libs.events.bus import Message, Record, started_bus
from libs.events.codec import event_of, record_of
from libs.events.control import TradingHalted
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import KafkaAdmin, kafka_admin
from libs.events.kafka.bus import KafkaBus
from libs.events.topic_plan import WantedTopic, plan, wanted_topics
from libs.events.topics import TOPICS
from libs.runtime.dead_letters import DeadLetters
from tests.integration.commands import alphastocks
from tests.unit.libs.runtime.loops import NOW, halted

WANTED = {topic.name: topic for topic in wanted_topics("by_size", 1, 8_388_608)}


class Cluster:
    """A part of the tests' Kafka that nobody else uses, and the command that works on it."""

    def __init__(
        self,
        address: KafkaAddress,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.address = replace(address, prefix=f"{uuid4().hex[:8]}.")
        self._monkeypatch, self._capsys = monkeypatch, capsys
        settings = {"KIND": "kafka", "BOOTSTRAP": address.bootstrap, "PREFIX": self.address.prefix}
        for name, value in settings.items():
            monkeypatch.setenv(f"ALPHASTOCKS_BUS__{name}", value)

    def run(self, *arguments: object) -> tuple[int, str]:
        """Run the command and return its status and all that it said."""
        self._capsys.readouterr()
        status = alphastocks(self._monkeypatch, *arguments)
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def on_bus(
        self,
        work: Callable[[KafkaBus], Awaitable[None]],
        partitions: Mapping[str, int] | None = None,
    ) -> None:
        async def run() -> None:
            async with started_bus(KafkaBus(self.address, partitions=partitions)) as bus:
                await work(bus)

        asyncio.run(run())

    def publish(self, *records: Record, partitions: Mapping[str, int] | None = None) -> None:
        async def work(bus: KafkaBus) -> None:
            for record in records:
                await bus.publish(record)
            await bus.flush()

        self.on_bus(work, partitions)

    def as_admin(self, work: Callable[[KafkaAdmin], Awaitable[None]]) -> None:
        async def run() -> None:
            async with kafka_admin(self.address) as admin:
                await work(admin)

        asyncio.run(run())

    def create(self, topic: WantedTopic) -> None:
        """Make one topic as somebody else would have."""

        async def work(admin: KafkaAdmin) -> None:
            await admin.carry_out(plan([topic], {}), {})

        self.as_admin(work)


@pytest.fixture
def cluster(
    kafka: KafkaAddress, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cluster:
    return Cluster(kafka, monkeypatch, capsys)


@pytest.fixture
def applied(cluster: Cluster) -> Cluster:
    assert cluster.run("topics", "apply", "--yes")[0] == 0
    return cluster


def test_differences_are_shown_first_and_nothing_is_changed_unasked(cluster: Cluster) -> None:
    status, said = cluster.run("topics", "apply", "--dry-run")
    assert status == 0
    assert all(name in said for name in TOPICS)
    status, said = cluster.run("topics", "apply")
    assert (status, "pass --yes" in said) == (2, True)

    async def nothing(admin: KafkaAdmin) -> None:
        assert await admin.topics() == {}

    cluster.as_admin(nothing)


def test_a_cluster_to_which_the_table_was_applied_is_as_it_says(applied: Cluster) -> None:
    async def as_wanted(admin: KafkaAdmin) -> None:
        found = await admin.topics()
        assert found.keys() == WANTED.keys()
        assert plan(list(WANTED.values()), found).is_empty

    applied.as_admin(as_wanted)
    status, said = applied.run("topics", "apply")
    assert (status, "match the table" in said) == (0, True)


def test_settings_and_partitions_are_changed_and_others_settings_stay(cluster: Cluster) -> None:
    own = {"max.message.bytes": "1000", "segment.bytes": "16777216"}
    cluster.create(replace(WANTED["orders"], partitions=1, configs=own))
    status, said = cluster.run("topics", "apply", "--yes")
    assert status == 0, said
    assert "max.message.bytes" in said

    async def changed(admin: KafkaAdmin) -> None:
        orders = (await admin.topics())["orders"]
        assert orders.partitions == TOPICS["orders"].partitions
        assert orders.own["max.message.bytes"] == WANTED["orders"].configs["max.message.bytes"]
        assert orders.own["segment.bytes"] == "16777216"

    cluster.as_admin(changed)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"partitions": 99}, "partitions cannot be removed"),
        ({"partitions": 2}, "instruments would move to other partitions"),
        ({"configs": {"cleanup.policy": "compact"}}, "cleanup.policy is compact, delete wanted"),
        ({"configs": {"retention.bytes": "-1"}}, "retention.bytes is -1"),
    ],
)
def test_what_would_lose_something_is_refused_and_then_nothing_is_changed(
    cluster: Cluster, changes: dict[str, object], reason: str
) -> None:
    ticks = replace(WANTED["ticks"], **changes)  # type: ignore[arg-type]
    cluster.create(ticks)
    cluster.publish(Record("ticks", "1", b"a tick", NOW, 1), partitions={"ticks": ticks.partitions})
    status, said = cluster.run("topics", "apply", "--yes")
    assert status == 1
    assert reason in " ".join(said.split())
    assert "Nothing was changed" in said

    async def alone(admin: KafkaAdmin) -> None:
        assert (await admin.topics()).keys() == {"ticks"}

    cluster.as_admin(alone)


def test_lag_tells_what_is_not_committed_yet(applied: Cluster) -> None:
    applied.publish(*(record_of(halted(number)) for number in range(3)))

    async def handle_two(bus: KafkaBus) -> None:
        consumer = await bus.subscribe("signal", ["control"])
        messages: list[Message] = []
        while len(messages) < 3:
            messages += await consumer.fetch(3, 1.0)
        await consumer.commit({messages[0].topic_partition: 2})
        await consumer.close()

    applied.on_bus(handle_two)
    status, said = applied.run("lag")
    assert status == 0
    (line,) = [line for line in said.splitlines() if "signal" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        *("signal", "control", "1", "2", "3", "1")
    ]


def test_the_last_rows_are_shown_filtered_and_poison_among_them(applied: Cluster) -> None:
    applied.publish(
        *(record_of(halted(number)) for number in range(4)),
        Record("control", "", b"{no event", NOW + 10, 0),
    )
    status, said = applied.run("tail", "control", "-n", 2, "--no-follow", "--json")
    last, poison = map(json.loads, said.splitlines())
    assert (status, last["reason"], poison["type"]) == (0, "3", "Poison")
    status, said = applied.run(
        *("tail", "control", "--no-follow", "--filter", "type=TradingHalted,reason<2")
    )
    assert [line.split("reason=")[1].split()[0] for line in said.splitlines()] == ["0", "1"]


def test_a_letter_is_listed_shown_and_retried_once(applied: Cluster) -> None:
    applied.publish(record_of(halted(7)))

    async def set_aside(bus: KafkaBus) -> None:
        (message,) = [message async for message in bus.read(["control"])]
        await DeadLetters(bus, "signal", 10).write(message, "it was a bad day")

    applied.on_bus(set_aside)
    status, said = applied.run("dlq", "list")
    assert (status, "it was a bad day" in said, "control/0/0" in said) == (0, True, True)
    status, said = applied.run("dlq", "show", "control", "0/0")
    assert "TradingHalted: it can be read now" in said
    assert applied.run("dlq", "retry", "control", "0/0")[0] == 2, "nobody agreed"
    assert applied.run("dlq", "retry", "control", "0/0", "--yes")[0] == 0
    assert "No dead letters are waiting" in applied.run("dlq", "list")[1]
    assert "retried" in applied.run("dlq", "list", "--all")[1]

    async def twice(bus: KafkaBus) -> None:
        events = [event_of(message) async for message in bus.read(["control"])]
        assert events == [halted(7), halted(7)]
        assert isinstance(events[1], TradingHalted)

    applied.on_bus(twice)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["tail", "kandles"], "no topic is called 'kandles'"),
        (["tail", "control", "--filter", "x"], "'x' is not a condition"),
        (["dlq", "show", "control", "9/9"], "no letter is at '9/9'"),
        (["dlq", "retry", "control"], "name one letter as PARTITION/OFFSET, or pass --all"),
    ],
)
def test_what_is_wrong_is_one_line(applied: Cluster, words: list[str], reason: str) -> None:
    status, said = applied.run(*words)
    assert status == 2
    assert reason in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "words", [["topics", "apply"], ["lag"], ["tail", "ticks"], ["dlq", "list"]]
)
def test_without_kafka_in_the_settings_the_command_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.delenv("ALPHASTOCKS_BUS__KIND", raising=False)
    assert alphastocks(monkeypatch, *words) == 2
    assert "ALPHASTOCKS_BUS__KIND=kafka" in capsys.readouterr().err
