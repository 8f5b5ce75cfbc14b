"""The loop that every service and every table writer runs.

For each message: decode → handle → publish what came out (`delivery.py`). Per checkpoint, in this
order: flush the handler's sinks, flush the producer, commit offset + 1.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

import structlog

from libs.events.bus import Bus, Consumer, Message, TopicPartition
from libs.events.codec import Decoder
from libs.events.event import Event
from libs.runtime.checkpoint import Checkpoint
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.dead_letters import DeadLetters
from libs.runtime.delivery import Delivery
from libs.runtime.emitter import Emitter
from libs.runtime.handover import Handover
from libs.runtime.health import Health
from libs.runtime.metrics import Metrics
from libs.runtime.past import past_events
from libs.runtime.retry import RetryUntilWell, is_retriable
from libs.runtime.subscription import CheckpointPolicy, Subscription
from libs.runtime.takeover import Takeover

FETCH_SECONDS = 0.1
REVOKE_SECONDS = 10.0
UNSEEN_MS = 1000
"""How long what an atomic group made may wait for the messages at hand; a broker gives up too."""


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
        letters: DeadLetters | None = None,
    ) -> None:
        self.subscription = subscription
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._health = health
        self._log = log.bind(group=subscription.group)
        self._checkpoint = Checkpoint(policy.records, policy.milliseconds)
        self._retried = RetryUntilWell(
            subscription.group, metrics, health, self._pause, self._resume
        )
        self._emitter = Emitter(bus, metrics, self._log, self._retried)
        self._takeover = self._makes_takeover()
        self._delivery = Delivery(
            subscription,
            bus,
            clock,
            metrics,
            self._log,
            decoder,
            self._emitter,
            self._retried,
            letters or DeadLetters(bus, subscription.group, policy.dead_letter_limit),
            self._takeover,
        )
        self._handling = asyncio.Lock()
        self._is_stopping = False
        self._consumer: Consumer | None = None
        self._assigned: set[TopicPartition] = set()
        health.starting(subscription.group, required=subscription.is_required)

    def _makes_takeover(self) -> Takeover | None:
        subscription = self.subscription
        if subscription.state is None:
            return None
        topics = subscription.restore_topics
        handover = Handover(self._bus, self._clock, self._log, subscription.state, topics)
        return Takeover(subscription.group, handover, self._emitter, self._health, self._log)

    @property
    def group(self) -> str:
        """The name of the consumer group."""
        return self.subscription.group

    @property
    def is_joined(self) -> bool:
        """Whether `start` has joined the group."""
        return self._consumer is not None

    async def start(self) -> None:
        """Join the group and restore state; nothing is delivered before `run`."""
        subscription = self.subscription
        self._consumer = await self._bus.subscribe(subscription.group, subscription.topics, self)
        try:
            await self._restore()
        except BaseException:
            await self._consumer.close()
            raise
        self._health.well(subscription.group)

    async def _restore(self) -> None:
        subscription = self.subscription
        await self._delivery.load_failures()
        if self._takeover is not None:
            await self._takeover.take(self._joined(), self._assigned)
        else:
            async for event in past_events(self._bus, subscription.restore_topics, self._log):
                self._clock.observe(event.occurred_ms)
                subscription.handler.restore(event)
        await self._retried(lambda: subscription.handler.begin(self.emit))

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

    async def lag(self) -> dict[TopicPartition, int]:
        """Return how many messages of each assigned partition are not committed yet."""
        return await self._consumer.lag() if self._consumer is not None else {}

    def stop(self) -> None:
        """End `run` after the message that is being handled."""
        self._is_stopping = self._retried.is_stopping = True

    async def commit(self) -> None:
        """Flush sinks, flush the producer, commit: the order that loses nothing."""
        async with self._handling:
            await self._commit()

    async def emit(self, *events: Event) -> None:
        """Publish events, each on its topic."""
        await self._emitter.emit(*events)

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
        if self._consumer is not None and self._takeover is not None:
            await self._takeover.take(self._consumer, partitions)
        self._log.debug("partitions assigned", partitions=len(partitions))

    async def _step(self, consumer: Consumer) -> None:
        messages = await consumer.fetch(self.subscription.max_records, FETCH_SECONDS)
        for some in self._together(messages):
            await self._deliver(some)
        if messages:
            await self._finish()
        if self._checkpoint.is_due(monotonic_ms()):
            await self.commit()

    def _together(self, messages: list[Message]) -> Iterator[list[Message]]:
        """Yield what may be handled at once: a partition's messages where there are runs."""
        if self.subscription.runs is None:
            yield from ([message] for message in messages)
        else:
            for _, some in groupby(messages, lambda message: message.topic_partition):
                yield list(some)

    async def _deliver(self, messages: Sequence[Message]) -> None:
        """Handle messages of one partition, in order."""
        read = [self._delivery.read(message) for message in messages]
        at = 0
        while at < len(messages):
            async with self._handling:
                if not self._is_mine(messages[at]):
                    return
                count = await self._delivery.deliver(messages[at:], read[at:])
                self._note(messages[at : at + count])
                at += count
            if self._is_long_unseen():
                await self._finish()

    async def _commit(self) -> None:
        offsets = self._checkpoint.take()
        if not offsets:
            return
        with self._metrics.checkpoint_seconds.labels(self.group).time():
            await self._retried(self.subscription.handler.flush)
            await self._retried(self._bus.flush)
            await self._retried(lambda: self._joined().commit(offsets))
        self._emitter.has_emitted = False

    def _is_mine(self, message: Message) -> bool:
        return not self._is_stopping and message.topic_partition in self._assigned

    def _note(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._checkpoint.note(message, monotonic_ms())
            if self._takeover is not None:
                self._takeover.note(message)

    def _is_long_unseen(self) -> bool:
        """Return whether something waits to appear for so long that the rest has to wait."""
        if not (self.subscription.is_atomic and self._emitter.has_emitted):
            return False
        return monotonic_ms() - self._emitter.first_ms > UNSEEN_MS

    async def _finish(self) -> None:
        """Carry out what was put off while messages were at hand, and let it all appear."""
        async with self._handling:
            finish = self.subscription.finish
            if finish is not None:
                await self._retried(lambda: finish(self.emit))
            if self.subscription.is_atomic and self._emitter.has_emitted:
                await self._retried(self._bus.flush)
                self._emitter.has_emitted = False

    def _pause(self) -> None:
        if self._consumer is not None:
            self._consumer.pause(self._consumer.assignment())

    def _resume(self) -> None:
        if self._consumer is not None:
            self._consumer.resume(self._consumer.assignment())

    def _joined(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError(f"group {self.subscription.group} has not been started")
        return self._consumer
