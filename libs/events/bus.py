"""The bus port: what Kafka can do, and nothing more. `local.py` is its embedded adapter."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """What is published. `timestamp_ms` is the event time; no partition: that of the key."""

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
        """The partition that the message stands in."""
        return TopicPartition(self.topic, self.partition)


class RebalanceListener(Protocol):
    """Told when a consumer's partitions change."""

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish or abandon work on these partitions; they may be committed until it returns."""

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Prepare state for these partitions; nothing of them is delivered until it returns."""


class Consumer(Protocol):
    """One member of a group."""

    async def fetch(self, max_records: int, timeout_seconds: float) -> list[Message]:
        """Return the next messages, in order within each partition; none after the timeout."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Record the next offset to read of each partition, for the whole group."""

    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions that this member has now."""

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver nothing of these partitions until they are resumed."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver these partitions again, from where they were paused."""

    async def lag(self) -> dict[TopicPartition, int]:
        """Return how many records of each assigned partition are not committed yet."""

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the next offset that the group would read after a restart, of each partition."""

    async def close(self) -> None:
        """Leave the group; what was not committed is delivered to another member."""


class Bus(Protocol):
    """Publish, subscribe in a group, and read a topic from its beginning."""

    async def start(self) -> None:
        """Connect, or open what is on disk."""

    async def stop(self) -> None:
        """Flush and close; consumers that are still open are closed too."""

    def check(self, record: Record) -> None:
        """Raise RecordTooLarge for a record that `publish` would not take."""

    async def publish(self, record: Record) -> None:
        """Hand a record over, in order; it is acknowledged by the next `flush`."""

    async def flush(self) -> None:
        """Return when everything published before is acknowledged; raise if something is not."""

    async def confirm(self) -> None:
        """Return while this process is the one that may act; raise Fenced once another is."""

    async def subscribe(
        self,
        group: str,
        topics: Sequence[str],
        listener: RebalanceListener | None = None,
    ) -> Consumer:
        """Join a group; a group without committed offsets begins at the beginning."""

    def read(
        self, topics: Sequence[str], partitions: Collection[int] | None = None
    ) -> AsyncIterator[Message]:
        """Yield what the topics hold now, each partition from its beginning, and end.

        `partitions` reads only those of each topic.
        """

    def read_span(
        self, topic_partition: TopicPartition, start: int, stop: int | None = None
    ) -> AsyncIterator[Message]:
        """Yield what a partition holds from one offset up to another, excluded, and end.

        No other: up to what it holds now.
        """

    async def offset_at(self, topic_partition: TopicPartition, at_ms: int) -> int:
        """Return the first offset stamped `at_ms` or later, the end where there is none."""

    def keeps(self, topic: str) -> bool:
        """Return whether the records and offsets of a topic outlive the process."""

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions of a topic."""

    async def ping(self) -> None:
        """Return when the bus answers; raise BusUnavailable when it does not."""
