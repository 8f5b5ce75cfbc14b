"""The bus on Apache Kafka."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient

from libs.events.bus import Message, RebalanceListener, Record, TopicPartition
from libs.events.errors import (
    BusClosed,
    BusUnavailable,
    EventError,
    RecordTooLarge,
    TopicUnfit,
    UnknownTopic,
)
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.consumer import KafkaConsumer, raw_consumer
from libs.events.kafka.messages import (
    kafka_partition,
    messages_of,
    our_errors,
    record_size,
    within,
)
from libs.events.kafka.publisher import (
    REPLY_TIMEOUT_SECONDS,
    FencedPublisher,
    PlainPublisher,
    Publisher,
)
from libs.events.kafka.reasons import why_not
from libs.events.topics import TOPICS, dead_letter_topic, partition_of_key

_READ_SECONDS = 1.0
_STILL_SECONDS = 30.0


class KafkaBus:
    """The bus on a cluster.

    With a `fence` this process is the only one of its kind: a second process with the same fence
    ends the first. Its records become visible at each flush, all or none, and its consumers read
    all partitions. `partitions` overrides the table's partition counts by topic.
    """

    def __init__(
        self,
        address: KafkaAddress,
        fence: str | None = None,
        partitions: Mapping[str, int] | None = None,
    ) -> None:
        self.address = address
        self._fence = fence
        self._expected = {name: topic.partitions for name, topic in TOPICS.items()}
        self._expected |= partitions or {}
        self._expected |= {dead_letter_topic(name): n for name, n in list(self._expected.items())}
        self._counts: dict[str, int] = {}
        self._publisher: Publisher | None = None
        self._consumers: list[KafkaConsumer] = []

    async def start(self) -> None:
        """Connect; raise BusUnavailable or BusRefused, in one line that says what to fix."""
        # aiokafka's clients are bound to the loop in which they are made
        publisher = self._fenced_or_plain()
        try:
            with our_errors(self.address, "connect"):
                await publisher.start()
        except EventError as error:
            await publisher.stop()
            raise await why_not(self.address) from error
        self._publisher = publisher

    async def stop(self) -> None:
        """Flush and close; consumers that are still open are closed too."""
        for consumer in list(self._consumers):
            await consumer.close()
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.stop()

    def check(self, record: Record) -> None:
        """Raise RecordTooLarge for a record over the limit of the settings."""
        size = record_size(record)
        if size > self.address.max_bytes:
            raise RecordTooLarge(
                f"{record.topic}: a record of {size} bytes, and the limit is "
                f"{self.address.max_bytes}"
            )

    async def publish(self, record: Record) -> None:
        """Queue a record, in order; the next `flush` acknowledges it."""
        publisher = self._started()
        count = self._counts.get(record.topic) or await self.partitions(record.topic)
        partition = record.partition
        if partition is None or partition >= count:
            partition = partition_of_key(record.key, count)
        await publisher.send(record, partition)

    async def flush(self) -> None:
        """Return when all records published before are acknowledged; raise if one cannot be."""
        await self._started().flush()

    async def confirm(self) -> None:
        """Ask the broker whether this process still holds the fence; raise Fenced if not."""
        publisher = self._started()
        if isinstance(publisher, FencedPublisher):
            await publisher.confirm()

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener | None = None
    ) -> KafkaConsumer:
        """Join a group; without committed offsets it reads from the beginning."""
        publisher = self._started()
        assigned = await self._partitions_of(topics)
        fence = publisher if isinstance(publisher, FencedPublisher) else None
        consumer = KafkaConsumer(self.address, group, listener, fence, self._consumers.remove)
        self._consumers.append(consumer)
        await consumer.start(topics, assigned)
        return consumer

    async def read(
        self, topics: Sequence[str], partitions: Collection[int] | None = None
    ) -> AsyncIterator[Message]:
        """Yield all messages of the topics up to now, each partition in order."""
        found = await self._partitions_of(topics)
        chosen = [p for p in found if partitions is None or p.partition in partitions]
        async for message in self._read_spans(dict.fromkeys(chosen, (0, None))):
            yield message

    async def read_span(
        self, topic_partition: TopicPartition, start: int, stop: int | None = None
    ) -> AsyncIterator[Message]:
        """Yield a partition's messages from offset `start` up to `stop`, excluded."""
        await self.partitions(topic_partition.topic)
        async for message in self._read_spans({topic_partition: (start, stop)}):
            yield message

    async def ends(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Return the next offset of each partition."""
        found = await self._partitions_of(topics)
        theirs = {p: kafka_partition(self.address, p) for p in found}
        _, ends = await self._bounds(list(theirs.values()))
        return {p: ends[theirs[p]] for p in found}

    async def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncIterator[Message]:
        """Yield messages from these offsets on, and new ones for ever."""
        async with _reading(self.address) as consumer:
            theirs = {kafka_partition(self.address, p): p for p in starts}
            consumer.assign(list(theirs))
            for partition, ours in theirs.items():
                consumer.seek(partition, starts[ours])
            while True:
                with our_errors(self.address, "read"):
                    fetched = await consumer.getmany(timeout_ms=int(_READ_SECONDS * 1000))
                for message in messages_of(self.address, fetched):
                    yield message

    async def offset_at(self, topic_partition: TopicPartition, at_ms: int) -> int:
        """Return the first offset with a timestamp of `at_ms` or later, else the end offset.

        Records of open transactions count too: they may be committed by the time they are read.
        """
        theirs = kafka_partition(self.address, topic_partition)
        async with _reading(self.address, "read_uncommitted") as consumer:
            found = await within(
                REPLY_TIMEOUT_SECONDS,
                consumer.offsets_for_times({theirs: at_ms}),
                self.address,
                "find a time",
            )
            if found[theirs] is not None:
                return int(found[theirs].offset)
            _, ends = await self._bounds([theirs])
            return ends[theirs]

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions of a topic; raise UnknownTopic or TopicUnfit."""
        if topic not in self._expected:
            raise UnknownTopic(f"no topic is called {topic!r}")
        if topic not in self._counts:
            self._counts[topic] = await self._counted(topic)
        return self._counts[topic]

    def keeps(self, topic: str) -> bool:
        """Return True: all records survive the process."""
        return True

    async def ping(self) -> None:
        """Return when the cluster answers; raise BusUnavailable when it does not."""
        await self._cluster_topics()

    async def _counted(self, topic: str) -> int:
        found = (await self._cluster_topics()).get(self.address.named(topic), 0)
        wanted = self._expected[topic]
        if found == 0:
            raise TopicUnfit(
                f"{topic}: Kafka at {self.address.bootstrap} has no topic "
                f"{self.address.named(topic)!r}: run `alphastocks topics apply`"
            )
        if found != wanted:
            raise TopicUnfit(
                f"{topic}: {found} partitions at {self.address.bootstrap}, {wanted} in the table: "
                "run `alphastocks topics apply`, which says what can be done"
            )
        return found

    async def _cluster_topics(self) -> dict[str, int]:
        """Return name at the cluster → partitions."""
        admin = AIOKafkaAdminClient(**self.address.options())
        try:
            await within(REPLY_TIMEOUT_SECONDS, admin.start(), self.address, "connect")
            asking = admin.describe_topics()
            topics = await within(REPLY_TIMEOUT_SECONDS, asking, self.address, "list topics")
        finally:
            await admin.close()
        return {topic["topic"]: len(topic["partitions"]) for topic in topics}

    async def _read_spans(
        self, spans: Mapping[TopicPartition, tuple[int, int | None]]
    ) -> AsyncIterator[Message]:
        self._started()
        if not spans:
            return
        theirs = {kafka_partition(self.address, p): span for p, span in spans.items()}
        async with _reading(self.address) as consumer:
            consumer.assign(list(theirs))
            first, ends = await self._bounds(list(theirs))
            stops = {p: ends[p] if s is None else min(ends[p], s) for p, (_, s) in theirs.items()}
            starts = {p: max(first[p], start) for p, (start, _) in theirs.items()}
            for partition, start in starts.items():
                consumer.seek(partition, start)
            left = {p for p in theirs if starts[p] < stops[p]}
            async for message in self._until(consumer, left, stops):
                yield message

    async def _until(
        self,
        consumer: AIOKafkaConsumer,
        left: set[KafkaPartition],
        stops: Mapping[KafkaPartition, int],
    ) -> AsyncIterator[Message]:
        loop = asyncio.get_running_loop()
        moved_at = loop.time()
        while left:
            with our_errors(self.address, "read"):
                fetched = await consumer.getmany(*left, timeout_ms=int(_READ_SECONDS * 1000))
            for message in messages_of(self.address, fetched):
                partition = kafka_partition(self.address, message.topic_partition)
                if message.offset < stops[partition]:
                    yield message
            done = {p for p in left if await consumer.position(p) >= stops[p]}
            moved_at = loop.time() if fetched or done else moved_at
            left -= done
            if loop.time() - moved_at > _STILL_SECONDS:
                raise BusUnavailable(
                    f"read: Kafka at {self.address.bootstrap} has sent nothing for "
                    f"{_STILL_SECONDS:g} s"
                )

    async def _bounds(
        self, partitions: list[KafkaPartition]
    ) -> tuple[dict[KafkaPartition, int], dict[KafkaPartition, int]]:
        """Return the first and the end offsets, records of open transactions included."""
        async with _reading(self.address, "read_uncommitted") as consumer:
            ask = (consumer.beginning_offsets(partitions), consumer.end_offsets(partitions))
            first, ends = await within(
                REPLY_TIMEOUT_SECONDS,
                asyncio.gather(*ask),
                self.address,
                "ask for offsets",
            )
        return first, ends

    async def _partitions_of(self, topics: Sequence[str]) -> list[TopicPartition]:
        counts = {topic: await self.partitions(topic) for topic in topics}
        return [TopicPartition(topic, n) for topic, count in counts.items() for n in range(count)]

    def _fenced_or_plain(self) -> Publisher:
        if self._fence is None:
            return PlainPublisher(self.address)
        return FencedPublisher(self.address, self._fence)

    def _started(self) -> Publisher:
        if self._publisher is None:
            raise BusClosed("the bus is not started, or stopped")
        return self._publisher


class _reading:  # noqa: N801  used like a function
    """A consumer without a group, as a context manager."""

    def __init__(self, address: KafkaAddress, isolation: str = "read_committed") -> None:
        self._address = address
        self._consumer = raw_consumer(address, isolation=isolation)

    async def __aenter__(self) -> AIOKafkaConsumer:
        try:
            await within(REPLY_TIMEOUT_SECONDS, self._consumer.start(), self._address, "connect")
        except BaseException:
            await self._consumer.stop()
            raise
        return self._consumer

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
