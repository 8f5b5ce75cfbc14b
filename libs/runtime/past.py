"""Reads the events that topics hold."""

from collections.abc import AsyncIterator, Sequence

import structlog

from libs.events.bus import Bus, Message
from libs.events.codec import event_of
from libs.events.errors import PoisonMessage
from libs.events.event import Event


async def past_events(
    bus: Bus, topics: Sequence[str], log: structlog.typing.FilteringBoundLogger
) -> AsyncIterator[Event]:
    """Yield the events of topics; see `past_messages`."""
    async for _, event in past_messages(bus, topics, log):
        yield event


async def past_messages(
    bus: Bus, topics: Sequence[str], log: structlog.typing.FilteringBoundLogger
) -> AsyncIterator[tuple[Message, Event]]:
    """Yield messages with their events, one topic after the other: there is no order between them.

    A message that cannot be read is logged and skipped: the group that handles it writes a dead
    letter, and it must not keep a service from starting.
    """
    for topic in topics:
        async for message in bus.read([topic]):
            try:
                event = event_of(message)
            except PoisonMessage as poison:
                log.error("not restored", topic=topic, reason=str(poison))
                continue
            yield message, event
