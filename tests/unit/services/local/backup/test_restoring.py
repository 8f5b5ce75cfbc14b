"""A restore of topics that a bus does not hold as they were written."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.events.bus import Message, Record, TopicPartition
from services.local.backup.errors import BackupError
from services.local.backup.files import FileWriter
from services.local.backup.logs import Committed
from services.local.backup.manifest import FORMAT, BusKind, KeptOffset, KeptPartition, Manifest
from services.local.backup.records import line_of
from services.local.backup.restoring import restore_topics
from services.local.backup.tables import Advance

PLACE, EMPTY = TopicPartition("orders", 2), TopicPartition("ticks", 0)


class CountingLogs:
    """Logs that count from an offset on, as topics do whose records have expired."""

    kind: BusKind = "kafka"

    def __init__(self, starts: dict[TopicPartition, int]) -> None:
        self.places: Committed = {}
        self._ends = {PLACE: 0, EMPTY: 0, **starts}

    async def committed(self) -> Committed:
        return self.places

    async def ends(self) -> dict[TopicPartition, int]:
        return self._ends

    async def read(self, topic_partition: TopicPartition, end: int) -> AsyncIterator[Message]:
        for message in list[Message]():
            yield message

    async def partitions(self) -> dict[str, int]:
        return {"orders": 4, "ticks": 1}

    async def write(self, records: Iterable[Record]) -> None:
        for record in records:
            self._ends[TopicPartition(record.topic, record.partition or 0)] += 1

    async def commit(self, committed: Committed) -> None:
        self.places = committed


def backed_up(folder: Path) -> Manifest:
    writer = FileWriter(folder, "topics/orders/2.jsonl.gz")
    for offset in (4, 6):
        writer.write(line_of(Message("orders", 2, offset, "k", b"v", 1, ())), 1)
    return Manifest(
        format=FORMAT,
        version="0.1.0",
        made_at=datetime(2026, 6, 17, tzinfo=UTC),
        bus="kafka",
        partitions={"orders": 4, "ticks": 1},
        topics=(KeptPartition(topic="orders", partition=2, file=writer.close()),),
        offsets=(KeptOffset(group="position", topic="orders", partition=2, offset=6),),
        migrations=(),
        tables=(),
    )


def restore(folder: Path, logs: CountingLogs) -> None:
    def step(_what: str, _total: int) -> Advance:
        return lambda _done: None

    asyncio.run(restore_topics(logs, folder, backed_up(folder), step))


def test_offsets_are_committed_where_records_count_from_zero(tmp_path: Path) -> None:
    logs = CountingLogs({})
    restore(tmp_path, logs)
    assert logs.places == {("position", PLACE): 1}


@pytest.mark.parametrize(("place", "ends"), [(PLACE, "7, not at 2"), (EMPTY, "5, not at 0")])
def test_no_offset_is_committed_where_records_count_from_elsewhere(
    tmp_path: Path, place: TopicPartition, ends: str
) -> None:
    logs = CountingLogs({place: 5})
    with pytest.raises(BackupError, match=f"{place.topic}/{place.partition} ends at {ends}"):
        restore(tmp_path, logs)
    assert logs.places == {}
