"""`lag --watch` in an outage: it waits, says so, and goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from libs.events.bus import TopicPartition
from libs.events.errors import BusUnavailable
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import GroupStanding
from services.local.commands import cluster

PLACE = TopicPartition("orders", 0)
STANDING = GroupStanding("position", {PLACE: 7}, {PLACE: 9})
ADDRESS = KafkaAddress("127.0.0.1:1")


class Cluster:
    """A cluster that answers as it is told to, and counts the connections to it."""

    def __init__(self, *answers: BaseException | None) -> None:
        self.connections = 0
        self._answers = list(answers)

    @asynccontextmanager
    async def connect(self, _: KafkaAddress) -> AsyncIterator["Cluster"]:
        self.connections += 1
        yield self

    async def standings(self) -> list[GroupStanding]:
        if answer := self._answers.pop(0):
            raise answer
        return [STANDING]


def watched(monkeypatch: pytest.MonkeyPatch, *answers: BaseException | None) -> Cluster:
    kafka = Cluster(*answers)
    monkeypatch.setattr(cluster, "kafka_admin", kafka.connect)
    monkeypatch.setattr(cluster, "WATCH_SECONDS", 0)
    with pytest.raises((asyncio.CancelledError, BusUnavailable)):
        asyncio.run(cluster._watch(ADDRESS))
    return kafka


def test_an_outage_is_waited_for_on_new_connections_and_told_once_and_at_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = BusUnavailable("Kafka at 127.0.0.1:1: connection refused")
    end = asyncio.CancelledError()
    assert watched(monkeypatch, None, away, away, None, end).connections == 3
    assert capsys.readouterr().err.splitlines() == [
        "waiting for Kafka for 0 s: Kafka at 127.0.0.1:1: connection refused",
        "Kafka is back after 0 s",
    ]


def test_a_kafka_that_was_never_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(monkeypatch, BusUnavailable("refused")).connections == 1
