"""The partitions of a group member, and up to which offset the state of each is current."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field

import structlog

from libs.events.bus import Consumer, Message, TopicPartition
from libs.runtime.emitter import Emitter
from libs.runtime.health import Health
from libs.runtime.partition_state import StateRestorer


@dataclass(slots=True)
class RestoredPartitions:
    """Restores the state of assigned partitions, unless it is current already."""

    group: str
    restorer: StateRestorer
    emitter: Emitter
    health: Health
    log: structlog.typing.FilteringBoundLogger
    _current_to: dict[TopicPartition, int] = field(default_factory=dict)

    def note(self, message: Message) -> None:
        """Note that a message is in its partition's state."""
        self._current_to[message.topic_partition] = message.offset + 1

    async def restore(self, consumer: Consumer, partitions: Collection[TopicPartition]) -> None:
        """Restore the state of partitions at their committed offsets."""
        committed = await consumer.committed(partitions)
        stale = {p: at for p, at in committed.items() if self._current_to.get(p) != at}
        if not stale:
            return
        started = time.perf_counter()
        self.health.unwell(self.group, f"restoring {len(stale)} partitions")
        await asyncio.gather(*(self._restore(p, at) for p, at in stale.items()))
        self._current_to |= stale
        self.health.well(self.group)
        seconds = round(time.perf_counter() - started, 3)
        self.log.info("partitions restored", partitions=len(stale), seconds=seconds)

    async def restore_before(self, first: Message) -> None:
        """Restore a partition's state as it was before a message."""
        await self._restore(first.topic_partition, first.offset)

    async def _restore(self, topic_partition: TopicPartition, offset: int) -> None:
        self.emitter.published |= await self.restorer.restore(topic_partition, offset)
