"""The consumer loop of every service and table writer.

Each message is decoded and handled, and its output is published (`delivery.py`). A checkpoint
flushes the handler's sinks, flushes the producer, and commits offset + 1, in this order.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

import structlog

from libs.events.bus import Bus, Consumer, Message, TopicPartition
from libs.events.codec import Decoder
from libs.events.event import Event
from libs.runtime.caught_up import CaughtUp
from libs.runtime.checkpoint import Checkpoint
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.dead_letters import DeadLetters
from libs.runtime.delivery import Delivery
from libs.runtime.emitter import Emitter
from libs.runtime.health import Health
from libs.runtime.metrics import Metrics
from libs.runtime.partition_state import StateRestorer
from libs.runtime.put_off import Pair, PutOff
from libs.runtime.restored_partitions import RestoredPartitions
from libs.runtime.retry import Call, RetryUntilWell, is_retriable
from libs.runtime.stamping import CurrentStamps, Stamping, hop_of
from libs.runtime.subscription import CheckpointPolicy, Every, Subscription, Timed

FETCH_SECONDS = 0.1
REVOKE_SECONDS = 10.0
FAST_PACE, FAST_TURN_MS = 10.0, 100
"""From this pace of the market on, turns are so many milliseconds of the machine apart."""
UNCOMMITTED_OUTPUT_MS = 1000
"""How long an atomic group's output may wait for its transaction to end."""


class ConsumerLoop:
    """Runs one subscription."""

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
        stamps: CurrentStamps | None = None,
    ) -> None:
        self.subscription = subscription
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._health = health
        self._log = log.bind(group=subscription.group)
        records = max(policy.records, subscription.checkpoint_records)
        self._checkpoint = Checkpoint(records, policy.milliseconds)
        self._retried = RetryUntilWell(
            subscription.group, metrics, health, self._pause, self._resume
        )
        stamping = Stamping(hop_of(subscription.group), clock, stamps or CurrentStamps())
        self._emitter = Emitter(bus, metrics, self._log, self._retried, stamping)
        self._partitions = self._restored_partitions()
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
            self._partitions,
            stamping.current,
        )
        self._put_off = PutOff(subscription.runs if policy.puts_off else None)
        self._handling = asyncio.Lock()
        self._turned_ms = 0
        self._caught_up = CaughtUp(bus)
        self._is_stopping = False
        self._consumer: Consumer | None = None
        self._assigned: set[TopicPartition] = set()
        health.starting(subscription.group, required=subscription.is_required)

    def _restored_partitions(self) -> RestoredPartitions | None:
        subscription = self.subscription
        if subscription.state is None:
            return None
        topics = subscription.restore_topics
        restorer = StateRestorer(self._bus, self._clock, self._log, subscription.state, topics)
        return RestoredPartitions(
            subscription.group, restorer, self._emitter, self._health, self._log
        )

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
        if self._partitions is not None:
            await self._partitions.restore(self._joined(), self._assigned)
        else:
            await self._delivery.restore()
        begin = self.subscription.handler.begin
        await self._delivery.unasked(lambda: begin(self.emit), "at its start")

    async def run(self) -> None:
        """Handle messages until `stop`, then commit and leave the group.

        When it is cancelled, or stopped during an outage, it leaves without a commit: the next
        member handles the uncommitted messages again.
        """
        consumer = self._joined()
        try:
            while not self._is_stopping:
                await self._step(consumer)
            await self.commit()
        except asyncio.CancelledError:
            self._checkpoint.forget(self._assigned)
            raise
        except Exception as error:
            is_outage = self._is_stopping and is_retriable(error)
            await self._commit_or_forget(is_outage=is_outage)
            if not is_outage:
                raise
            self._log.warning("stopped without a commit", reason=str(error))
        finally:
            await consumer.close()

    async def _commit_or_forget(self, *, is_outage: bool) -> None:
        """Commit what was handled before a failure, if that is possible, so that it can leave."""
        try:
            if not is_outage:
                await self.commit()
        except Exception as error:  # noqa: BLE001  the failure that ended the loop is what counts
            self._log.warning("left uncommitted", reason=str(error))
        self._checkpoint.forget(self._assigned)

    async def lag(self) -> dict[TopicPartition, int]:
        """Return how many messages of each assigned partition are not committed yet."""
        return await self._consumer.lag() if self._consumer is not None else {}

    def stop(self) -> None:
        """End `run` after the message that is being handled."""
        self._is_stopping = self._retried.is_stopping = True

    async def commit(self) -> None:
        """Flush sinks, flush the producer, commit offsets; this order loses no message."""
        async with self._handling:
            await self._commit()

    async def emit(self, *events: Event) -> None:
        """Publish events, each on its topic."""
        await self._emitter.emit(*events)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish the current message and commit, before another member gets the partitions.

        What cannot be committed within REVOKE_SECONDS is handled again by that member.
        """
        try:
            async with asyncio.timeout(REVOKE_SECONDS), self._handling:
                await self._commit()
        except Exception as error:
            if not (isinstance(error, TimeoutError) or is_retriable(error)):
                raise
            self._log.warning("partitions left uncommitted", reason=str(error) or "timeout")
        self._checkpoint.forget(partitions)
        self._put_off.forget(partitions)
        self._assigned -= set(partitions)

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Restore the state of partitions at their committed offsets."""
        self._assigned |= set(partitions)
        if self._consumer is not None and self._partitions is not None:
            await self._partitions.restore(self._consumer, partitions)
        self._log.debug("partitions assigned", partitions=len(partitions))

    async def _step(self, consumer: Consumer) -> None:
        messages = await consumer.fetch(self.subscription.max_records, FETCH_SECONDS)
        for batch in self._batches(messages) if messages else self._put_off.take_all():
            await self._deliver(batch)
        if messages:
            await self._finish()
        else:
            await self._act_when_idle()
        if self._checkpoint.is_due(monotonic_ms()):
            await self.commit()

    def _batches(self, messages: list[Message]) -> Iterator[list[Pair]]:
        """Yield messages to handle together: those of one partition where there are runs."""
        pairs = [(message, self._delivery.read(message)) for message in messages]
        if self.subscription.runs is None:
            yield from ([pair] for pair in pairs)
            return
        for _, batch in groupby(pairs, lambda pair: pair[0].topic_partition):
            if due := self._put_off.due(list(batch)):
                yield due

    async def _deliver(self, pairs: Sequence[Pair]) -> None:
        """Handle messages of one partition, in order."""
        messages, read = [message for message, _ in pairs], [event for _, event in pairs]
        at = 0
        while at < len(messages):
            async with self._handling:
                if not self._is_mine(messages[at]):
                    return
                count = await self._delivery.deliver(messages[at:], read[at:])
                self._note(messages[at : at + count])
                at += count
            if self._drives_time(messages[at - 1]):
                await self._take_turn()
            if self._is_output_overdue():
                await self._finish()

    async def _commit(self) -> None:
        offsets = self._checkpoint.take()
        if not offsets:
            return
        with self._metrics.checkpoint_seconds.labels(self.group).time():
            await self._unasked(self.subscription.handler.flush)
            await self._retried(self._bus.flush)
            await self._retried(lambda: self._joined().commit(offsets))
        self._emitter.has_emitted = False

    def _is_mine(self, message: Message) -> bool:
        return not self._is_stopping and message.topic_partition in self._assigned

    def _note(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._checkpoint.note(message, monotonic_ms())
            if self._partitions is not None:
                self._partitions.note(message)

    def _is_output_overdue(self) -> bool:
        """Return whether an atomic group's output has waited too long for its flush."""
        if not (self.subscription.is_atomic and self._emitter.has_emitted):
            return False
        return monotonic_ms() - self._emitter.first_ms > UNCOMMITTED_OUTPUT_MS

    async def _finish(self) -> None:
        """Call the subscription's `finish`; flush an atomic group's output."""
        async with self._handling:
            finish = self.subscription.finish
            if finish is not None:
                await self._unasked(lambda: finish(self.emit))
            if self.subscription.is_atomic and self._emitter.has_emitted:
                await self._retried(self._bus.flush)
                self._emitter.has_emitted = False

    async def _act_when_idle(self) -> None:
        """Let the subscription do what time asks for, while there is no message."""
        if isinstance(self.subscription.timed, Timed):
            await self._act_caught_up(self.subscription.timed)
        elif self._clock.runs:
            await self._take_turn()

    async def _act_caught_up(self, timed: Timed) -> None:
        """Do what is due, unless messages may be on their way."""
        if timed.is_due() and await self._caught_up.is_sure():
            async with self._handling:
                await self._unasked(lambda: timed.act(self.emit))
                await self._retried(self._bus.flush)

    def _drives_time(self, message: Message) -> bool:
        """Return whether a turn may follow a message.

        Where the stamps alone are the time, a group that reads ticks goes by theirs: an order may
        bear the time of a tick that comes behind it.
        """
        is_tick = message.topic == "ticks" or "ticks" not in self.subscription.topics
        return is_tick or self._clock.runs

    async def _take_turn(self) -> None:
        """Do what is done in each period, if one has begun; its output is acknowledged."""
        every = self.subscription.timed
        if isinstance(every, Every) and not self._is_stopping:
            now_ms = self._clock.now_ms()
            if every.is_due(now_ms) and not self._is_turn_too_soon():
                async with self._handling:
                    await self._act_now(every, now_ms)

    def _is_turn_too_soon(self) -> bool:
        """Return whether a market that is played very fast would take up all of the machine."""
        now_ms = monotonic_ms()
        if self._clock.pace > FAST_PACE and now_ms - self._turned_ms < FAST_TURN_MS:
            return True
        self._turned_ms = now_ms
        return False

    async def _act_now(self, every: Every, now_ms: int) -> None:
        emitter = self._emitter
        has_emitted, emitter.has_emitted = emitter.has_emitted, False
        await self._unasked(lambda: every.act(now_ms, self.emit))
        if emitter.has_emitted:
            await self._retried(self._bus.flush)
        emitter.has_emitted = has_emitted and not emitter.has_emitted

    async def _unasked(self, call: Call) -> None:
        await self._delivery.unasked(call, "between two messages")

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
