"""The loop that every service and every table writer runs.

For each message: decode → handle → publish what came out. Per checkpoint, in this order:
flush the handler's sinks, flush the producer, commit offset + 1. What can never be handled goes
to dead letters; what may succeed later is tried again while the input is paused.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from libs.events.bus import Bus, Consumer, Message, TopicPartition
from libs.events.candles import CandleBatch
from libs.events.codec import Decoder, event_of, record_of
from libs.events.errors import PoisonMessage
from libs.events.event import Event
from libs.events.ticks import TickBatch
from libs.events.topics import TOPIC_OF
from libs.runtime.checkpoint import Checkpoint
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.dead_letters import DeadLetters
from libs.runtime.health import Health
from libs.runtime.metrics import Metrics
from libs.runtime.retry import is_retriable, retrying

Emit = Callable[[Event], Awaitable[None]]
FETCH_SECONDS = 0.1
_QUIET = frozenset({"TickBatch", "CandleBatch", "InstrumentListed", "ChainSnapshot"})


class Handler(Protocol):
    """What a service does with events."""

    async def handle(self, event: Event, emit: Emit) -> None:
        """React to one event; raise PoisonMessage for one that can never be handled."""

    async def flush(self) -> None:
        """Write out what is buffered, before offsets are committed."""

    def restore(self, event: Event) -> None:
        """Rebuild state from an event of the past, with no output."""

    async def begin(self, emit: Emit) -> None:
        """Act on the restored state, before the first message is delivered."""


class Reaction:
    """A handler made of pure functions: event in, events out."""

    def __init__(
        self,
        react: Callable[[Event], Iterable[Event]],
        restore: Callable[[Event], None] | None = None,
        begin: Callable[[], Iterable[Event]] | None = None,
    ) -> None:
        self._react = react
        self._restore = restore
        self._begin = begin

    async def handle(self, event: Event, emit: Emit) -> None:
        """Publish each event that the function returns, in order."""
        for reaction in self._react(event):
            await emit(reaction)

    async def flush(self) -> None:
        """Do nothing: pure functions buffer nothing."""

    def restore(self, event: Event) -> None:
        """Hand a past event to the restoring function, if there is one."""
        if self._restore is not None:
            self._restore(event)

    async def begin(self, emit: Emit) -> None:
        """Publish what the beginning function returns, if there is one."""
        for event in self._begin() if self._begin is not None else ():
            await emit(event)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A consumer group of a service: which topics, and who handles them.

    `restore_topics` are read one after the other, each from its beginning as far as it reaches,
    before the first message is delivered: no bus keeps an order between topics.
    `restores_handled_only` leaves out what the group has not committed, for state that is made
    of the group's own input: that input is delivered again, and must find the state that it
    found before. `is_required` False keeps the service ready without this group.
    """

    group: str
    topics: tuple[str, ...]
    handler: Handler
    restore_topics: tuple[str, ...] = ()
    restores_handled_only: bool = False
    is_required: bool = True
    max_records: int = 500


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """How often a group commits, and how many dead letters it may write."""

    records: int = 2000
    milliseconds: int = 1000
    dead_letter_limit: int = 100


class ConsumerLoop:
    """One subscription at work."""

    def __init__(
        self,
        subscription: Subscription,
        bus: Bus,
        clock: Clock,
        metrics: Metrics,
        health: Health,
        log: structlog.typing.FilteringBoundLogger,
        policy: CheckpointPolicy,
        decoder: Decoder,
    ) -> None:
        self._subscription = subscription
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._health = health
        self._log = log.bind(group=subscription.group)
        self._policy = policy
        self._checkpoint = Checkpoint(policy.records, policy.milliseconds)
        self._dead_letters = DeadLetters(bus, subscription.group, policy.dead_letter_limit)
        self._handling = asyncio.Lock()
        self._is_stopping = False
        self._consumer: Consumer | None = None
        self._partitions: dict[str, int] = {}
        self._assigned: set[TopicPartition] = set()
        self._decoder = decoder
        health.starting(subscription.group, required=subscription.is_required)

    async def start(self) -> None:
        """Join the group and restore state; nothing is delivered before `run`."""
        subscription = self._subscription
        self._consumer = await self._bus.subscribe(subscription.group, subscription.topics, self)
        for topic in subscription.restore_topics:
            past = [message async for message in self._bus.read([topic])]
            if subscription.restores_handled_only:
                past = _without_last(past, await self._consumer.lag())
            for message in past:
                self._restore(message)
        await subscription.handler.begin(self.emit)
        self._health.well(subscription.group)

    async def run(self) -> None:
        """Handle messages until `stop`; then commit and leave the group.

        Cancelled, or stopped while the outside is in trouble, it leaves without a commit: what
        was handled since the last one is handled again by the next member.
        """
        consumer = self._joined()
        try:
            while not self._is_stopping:
                for message in await consumer.fetch(self._subscription.max_records, FETCH_SECONDS):
                    await self._handle_if_mine(message)
                if self._checkpoint.is_due(monotonic_ms()):
                    await self.commit()
            await self.commit()
        except (Exception, asyncio.CancelledError) as error:
            is_given_up = self._is_stopping and is_retriable(error)
            if is_given_up or isinstance(error, asyncio.CancelledError):
                self._checkpoint.forget(self._assigned)
            if not is_given_up:
                raise
            self._log.warning("stopped in trouble, uncommitted", reason=str(error))
        finally:
            await consumer.close()

    async def lag(self) -> int:
        """Return how many messages are not committed yet."""
        return sum((await self._joined().lag()).values())

    def stop(self) -> None:
        """End `run` after the message that is being handled."""
        self._is_stopping = True

    async def commit(self) -> None:
        """Flush sinks, flush the producer, commit: the order that loses nothing."""
        async with self._handling:
            await self._commit()

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish the message under way and commit before partitions go to another member."""
        async with self._handling:
            await self._commit()
            self._assigned -= set(partitions)

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Take note of the partitions that arrived."""
        self._assigned |= set(partitions)
        self._log.debug("partitions assigned", partitions=len(partitions))

    async def emit(self, event: Event) -> None:
        """Publish an event on its topic."""
        topic = record_topic(event)
        if topic not in self._partitions:
            self._partitions[topic] = await self._bus.partitions(topic)
        record = record_of(event, topic, self._partitions[topic])
        await self._persistently(lambda: self._bus.publish(record))
        self._metrics.note_published(event.type)
        if event.type not in _QUIET:
            self._log.info(
                "published",
                type=event.type,
                event_id=str(event.event_id),
                correlation_id=str(event.correlation_id),
            )

    def _restore(self, message: Message) -> None:
        try:
            event = event_of(message)
        except PoisonMessage as poison:
            # Whoever handles it buries it; it must not keep the service from starting.
            self._log.error("not restored", topic=message.topic, reason=str(poison))
            return
        self._clock.observe(event.occurred_ms)
        self._subscription.handler.restore(event)

    async def _commit(self) -> None:
        offsets = self._checkpoint.take()
        if not offsets:
            return
        await self._persistently(self._subscription.handler.flush)
        await self._bus.flush()
        await self._joined().commit(offsets)

    async def _handle_if_mine(self, message: Message) -> None:
        async with self._handling:
            if self._is_stopping or message.topic_partition not in self._assigned:
                return
            await self._handle(message)
            self._checkpoint.note(message, monotonic_ms())

    async def _handle(self, message: Message) -> None:
        try:
            event = self._decoder.event_of(message)
            self._observe(event)
            started = time.perf_counter()
            await self._persistently(lambda: self._subscription.handler.handle(event, self.emit))
            self._metrics.note_handled(event.type, time.perf_counter() - started)
        except PoisonMessage as poison:
            await self._bury(message, str(poison))
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            self._log.error("handler failed", topic=message.topic, exc_info=error)
            await self._bury(message, f"{type(error).__name__}: {error}")

    def _observe(self, event: Event) -> None:
        at_ms = event.clock_ms if isinstance(event, TickBatch) else event.occurred_ms
        self._clock.observe(at_ms)
        age_ms = self._clock.now_ms() - at_ms
        self._metrics.note_age(event.type, age_ms / 1000)

    async def _bury(self, message: Message, reason: str) -> None:
        self._metrics.dead_letters.labels(message.topic).inc()
        self._log.error(
            "dead letter",
            origin=f"{message.topic}/{message.partition}/{message.offset}",
            reason=reason,
        )
        await self._dead_letters.bury(message, reason)

    async def _persistently(self, call: Callable[[], Awaitable[None]]) -> None:
        """Call, and call again while the outside is in trouble, with the input paused.

        A loop that is to stop does not wait for the outside: it raises what the trouble is.
        """
        try:
            await call()
        except Exception as error:
            if not is_retriable(error):
                raise
            await self._until_well(call, error)

    async def _until_well(self, call: Callable[[], Awaitable[None]], error: Exception) -> None:
        consumer, name = self._consumer, self._subscription.group

        def report(trouble: Exception) -> None:
            self._metrics.retries.labels(name).inc()
            self._health.unwell(name, str(trouble))

        report(error)
        if consumer is not None:
            consumer.pause(consumer.assignment())
        await retrying(call, report, lambda: self._is_stopping)
        if consumer is not None:
            consumer.resume(consumer.assignment())
        self._health.well(name)

    def _joined(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError(f"group {self._subscription.group} has not been started")
        return self._consumer


def _without_last(messages: list[Message], ahead: Mapping[TopicPartition, int]) -> list[Message]:
    """Return messages without the last so many of each partition."""
    ends = {message.topic_partition: message.offset + 1 for message in messages}
    return [
        message
        for message in messages
        if message.offset < ends[message.topic_partition] - ahead.get(message.topic_partition, 0)
    ]


def record_topic(event: Event) -> str:
    """Return the topic of an event: its own, or that of backfill for historical candles."""
    if isinstance(event, CandleBatch) and event.source == "backfill":
        return "historical_candles"
    return TOPIC_OF[event.type]
