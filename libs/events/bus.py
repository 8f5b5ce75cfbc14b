"""The bus port, a subset of Kafka. Adapters: `embedded/` (in one process) and `kafka/`."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

Headers = tuple[tuple[str, bytes], ...]


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """What is published. `timestamp_ms` is event time; without `partition` the key decides."""

    topic: str
    key: str
    value: bytes
    timestamp_ms: int
    partition: int | None = None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Message:
    """What is consumed: a record with its position in the log."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    timestamp_ms: int
    headers: Headers = ()

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition that the message is in."""
        return TopicPartition(self.topic, self.partition)


class RebalanceListener(Protocol):
    """Notified when a consumer's partitions change."""

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish or drop work on these partitions; they can be committed until this returns."""

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Prepare state for these partitions; their messages are delivered after this returns."""


class Consumer(Protocol):
    """One member of a group."""

    async def fetch(self, max_records: int, timeout_seconds: float) -> list[Message]:
        """Return the next messages, in order within each partition; none after the timeout."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Record the next offset to read of each partition, for the whole group."""

    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions that this member has now."""

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Stop delivery from these partitions until `resume`."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Continue delivery where it was paused."""

    async def lag(self) -> dict[TopicPartition, int]:
        """Return how many records of each assigned partition are not committed yet."""

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the group's next offset of each partition, as a restart would read it."""

    async def close(self) -> None:
        """Leave the group; what was not committed is delivered to another member."""


class Bus(Protocol):
    """Publish, subscribe in a group, and read a topic from its beginning."""

    async def start(self) -> None:
        """Connect, or open the journal on disk."""

    async def stop(self) -> None:
        """Flush and close; consumers that are still open are closed too."""

    def check(self, record: Record) -> None:
        """Raise RecordTooLarge for a record that is over the size limit."""

    async def publish(self, record: Record) -> None:
        """Queue a record, in order; the next `flush` acknowledges it."""

    async def flush(self) -> None:
        """Return when all records published before are acknowledged; raise if one cannot be."""

    async def confirm(self) -> None:
        """Return if this process still holds the fence; raise Fenced if another one took it."""

    async def subscribe(
        self,
        group: str,
        topics: Sequence[str],
        listener: RebalanceListener | None = None,
    ) -> Consumer:
        """Join a group; without committed offsets it reads from the beginning."""

    def read(
        self, topics: Sequence[str], partitions: Collection[int] | None = None
    ) -> AsyncIterator[Message]:
        """Yield all messages of the topics up to now, each partition in order.

        `partitions` restricts it to these partitions of each topic.
        """

    def read_span(
        self, topic_partition: TopicPartition, start: int, stop: int | None = None
    ) -> AsyncIterator[Message]:
        """Yield a partition's messages from offset `start` up to `stop`, excluded.

        Without `stop`: up to the end as it is now.
        """

    async def offset_at(self, topic_partition: TopicPartition, at_ms: int) -> int:
        """Return the first offset with a timestamp of `at_ms` or later, else the end offset."""

    def keeps(self, topic: str) -> bool:
        """Return whether a topic's records and offsets survive a restart of the process."""

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions of a topic."""

    async def ping(self) -> None:
        """Return when the bus answers; raise BusUnavailable when it does not."""


B = TypeVar("B", bound=Bus)


@asynccontextmanager
async def started_bus(bus: B) -> AsyncIterator[B]:
    """Start a bus, yield it, and stop it afterwards."""
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()
