"""State by partition, and how it is restored as it was at an offset.

There are two sources: what the service published for the partition (`restore`), and the input
whose effect is not published yet (`replay`, without output). What the service published for
later input is not state: that input is delivered again, and its output is recognised by its id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

from libs.events.bus import Bus, Message, TopicPartition
from libs.events.codec import event_of
from libs.events.errors import PoisonMessage
from libs.events.event import Event
from libs.runtime.clock import Clock

CAUSE = "cause"
"""Header that names the message which caused a record, set by services with state by partition."""


@dataclass(frozen=True, slots=True)
class Since:
    """How far back to read, event time in epoch ms; None: not at all."""

    restored_ms: int | None = 0
    replayed_ms: int | None = None


class PartitionState(Protocol):
    """The state of a service, divided by the partitions of its input."""

    def forget(self, partition: int) -> None:
        """Drop the state of a partition."""

    def since(self, partition: int, last: Event | None) -> Since:
        """Return how far back to read; `last` is the last event handled, if there is one."""

    def restore(self, event: Event) -> None:
        """Restore state from an event that the service published for the partition."""

    def replay(self, event: Event) -> None:
        """Apply an event that was handled before, without output."""


@dataclass(frozen=True, slots=True)
class StateRestorer:
    """Restores the state of partitions; `restore_topics` have the input's partitions."""

    bus: Bus
    clock: Clock
    log: structlog.typing.FilteringBoundLogger
    state: PartitionState
    restore_topics: tuple[str, ...]

    async def restore(self, topic_partition: TopicPartition, offset: int) -> set[UUID]:
        """Restore the state at an offset; return the ids of events published for later input."""
        self.state.forget(topic_partition.partition)
        since = self.state.since(
            topic_partition.partition, await self._last_handled(topic_partition, offset)
        )
        published: set[UUID] = set()
        if since.restored_ms is not None:
            for topic in self.restore_topics:
                published |= await self._restore(topic, topic_partition, offset, since.restored_ms)
        if since.replayed_ms is not None:
            await self._replay(topic_partition, offset, since.replayed_ms)
        return published

    async def _last_handled(self, topic_partition: TopicPartition, offset: int) -> Event | None:
        """Return the last readable event before the offset."""
        last = None
        async for message in self.bus.read_span(topic_partition, max(0, offset - 10), offset):
            last = self._event_of(message) or last
        return last

    async def _restore(
        self, topic: str, topic_partition: TopicPartition, offset: int, since_ms: int
    ) -> set[UUID]:
        source = TopicPartition(topic, topic_partition.partition)
        start, published = await self.bus.offset_at(source, since_ms), set()
        async for message in self.bus.read_span(source, start):
            event = self._event_of(message)
            if event is None:
                continue
            if self._is_handled(message, topic_partition, offset):
                self.clock.remember(event.occurred_ms)
                self._apply(self.state.restore, event, message)
            else:
                published.add(event.event_id)
        return published

    async def _replay(self, topic_partition: TopicPartition, offset: int, since_ms: int) -> None:
        start = await self.bus.offset_at(topic_partition, since_ms)
        async for message in self.bus.read_span(topic_partition, start, offset):
            event = self._event_of(message)
            if event is not None:
                self._apply(self.state.replay, event, message)

    def _apply(self, take: Callable[[Event], None], event: Event, message: Message) -> None:
        """Apply a past event; one that defeated the handler defeats this too, and is skipped."""
        try:
            take(event)
        except Exception as error:
            self.log.error("not restored", topic=message.topic, exc_info=error)

    def _is_handled(self, message: Message, topic_partition: TopicPartition, offset: int) -> bool:
        """Return whether the message's cause is before the offset.

        An input that is kept in memory starts again at offset 0: then every message counts.
        """
        cause = dict(message.headers).get(CAUSE)
        if cause is None or not self.bus.keeps(topic_partition.topic):
            return True
        return int(cause.rpartition(b"/")[2]) < offset

    def _event_of(self, message: Message) -> Event | None:
        try:
            return event_of(message)
        except PoisonMessage as poison:
            # The group that handles it writes a dead letter; it must not stop the start.
            self.log.error("not restored", topic=message.topic, reason=str(poison))
            return None


def cause_of(message: Message) -> tuple[str, bytes]:
    """Return the header that names a message as the cause of a record."""
    return CAUSE, f"{message.topic}/{message.partition}/{message.offset}".encode()
