"""How events leave a service: on their topic, counted and logged, tried again in trouble."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import structlog

from libs.events.bus import Bus, Message
from libs.events.candles import CandleBatch
from libs.events.codec import record_of
from libs.events.event import Event
from libs.events.topics import TOPIC_OF
from libs.runtime.clock import monotonic_ms
from libs.runtime.handover import cause_of
from libs.runtime.health import Health
from libs.runtime.metrics import Metrics
from libs.runtime.retry import is_retriable, retrying

Call = Callable[[], Awaitable[None]]
_QUIET = frozenset({"TickBatch", "CandleBatch", "InstrumentListed", "ChainSnapshot"})


class RetryUntilWell:
    """Calls, and calls again while the outside is in trouble, which it tells.

    `pause` and `resume` hold the input meanwhile. One that is to stop does not wait for the
    outside: it raises what the trouble is.
    """

    def __init__(
        self,
        name: str,
        metrics: Metrics,
        health: Health,
        pause: Callable[[], None] = lambda: None,
        resume: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._metrics = metrics
        self._health = health
        self._pause = pause
        self._resume = resume
        self.is_stopping = False

    async def __call__(self, call: Call) -> None:
        """Call until it succeeds; raise what is not retriable at once."""
        try:
            await call()
        except Exception as error:
            if not is_retriable(error):
                raise
            await self._until_well(call, error)

    async def _until_well(self, call: Call, error: Exception) -> None:
        def report(trouble: Exception) -> None:
            self._metrics.retries.labels(self._name).inc()
            self._health.unwell(self._name, str(trouble))

        report(error)
        self._pause()
        await retrying(call, report, lambda: self.is_stopping)
        self._resume()
        self._health.well(self._name)


class Emitter:
    """Publishes events. `cause`, while it is set, is named in a header of what is published.

    An event whose id is in `published` was there before a crash: it is not published again.
    `first_ms` is when the first was published since `has_emitted` was last False.
    """

    def __init__(
        self,
        bus: Bus,
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
        retried: RetryUntilWell,
    ) -> None:
        self.cause: Message | None = None
        self.published: set[UUID] = set()
        self.has_emitted = False
        self.first_ms = 0
        self._bus = bus
        self._metrics = metrics
        self._log = log
        self._retried = retried
        self._partitions: dict[str, int] = {}

    async def emit(self, event: Event) -> None:
        """Publish an event on its topic."""
        if event.event_id in self.published:
            self.published.discard(event.event_id)
            return
        topic = record_topic(event)
        if topic not in self._partitions:
            self._partitions[topic] = await self._bus.partitions(topic)
        record = record_of(event, topic, self._partitions[topic])
        if self.cause is not None:
            record = replace(record, headers=(*record.headers, cause_of(self.cause)))
        await self._retried(lambda: self._bus.publish(record))
        if not self.has_emitted:
            self.has_emitted, self.first_ms = True, monotonic_ms()
        self._metrics.note_published(event.type)
        if event.type not in _QUIET:
            self._log.info(
                "published",
                type=event.type,
                event_id=str(event.event_id),
                correlation_id=str(event.correlation_id),
            )


def record_topic(event: Event) -> str:
    """Return the topic of an event: its own, or that of backfill for historical candles."""
    if isinstance(event, CandleBatch) and event.source == "backfill":
        return "historical_candles"
    return TOPIC_OF[event.type]
