"""Publishes a service's events on their topics: counted, logged, and retried in an outage."""

from dataclasses import replace
from uuid import UUID

import structlog

from libs.events.bus import Bus, Message, Record
from libs.events.candles import CandleBatch
from libs.events.codec import record_of
from libs.events.event import Event
from libs.events.topics import TOPIC_OF
from libs.runtime.clock import monotonic_ms
from libs.runtime.metrics import Metrics
from libs.runtime.partition_state import cause_of
from libs.runtime.retry import RetryUntilWell
from libs.runtime.stamping import Stamping

QUIET = frozenset(
    {"TickBatch", "CandleBatch", "HistoryFetched", "InstrumentListed", "ChainSnapshot"}
)
"""Events that come by the second, or by the hundred: they are counted, not logged."""


class Emitter:
    """Publishes events. While `cause` is set, a header of each record names it.

    Another header says when each hop had what the event stands on (`stamping`).

    An event whose id is in `published` was published before a crash, and is left out.
    `first_ms` is when the first event was published after `has_emitted` was reset.
    """

    def __init__(
        self,
        bus: Bus,
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
        retried: RetryUntilWell,
        stamping: Stamping,
    ) -> None:
        self.cause: Message | None = None
        self.published: set[UUID] = set()
        self.has_emitted = False
        self.first_ms = 0
        self._bus = bus
        self._metrics = metrics
        self._log = log
        self._retried = retried
        self._stamping = stamping
        self._partitions: dict[str, int] = {}

    async def emit(self, *events: Event) -> None:
        """Publish events on their topics, in order.

        All are encoded before the first is published. RecordTooLarge, or an error of the
        encoding, leaves all of them unpublished.
        """
        news = [event for event in events if event.event_id not in self.published]
        records = [await self._record_of(event) for event in news]
        for event, record in zip(news, records, strict=True):
            await self._publish(event, record)
        self.published.difference_update(event.event_id for event in events)

    async def _record_of(self, event: Event) -> Record:
        topic = record_topic(event)
        if topic not in self._partitions:
            await self._retried(lambda: self._ask_partitions(topic))
        record = record_of(event, topic, self._partitions[topic])
        cause = () if self.cause is None else (cause_of(self.cause),)
        stamps = self._stamping.of(event)
        stamped = (stamps.header(),) if stamps.hops else ()
        record = replace(record, headers=(*record.headers, *cause, *stamped))
        self._bus.check(record)
        return record

    async def _ask_partitions(self, topic: str) -> None:
        self._partitions[topic] = await self._bus.partitions(topic)

    async def _publish(self, event: Event, record: Record) -> None:
        await self._retried(lambda: self._bus.publish(record))
        if not self.has_emitted:
            self.has_emitted, self.first_ms = True, monotonic_ms()
        self._metrics.note_published(event.type)
        if event.type not in QUIET:
            self._log.info(
                "published",
                type=event.type,
                event_id=str(event.event_id),
                correlation_id=str(event.correlation_id),
                occurred_at=event.occurred_at.isoformat(),
                **event.told(),
            )


def record_topic(event: Event) -> str:
    """Return the topic of an event; backfilled candles have one of their own."""
    if isinstance(event, CandleBatch) and event.source == "backfill":
        return "historical_candles"
    return TOPIC_OF[event.type]
