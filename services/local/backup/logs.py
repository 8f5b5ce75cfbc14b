"""The logs of a bus as backup and restore see them: the journal's files, or a Kafka cluster."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from libs.events.bus import Message, Record, TopicPartition, started_bus
from libs.events.embedded.journal import Journal
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import KafkaAdmin, kafka_admin
from libs.events.kafka.bus import KafkaBus
from libs.events.topics import TOPICS, dead_letter_topic
from services.local.backup.manifest import BusKind

Committed = dict[tuple[str, TopicPartition], int]
"""Group and partition → next offset."""
_FLUSH_RECORDS = 500
ALL_TOPICS = (*TOPICS, *(dead_letter_topic(name) for name in TOPICS))


class Logs(Protocol):
    """Records and committed offsets, to copy them out of a bus or into an empty one."""

    kind: BusKind

    async def committed(self) -> Committed:
        """Return the offsets that groups have committed; ask before `ends`."""

    async def ends(self) -> dict[TopicPartition, int]:
        """Return the end of each partition that may hold records."""

    def read(self, topic_partition: TopicPartition, end: int) -> AsyncIterator[Message]:
        """Yield the records of a partition before an offset."""

    async def partitions(self) -> dict[str, int]:
        """Return the number of partitions of each topic."""

    async def write(self, records: Iterable[Record]) -> None:
        """Append records; return when they are on disk."""

    async def commit(self, committed: Committed) -> None:
        """Set the offsets of groups without members."""


class JournalLogs:
    """The journal of a bus inside one process."""

    kind: BusKind = "journal"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._messages: dict[TopicPartition, list[Message]] = {}
        for message in journal.messages():
            self._messages.setdefault(message.topic_partition, []).append(message)

    async def committed(self) -> Committed:
        """Return the offsets of the journal."""
        return self._journal.offsets()

    async def ends(self) -> dict[TopicPartition, int]:
        """Return the end of each file."""
        return {place: len(messages) for place, messages in self._messages.items()}

    async def read(self, topic_partition: TopicPartition, end: int) -> AsyncIterator[Message]:
        """Yield the records of a file."""
        for message in self._messages[topic_partition][:end]:
            yield message

    async def partitions(self) -> dict[str, int]:
        """Return how many files each topic has."""
        counts: dict[str, int] = {}
        for topic, partition in self._messages:
            counts[topic] = max(counts.get(topic, 0), partition + 1)
        return counts

    async def write(self, records: Iterable[Record]) -> None:
        """Append to the files."""
        for record in records:
            self._journal.append(TopicPartition(record.topic, record.partition or 0), record)
        self._journal.sync()

    async def commit(self, committed: Committed) -> None:
        """Append to the file of offsets."""
        for group, offsets in by_group(committed).items():
            self._journal.commit(group, offsets)


class KafkaLogs:
    """The topics of a cluster with the prefix of the settings."""

    kind: BusKind = "kafka"

    def __init__(self, bus: KafkaBus, admin: KafkaAdmin) -> None:
        self._bus = bus
        self._admin = admin

    async def committed(self) -> Committed:
        """Return the offsets of all groups; the counters of fences are none."""
        standings = [one for one in await self._admin.standings() if not one.is_lease]
        return {(one.group, p): at for one in standings for p, at in one.committed.items()}

    async def ends(self) -> dict[TopicPartition, int]:
        """Return the end of each partition, asked in one request."""
        return await self._bus.ends(ALL_TOPICS)

    def read(self, topic_partition: TopicPartition, end: int) -> AsyncIterator[Message]:
        """Yield the committed records; those of open transactions are waited for."""
        return self._bus.read_span(topic_partition, 0, end)

    async def partitions(self) -> dict[str, int]:
        """Return the number of partitions of each topic."""
        return {topic: await self._bus.partitions(topic) for topic in ALL_TOPICS}

    async def write(self, records: Iterable[Record]) -> None:
        """Publish, a few hundred at a time."""
        for number, record in enumerate(records, 1):
            await self._bus.publish(record)
            if number % _FLUSH_RECORDS == 0:
                await self._bus.flush()
        await self._bus.flush()

    async def commit(self, committed: Committed) -> None:
        """Commit in the name of each group."""
        for group, offsets in by_group(committed).items():
            await self._admin.set_offsets(group, offsets)


def by_group(committed: Committed) -> dict[str, dict[TopicPartition, int]]:
    """Return the offsets of each group."""
    grouped: defaultdict[str, dict[TopicPartition, int]] = defaultdict(dict)
    for (group, place), offset in committed.items():
        grouped[group][place] = offset
    return dict(grouped)


@contextmanager
def journal_logs(folder: Path) -> Iterator[JournalLogs]:
    """Yield a journal; raise JournalBusy while another process has it."""
    journal = Journal(folder)
    journal.open()
    try:
        yield JournalLogs(journal)
    finally:
        journal.close()


@asynccontextmanager
async def kafka_logs(
    address: KafkaAddress, partitions: Mapping[str, int] | None = None
) -> AsyncIterator[KafkaLogs]:
    """Yield the topics of a cluster; `partitions` overrides the table's counts."""
    async with (
        started_bus(KafkaBus(address, partitions=partitions)) as bus,
        kafka_admin(address) as admin,
    ):
        yield KafkaLogs(bus, admin)
