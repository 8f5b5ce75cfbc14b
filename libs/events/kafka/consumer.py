"""One member of a group on Kafka.

There are two kinds. A member of a shared group gets its partitions from the broker, which revokes
all of them at each rebalance. The reader of a fenced process assigns itself all partitions, and
commits in the transactions of the fence.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError

from libs.events.bus import Message, RebalanceListener, TopicPartition
from libs.events.errors import BusClosed
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.messages import (
    kafka_partition,
    messages_of,
    our_errors,
    our_partition,
    within,
)
from libs.events.kafka.publisher import REPLY_TIMEOUT_SECONDS, FencedPublisher

_IDLE_MS = 24 * 3600 * 1000
"""A member that waits for a database does not fetch; heartbeats show that it is alive."""
_REBALANCE_MS = 30_000
_FETCH_BYTES = 4 * 1024 * 1024


class KafkaConsumer:
    """A member of a group; with `fence` it reads all partitions of its topics."""

    def __init__(
        self,
        address: KafkaAddress,
        group: str,
        listener: RebalanceListener | None,
        fence: FencedPublisher | None,
        on_close: Callable[["KafkaConsumer"], None],
    ) -> None:
        self.group = group
        self._address = address
        self._listener = listener
        self._fence = fence
        self._on_close = on_close
        self._raw = raw_consumer(address, group=address.named(group), fence=fence)
        self._ready: frozenset[TopicPartition] = frozenset()
        self._paused: set[TopicPartition] = set()
        self._preparing: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._is_rebalancing = False
        self._failure: BaseException | None = None
        self._is_closed = False

    async def start(self, topics: Sequence[str], partitions: Iterable[TopicPartition]) -> None:
        """Join the group; a fenced reader has its partitions when this returns."""
        await within(REPLY_TIMEOUT_SECONDS, self._raw.start(), self._address, "connect")
        if self._fence is not None:
            mine = frozenset(partitions)
            self._raw.assign([self._theirs(p) for p in mine])
            await self._prepare(mine)
        else:
            names = [self._address.named(topic) for topic in topics]
            self._raw.subscribe(names, listener=_Rebalances(self))

    async def fetch(self, max_records: int, timeout_seconds: float) -> list[Message]:
        """Return the next messages; none after the timeout, or during a rebalance."""
        self._check()
        if not self._ready or self._is_rebalancing:
            await self._wait_for_news(timeout_seconds)
            return []
        await asyncio.sleep(0)  # a consumer with a backlog must let others run
        partitions = [self._theirs(p) for p in self._ready]
        with our_errors(self._address, f"fetch for {self.group}"):
            fetched = await self._raw.getmany(
                *partitions, timeout_ms=int(timeout_seconds * 1000), max_records=max_records
            )
        return list(messages_of(self._address, fetched))

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Record the next offsets; revoked partitions are left out."""
        if self._fence is not None:
            await self._fence.commit(self.group, offsets)
            return
        held = self._raw.assignment()
        mine = {self._theirs(p): at for p, at in offsets.items()}
        mine = {p: at for p, at in mine.items() if p in held}
        try:
            await within(REPLY_TIMEOUT_SECONDS, self._commit_raw(mine), self._address, "commit")
        except _Moved:
            return  # the member that has the partitions now handles them again

    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions of this member whose state is ready."""
        return self._ready

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Stop delivery from these partitions until `resume`."""
        self._paused |= set(partitions)
        self._raw.pause(*(self._theirs(p) for p in self._ready & set(partitions)))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Continue delivery from these partitions."""
        self._paused -= set(partitions)
        self._raw.resume(*(self._theirs(p) for p in self._ready & set(partitions)))

    async def lag(self) -> dict[TopicPartition, int]:
        """Return the records of each partition that are not committed yet.

        Transaction markers count as records.
        """
        partitions = [self._theirs(p) for p in self._ready]
        if not partitions:
            return {}
        asking = self._raw.end_offsets(partitions)
        ends = await within(REPLY_TIMEOUT_SECONDS, asking, self._address, "ask for the end")
        standing = await self.committed(self._ready)
        return {p: ends[self._theirs(p)] - standing[p] for p in standing}

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the group's next offsets; the log's first one before any commit."""
        theirs = {p: self._theirs(p) for p in partitions}
        asking = self._raw.beginning_offsets(list(theirs.values()))
        first = await within(REPLY_TIMEOUT_SECONDS, asking, self._address, "ask for the beginning")
        return {p: await self._standing(t, first[t]) for p, t in theirs.items()}

    async def close(self) -> None:
        """Leave the group without committing."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._revoke()
        self._news.set()
        await within(REPLY_TIMEOUT_SECONDS, self._raw.stop(), self._address, "leave")
        self._on_close(self)

    async def on_revoked(self) -> None:
        """Give up all partitions after the listener has finished with them."""
        self._is_rebalancing = True
        if not self._is_closed:
            await self._guarded(self._revoke())

    def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Start to prepare partitions in a task, so that the broker does not wait."""
        self._is_rebalancing = False
        if partitions and not self._is_closed:
            self._raw.pause(*(self._theirs(p) for p in partitions))
            self._preparing = asyncio.create_task(self._guarded(self._prepare(partitions)))

    async def _prepare(self, partitions: frozenset[TopicPartition]) -> None:
        if self._listener is not None:
            await self._listener.on_assigned(partitions)
        self._ready = partitions
        self._raw.resume(*(self._theirs(p) for p in partitions - self._paused))
        self._news.set()

    async def _revoke(self) -> None:
        preparing, self._preparing = self._preparing, None
        if preparing is not None and not preparing.done():
            preparing.cancel()
            await asyncio.wait([preparing])
        partitions = self._ready
        if partitions and self._listener is not None:
            await self._listener.on_revoked(partitions)
        self._ready = frozenset()
        self._paused -= partitions

    async def _guarded(self, work: Any) -> None:
        """Raise an error in the next fetch: aiokafka would only log it."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  raised by the next fetch
            self._failure = error
            self._news.set()

    async def _wait_for_news(self, timeout_seconds: float) -> None:
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), timeout_seconds)
        except TimeoutError:
            return

    async def _commit_raw(self, offsets: dict[KafkaPartition, int]) -> None:
        try:
            await self._raw.commit(offsets)
        except CommitFailedError:
            raise _Moved from None

    async def _standing(self, partition: KafkaPartition, first: int) -> int:
        asking = self._raw.committed(partition)
        at = await within(REPLY_TIMEOUT_SECONDS, asking, self._address, "ask for the commit")
        return max(first, at or 0)

    def _theirs(self, partition: TopicPartition) -> KafkaPartition:
        return kafka_partition(self._address, partition)

    def ours(self, partitions: Iterable[KafkaPartition]) -> frozenset[TopicPartition]:
        """Return partitions with their names without the prefix."""
        return frozenset(our_partition(self._address, p) for p in partitions)

    def _check(self) -> None:
        if self._is_closed:
            raise BusClosed(f"fetch on a closed consumer of group {self.group}")
        if self._failure is not None:
            raise self._failure


class _Moved(Exception):
    """A rebalance has begun: the partitions may belong to another member by now."""


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes the broker's rebalances on to a consumer."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[KafkaPartition]) -> None:
        """Give up all partitions: the broker revokes all before it assigns again."""
        await self._consumer.on_revoked()

    async def on_partitions_assigned(self, assigned: Iterable[KafkaPartition]) -> None:
        """Prepare the assigned partitions."""
        self._consumer.on_assigned(self._consumer.ours(assigned))


def raw_consumer(
    address: KafkaAddress,
    group: str | None = None,
    fence: FencedPublisher | None = None,
    isolation: str = "read_committed",
) -> AIOKafkaConsumer:
    """Return aiokafka's consumer, of a group or of none."""
    instance = f"{group}.{address.instance}" if group and address.instance and not fence else None
    return AIOKafkaConsumer(
        **address.options(),
        group_id=group,
        group_instance_id=instance,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=isolation,
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=address.session_timeout_ms,
        heartbeat_interval_ms=address.session_timeout_ms // 4,
        rebalance_timeout_ms=_REBALANCE_MS,
        max_poll_interval_ms=_IDLE_MS,
        max_partition_fetch_bytes=max(_FETCH_BYTES, address.max_bytes),
        # A consumer without a group is short-lived: it knows no leader yet, so it retries at once.
        retry_backoff_ms=100 if group else 5,
    )
