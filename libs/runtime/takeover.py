"""Partitions that a group takes over, with the state that they had at their committed offsets."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field

import structlog

from libs.events.bus import Consumer, Message, TopicPartition
from libs.runtime.emitter import Emitter
from libs.runtime.handover import Handover
from libs.runtime.health import Health


@dataclass(slots=True)
class Takeover:
    """Rebuilds state where it is not what stood at the committed offset when we had it last."""

    group: str
    handover: Handover
    emitter: Emitter
    health: Health
    log: structlog.typing.FilteringBoundLogger
    _stands_at: dict[TopicPartition, int] = field(default_factory=dict)

    def note(self, message: Message) -> None:
        """Remember how far a partition's state goes."""
        self._stands_at[message.topic_partition] = message.offset + 1

    async def take(self, consumer: Consumer, partitions: Collection[TopicPartition]) -> None:
        """Rebuild the state of partitions at their committed offsets."""
        committed = await consumer.committed(partitions)
        gained = {p: at for p, at in committed.items() if self._stands_at.get(p) != at}
        if not gained:
            return
        started = time.perf_counter()
        self.health.unwell(self.group, f"restoring {len(gained)} partitions")
        await asyncio.gather(*(self._rebuild(p, at) for p, at in gained.items()))
        self._stands_at |= gained
        self.health.well(self.group)
        seconds = round(time.perf_counter() - started, 3)
        self.log.info("partitions restored", partitions=len(gained), seconds=seconds)

    async def take_back(self, first: Message) -> None:
        """Rebuild a partition's state as it was before a message."""
        await self._rebuild(first.topic_partition, first.offset)

    async def _rebuild(self, place: TopicPartition, offset: int) -> None:
        self.emitter.published |= await self.handover.take_over(place, offset)
