"""How a member takes a partition over: its state is rebuilt as it was at the committed offset.

Two sources: what the service published of the partition (restored), and the part of its own input
that nothing published holds yet (replayed, with no output). What it published after the committed
offset is not state: its cause is delivered again, and what it makes is recognised by its id.
"""

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
"""Header of what a service with state by partition publishes: the message that caused it."""


@dataclass(frozen=True, slots=True)
class Since:
    """How far back a partition's past is needed, event time in epoch ms; None: not at all."""

    restored_ms: int | None = 0
    replayed_ms: int | None = None


class PartitionState(Protocol):
    """State of a service that belongs to partitions of its input."""

    def forget(self, partition: int) -> None:
        """Drop the state of a partition."""

    def since(self, partition: int, last: Event | None) -> Since:
        """Return what of the past is needed, told the last event that was handled, if any."""

    def restore(self, event: Event) -> None:
        """Take back what was published of the partition."""

    def replay(self, event: Event) -> None:
        """Take in an event that was handled before, with no output."""


@dataclass(frozen=True, slots=True)
class Handover:
    """Rebuilds the state of partitions; `restore_topics` have the partitions of the input."""

    bus: Bus
    clock: Clock
    log: structlog.typing.FilteringBoundLogger
    state: PartitionState
    restore_topics: tuple[str, ...]

    async def take_over(self, place: TopicPartition, offset: int) -> set[UUID]:
        """Rebuild a partition's state; return the ids of what was published after the offset."""
        self.state.forget(place.partition)
        since = self.state.since(place.partition, await self._last_handled(place, offset))
        published: set[UUID] = set()
        if since.restored_ms is not None:
            for topic in self.restore_topics:
                published |= await self._restore(topic, place, offset, since.restored_ms)
        if since.replayed_ms is not None:
            await self._replay(place, offset, since.replayed_ms)
        return published

    async def _last_handled(self, place: TopicPartition, offset: int) -> Event | None:
        """Return the event before the offset, passing over what cannot be read."""
        last = None
        async for message in self.bus.read_span(place, max(0, offset - 10), offset):
            last = self._event_of(message) or last
        return last

    async def _restore(
        self, topic: str, place: TopicPartition, offset: int, since_ms: int
    ) -> set[UUID]:
        source = TopicPartition(topic, place.partition)
        start, published = await self.bus.offset_at(source, since_ms), set()
        async for message in self.bus.read_span(source, start):
            event = self._event_of(message)
            if event is None:
                continue
            if self._is_handled(message, place, offset):
                self.clock.observe(event.occurred_ms)
                self.state.restore(event)
            else:
                published.add(event.event_id)
        return published

    async def _replay(self, place: TopicPartition, offset: int, since_ms: int) -> None:
        start = await self.bus.offset_at(place, since_ms)
        async for message in self.bus.read_span(place, start, offset):
            event = self._event_of(message)
            if event is not None:
                self.state.replay(event)

    def _is_handled(self, message: Message, place: TopicPartition, offset: int) -> bool:
        """Return whether the message's cause stands before the offset.

        A bus that forgets the input at a restart numbers it anew: all that is there counts.
        """
        cause = dict(message.headers).get(CAUSE)
        if cause is None or not self.bus.keeps(place.topic):
            return True
        return int(cause.rpartition(b"/")[2]) < offset

    def _event_of(self, message: Message) -> Event | None:
        try:
            return event_of(message)
        except PoisonMessage as poison:
            # Whoever handles it buries it; it must not keep the service from starting.
            self.log.error("not restored", topic=message.topic, reason=str(poison))
            return None


def cause_of(message: Message) -> tuple[str, bytes]:
    """Return the header that names a message as the cause."""
    return CAUSE, f"{message.topic}/{message.partition}/{message.offset}".encode()
