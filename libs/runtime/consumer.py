"""The loop that every service and every table writer runs.

For each message: decode → handle → publish what came out. Per checkpoint, in this order:
flush the handler's sinks, flush the producer, commit offset + 1. What can never be handled goes
to dead letters; what may succeed later is tried again while the input is paused.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import structlog

from libs.events.bus import Bus, Consumer, Message, TopicPartition
from libs.events.codec import Decoder
from libs.events.errors import PoisonMessage
from libs.events.event import Event
from libs.events.ticks import TickBatch
from libs.runtime.checkpoint import Checkpoint
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.dead_letters import DeadLetters
from libs.runtime.emitter import Emitter, RetryUntilWell
from libs.runtime.handover import Handover, PartitionState
from libs.runtime.health import Health
from libs.runtime.metrics import Metrics
from libs.runtime.past import past_events
from libs.runtime.retry import is_retriable

Emit = Callable[[Event], Awaitable[None]]
FETCH_SECONDS = 0.1
REVOKE_SECONDS = 10.0
UNSEEN_MS = 1000
"""How long what an atomic group made may wait for the messages at hand; a broker gives up too."""
DEFECTS = (PoisonMessage, ValueError, TypeError, LookupError, ArithmeticError)
"""What a handler raises for a message that it can never handle: it goes to dead letters."""


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


Finish = Callable[[Emit], Awaitable[None]]


class Runs(Protocol):
    """A handler that takes several events of a partition at once, with the same outcome.

    Its subscription has `state`: a run that fails is taken back, and handled event by event.
    """

    def run_length(self, events: Sequence[Event]) -> int:
        """Return how many of the events, from the first on, may be taken at once."""

    async def handle_run(self, events: Sequence[Event], emit: Emit) -> None:
        """React to a run; what comes out is caused by its last event."""


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
    before the first message is delivered: no bus keeps an order between topics. A service whose
    state belongs to partitions names it as `state`: it is then rebuilt for exactly the partitions
    that the member gets, whenever it gets them. `finish` is called when the messages at hand are
    handled; with `is_atomic` what they made is then acknowledged, so that it appears together.
    `runs` takes several events of a partition at once. `is_required` False keeps the service
    ready without this group.
    """

    group: str
    topics: tuple[str, ...]
    handler: Handler
    restore_topics: tuple[str, ...] = ()
    state: PartitionState | None = None
    finish: Finish | None = None
    runs: "Runs | None" = None
    is_atomic: bool = False
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
        self._checkpoint = Checkpoint(policy.records, policy.milliseconds)
        self._dead_letters = DeadLetters(bus, subscription.group, policy.dead_letter_limit)
        self._retried = RetryUntilWell(
            subscription.group, metrics, health, self._pause, self._resume
        )
        self._emitter = Emitter(bus, metrics, self._log, self._retried)
        self._handling = asyncio.Lock()
        self._is_stopping = False
        self._consumer: Consumer | None = None
        self._assigned: set[TopicPartition] = set()
        self._stands_at: dict[TopicPartition, int] = {}
        self._decoder = decoder
        self._handover: Handover | None = None
        if subscription.state is not None:
            topics = subscription.restore_topics
            self._handover = Handover(bus, clock, self._log, subscription.state, topics)
        health.starting(subscription.group, required=subscription.is_required)

    async def start(self) -> None:
        """Join the group and restore state; nothing is delivered before `run`."""
        subscription = self._subscription
        self._consumer = await self._bus.subscribe(subscription.group, subscription.topics, self)
        if self._handover is not None:
            await self._take_over(self._handover, self._assigned)
        else:
            async for event in past_events(self._bus, subscription.restore_topics, self._log):
                self._clock.observe(event.occurred_ms)
                subscription.handler.restore(event)
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
                await self._step(consumer)
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

    @property
    def group(self) -> str:
        """The name of the consumer group."""
        return self._subscription.group

    async def lag(self) -> dict[TopicPartition, int]:
        """Return how many messages of each partition are not committed yet."""
        return await self._joined().lag()

    def stop(self) -> None:
        """End `run` after the message that is being handled."""
        self._is_stopping = self._retried.is_stopping = True

    async def commit(self) -> None:
        """Flush sinks, flush the producer, commit: the order that loses nothing."""
        async with self._handling:
            await self._commit()

    async def emit(self, event: Event) -> None:
        """Publish an event on its topic."""
        await self._emitter.emit(event)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish the message under way and commit before partitions go to another member.

        What cannot be committed in time is left to that member, which handles it again.
        """
        try:
            async with asyncio.timeout(REVOKE_SECONDS), self._handling:
                await self._commit()
        except Exception as error:
            if not (isinstance(error, TimeoutError) or is_retriable(error)):
                raise
            self._log.warning("partitions left uncommitted", reason=str(error) or "out of time")
        self._checkpoint.forget(partitions)
        self._assigned -= set(partitions)

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Take partitions over, with the state that they had at their committed offsets."""
        self._assigned |= set(partitions)
        if self._consumer is not None and self._handover is not None:
            await self._take_over(self._handover, partitions)
        self._log.debug("partitions assigned", partitions=len(partitions))

    async def _step(self, consumer: Consumer) -> None:
        messages = await consumer.fetch(self._subscription.max_records, FETCH_SECONDS)
        if self._subscription.runs is None:
            for message in messages:
                await self._handle_if_mine(message)
                if self._is_long_unseen():
                    await self._finish()
        else:
            for _, some in groupby(messages, lambda message: message.topic_partition):
                await self._handle_runs(self._subscription.runs, list(some))
        if messages:
            await self._finish()
        if self._checkpoint.is_due(monotonic_ms()):
            await self.commit()

    async def _take_over(self, handover: Handover, partitions: Collection[TopicPartition]) -> None:
        """Rebuild state where it is not what stood at the committed offset when we had it last."""
        committed = await self._joined().committed(partitions)
        gained = {p: at for p, at in committed.items() if self._stands_at.get(p) != at}
        if not gained:
            return
        started = time.perf_counter()
        self._health.unwell(self.group, f"taking {len(gained)} partitions over")
        published = await asyncio.gather(*(handover.take_over(p, at) for p, at in gained.items()))
        self._emitter.published.update(*published)
        self._stands_at |= gained
        self._health.well(self.group)
        seconds = round(time.perf_counter() - started, 3)
        self._log.info("partitions taken over", partitions=len(gained), seconds=seconds)

    async def _commit(self) -> None:
        offsets = self._checkpoint.take()
        if not offsets:
            return
        with self._metrics.checkpoint_seconds.labels(self.group).time():
            await self._retried(self._subscription.handler.flush)
            await self._retried(self._bus.flush)
            await self._retried(lambda: self._joined().commit(offsets))
        self._emitter.has_emitted = False

    async def _handle_if_mine(self, message: Message) -> None:
        async with self._handling:
            if self._is_mine(message):
                await self._handle(message)
                self._note(message)

    async def _handle_runs(self, runs: Runs, messages: Sequence[Message]) -> None:
        """Handle messages of one partition, as many at once as go together."""
        read = [self._read(message) for message in messages]
        at = 0
        while at < len(messages):
            async with self._handling:
                if not self._is_mine(messages[at]):
                    return
                events = list(_up_to_poison(read[at:]))
                length = max(1, runs.run_length(events)) if events else 1
                some = messages[at : at + length]
                if length == 1:
                    await self._handle(some[0])
                else:
                    await self._handle_run(runs, events[:length], some)
                for message in some:
                    self._note(message)
                at += length

    async def _handle_run(
        self, runs: Runs, events: Sequence[Event], messages: Sequence[Message]
    ) -> None:
        """Handle a run; if it fails, as single messages, so that the culprit alone is buried."""
        try:
            await self._try_run(runs, events, messages[-1])
        except DEFECTS as error:
            self._log.error("run failed", topic=messages[0].topic, exc_info=error)
            await self._rebuild(messages[0])
            for message in messages:
                await self._handle(message)

    async def _try_run(self, runs: Runs, events: Sequence[Event], last: Message) -> None:
        self._emitter.cause = last
        self._observe(events[-1])
        started = time.perf_counter()
        await self._retried(lambda: runs.handle_run(events, self.emit))
        self._metrics.note_handled(events[-1].type, time.perf_counter() - started, len(events))
        self._emitter.cause = None

    async def _rebuild(self, first: Message) -> None:
        """Take a partition's state back to where it was before a message."""
        if self._handover is None:
            raise RuntimeError(f"group {self.group} takes runs, but has no state to go back to")
        await self._retried(self._bus.flush)
        place = first.topic_partition
        self._emitter.published |= await self._handover.take_over(place, first.offset)

    def _is_mine(self, message: Message) -> bool:
        return not self._is_stopping and message.topic_partition in self._assigned

    def _note(self, message: Message) -> None:
        self._stands_at[message.topic_partition] = message.offset + 1
        self._checkpoint.note(message, monotonic_ms())

    async def _handle(self, message: Message) -> None:
        self._emitter.cause = message if self._handover is not None else None
        try:
            event = self._decoder.event_of(message)
            self._observe(event)
            started = time.perf_counter()
            await self._retried(lambda: self._subscription.handler.handle(event, self.emit))
            self._metrics.note_handled(event.type, time.perf_counter() - started)
        except PoisonMessage as poison:
            await self._bury(message, str(poison))
        except DEFECTS as error:
            self._log.error("handler failed", topic=message.topic, exc_info=error)
            await self._bury(message, f"{type(error).__name__}: {error}")
        finally:
            self._emitter.cause = None

    def _is_long_unseen(self) -> bool:
        """Return whether something waits to appear for so long that the rest has to wait."""
        if not (self._subscription.is_atomic and self._emitter.has_emitted):
            return False
        return monotonic_ms() - self._emitter.first_ms > UNSEEN_MS

    async def _finish(self) -> None:
        """Carry out what was put off while messages were at hand, and let it all appear."""
        async with self._handling:
            if self._subscription.finish is not None:
                await self._subscription.finish(self.emit)
            if self._subscription.is_atomic and self._emitter.has_emitted:
                await self._retried(self._bus.flush)
                self._emitter.has_emitted = False

    def _read(self, message: Message) -> Event | None:
        try:
            return self._decoder.event_of(message)
        except PoisonMessage:
            return None  # read again, and buried, when its turn comes

    def _observe(self, event: Event) -> None:
        at_ms = event.clock_ms if isinstance(event, TickBatch) else event.occurred_ms
        self._clock.observe(at_ms)
        if self._subscription.is_required:  # a writer that catches up says nothing of the service
            self._metrics.note_age(event.type, (self._clock.now_ms() - at_ms) / 1000)

    async def _bury(self, message: Message, reason: str) -> None:
        self._metrics.dead_letters.labels(message.topic).inc()
        self._log.error(
            "dead letter",
            origin=f"{message.topic}/{message.partition}/{message.offset}",
            reason=reason,
        )
        await self._retried(lambda: self._dead_letters.bury(message, reason))

    def _pause(self) -> None:
        if self._consumer is not None:
            self._consumer.pause(self._consumer.assignment())

    def _resume(self) -> None:
        if self._consumer is not None:
            self._consumer.resume(self._consumer.assignment())

    def _joined(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError(f"group {self._subscription.group} has not been started")
        return self._consumer


def _up_to_poison(read: Iterable[Event | None]) -> Iterator[Event]:
    for event in read:
        if event is None:
            return
        yield event
