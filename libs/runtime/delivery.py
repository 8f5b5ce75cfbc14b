"""Delivery of messages to their handler, and what happens when one cannot be handled.

- A message that cannot be read, or that its handler refuses (PoisonMessage), becomes a dead letter.
- Any other error is a defect. It may have left state half changed, so it depends on the state:
  - no state: the message becomes a dead letter;
  - state by partition: the same, and the partition goes back to its state before the message;
  - state as a whole: the same, and the service ends. The restart restores its state and tries the
    message once more; a message that fails again is set aside.

Errors of external systems (bus, database, broker) and of settings are not about the message:
retriable ones are retried, the others end the group. In a group that handles money a business
message that is skipped halts new entries, with the reason, until a person resumes trading. So does
a defect in what no message asks for (`unasked`): the service ends, and begins with the halt.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from libs.broker.errors import BrokerError
from libs.events.bus import Bus, Message
from libs.events.codec import Decoder
from libs.events.control import TradingHalted
from libs.events.errors import EventError, PoisonMessage, RecordTooLarge
from libs.events.event import Event
from libs.events.ticks import TickBatch
from libs.events.topics import is_business
from libs.runtime.clock import Clock
from libs.runtime.dead_letters import DeadLetters, FailedBefore, Verdict, origin_of, shortened
from libs.runtime.emitter import Emitter
from libs.runtime.halts import halt, halt_after, tell
from libs.runtime.metrics import Metrics
from libs.runtime.past import past_messages
from libs.runtime.put_off import Read
from libs.runtime.restored_partitions import RestoredPartitions
from libs.runtime.retry import Call, RetryUntilWell
from libs.runtime.settings import SettingsError
from libs.runtime.stamping import CurrentStamps, stamps_of
from libs.runtime.subscription import Runs, Subscription
from libs.store.errors import StoreError

EXTERNAL_ERRORS = (EventError, StoreError, BrokerError, SettingsError)
"""Errors of the bus, the database, the broker and the settings: the message did not cause them."""
TOPICS_OF_THE_DAY = frozenset({"instruments", "historical_candles", "control"})
"""Their events bear the time of the day's open, before the feed has begun, or that of a clock."""


def is_defect(error: Exception) -> bool:
    """Return whether the code, or an event that it cannot cope with, caused the error."""
    return isinstance(error, RecordTooLarge) or not isinstance(error, EXTERNAL_ERRORS)


@dataclass(slots=True)
class Delivery:
    """Delivers the messages of one group to its handler."""

    subscription: Subscription
    bus: Bus
    clock: Clock
    metrics: Metrics
    log: structlog.typing.FilteringBoundLogger
    decoder: Decoder
    emitter: Emitter
    retried: RetryUntilWell
    dead_letters: DeadLetters
    partitions: RestoredPartitions | None = None
    stamps: CurrentStamps = field(default_factory=CurrentStamps)
    failed_before: FailedBefore = field(init=False)

    def __post_init__(self) -> None:
        self.failed_before = FailedBefore(self.subscription.group)

    async def restore(self) -> None:
        """Restore the state of a handler whose state is one, from the topics that it names.

        A message that the restoring fails on is treated like one that the handling fails on.
        """
        topics, past = self.subscription.topics, self.subscription.restore_topics
        if self.subscription.has_state:
            await self.failed_before.load(self.bus, tuple(dict.fromkeys((*topics, *past))))
        async for message, event in past_messages(self.bus, past, self.log):
            if not self._is_set_aside(message):
                self.clock.remember(event.occurred_ms)
                await self._restore_one(message, event)

    async def _restore_one(self, message: Message, event: Event) -> None:
        try:
            self.subscription.handler.restore(event)
        except Exception as error:
            if not is_defect(error):
                raise
            await self._note_defect(message, error)

    def _is_set_aside(self, message: Message) -> bool:
        is_set_aside = self.failed_before.is_set_aside(message)
        if is_set_aside:
            self.log.warning("skipped: it was set aside before", origin=origin_of(message))
        return is_set_aside

    def read(self, message: Message) -> Read:
        """Return the event of a message, or why it cannot be read."""
        try:
            return self.decoder.event_of(message)
        except PoisonMessage as poison:
            return poison

    async def deliver(self, messages: Sequence[Message], read: Sequence[Read]) -> int:
        """Handle the first message, or the first run; return the number of messages handled."""
        first, event = messages[0], read[0]
        if isinstance(event, PoisonMessage):
            await self._to_dead_letters(first, str(event), "poison")
            return 1
        if self._is_set_aside(first):
            return 1
        if self.subscription.runs is not None:
            return await self._deliver_run(self.subscription.runs, messages, read)
        await self._deliver_one(first, event)
        return 1

    async def _deliver_run(
        self, runs: Runs, messages: Sequence[Message], read: Sequence[Read]
    ) -> int:
        events = _up_to_poison(read)
        length = max(1, runs.run_length(events))
        if length == 1:
            await self._deliver_one(messages[0], events[0])
        else:
            await self._try_run(runs, events[:length], messages[:length])
        return length

    async def _try_run(
        self, runs: Runs, events: Sequence[Event], messages: Sequence[Message]
    ) -> None:
        """Handle a run; if it fails, message by message, so that only the culprit is set aside."""
        try:
            with self._caused_by(messages[-1], events[-1], len(events)):
                await self.retried(lambda: runs.handle_run(events, self.emitter.emit))
        except Exception as error:
            if not (is_defect(error) or isinstance(error, PoisonMessage)):
                raise
            self.log.error("run failed", topic=messages[0].topic, exc_info=error)
            await self._restore_before(messages[0])
            for message, event in zip(messages, events, strict=True):
                await self._deliver_one(message, event)

    async def _deliver_one(self, message: Message, event: Event) -> None:
        handler = self.subscription.handler
        try:
            with self._caused_by(message, event, 1):
                await self.retried(lambda: handler.handle(event, self.emitter.emit))
        except PoisonMessage as refused:
            await self._to_dead_letters(message, str(refused), "poison")
        except Exception as error:
            if not is_defect(error):
                raise
            await self._note_defect(message, error)

    async def _note_defect(self, message: Message, error: Exception) -> None:
        """Set a message aside after a defect; raise the error where state may be half changed."""
        self.log.error("handler failed", topic=message.topic, exc_info=error)
        reason = f"{type(error).__name__}: {error}"
        if not self.subscription.has_state:
            await self._to_dead_letters(message, reason, "set aside")
        elif self.partitions is not None:
            await self._to_dead_letters(message, reason, "set aside")
            await self._restore_before(message)
        else:
            has_failed = self.failed_before.has_failed(message)
            verdict: Verdict = "set aside" if has_failed else "failed"
            await self._to_dead_letters(message, reason, verdict)
            raise error

    async def _restore_before(self, first: Message) -> None:
        """Restore a partition's state as it was before a message."""
        if self.partitions is None:
            raise RuntimeError(
                f"group {self.subscription.group} handles runs, so its subscription needs a state"
            )
        await self.retried(self.bus.flush)
        await self.partitions.restore_before(first)

    async def _to_dead_letters(self, message: Message, reason: str, verdict: Verdict) -> None:
        self.metrics.dead_letters.labels(message.topic).inc()
        reason = shortened(reason)
        self.log.error("dead letter", origin=origin_of(message), reason=reason, verdict=verdict)
        is_money = self.subscription.handles_money and is_business(message.topic)
        if is_money and verdict != "failed":
            await self.emitter.emit(self._halt_for(message, reason))
            await self.retried(self.bus.flush)  # no dead letter without its halt
        await self.retried(lambda: self.dead_letters.write(message, reason, verdict))

    def _halt_for(self, message: Message, reason: str) -> TradingHalted:
        group, origin = self.subscription.group, origin_of(message)
        why = f"{group} skipped {origin}: {reason}"
        return halt(self.clock, why, group, origin, message.value.hex())

    async def unasked(self, call: Call, moment: str) -> None:
        """Do what no message asks for; after a defect in it, money opens nothing new."""
        try:
            await self.retried(call)
        except Exception as error:
            if self.subscription.handles_money and is_defect(error):
                await self._halt_after(error, moment)
            raise

    async def _halt_after(self, error: Exception, moment: str) -> None:
        async def telling() -> None:
            await self.emitter.emit(halted)
            await self.retried(self.bus.flush)

        self.log.error("failed outside of a message", exc_info=error)
        halted = halt_after(self.clock, f"{self.subscription.group} {moment}", error)
        await tell(telling, self.log)

    def _caused_by(self, message: Message, event: Event, count: int) -> "_Handling":
        self._observe(message, event)
        return _Handling(self, message, event, count)

    def _observe(self, message: Message, event: Event) -> None:
        at_ms = event.clock_ms if isinstance(event, TickBatch) else event.occurred_ms
        if isinstance(event, TickBatch) and self.subscription.is_required:
            self.clock.correct(event.offset_ms, event.received_ms + event.offset_ms)
        if message.topic in TOPICS_OF_THE_DAY:
            self.clock.remember(at_ms)
        else:
            self.clock.observe(at_ms)
        if self.subscription.is_required:  # a writer's backlog does not make the service stale
            now_ms = self.clock.now_ms()
            self.metrics.note_age(event.type, (now_ms - at_ms) / 1000)
            for hop, age_ms in stamps_of(message, event).ages(now_ms).items():
                self.metrics.note_hop_age(event.type, hop, age_ms / 1000)


@dataclass(slots=True)
class _Handling:
    """Around one call of a handler: sets the cause of what it publishes, measures its time."""

    delivery: Delivery
    message: Message
    event: Event
    count: int
    _started: float = 0.0

    def __enter__(self) -> None:
        delivery = self.delivery
        delivery.emitter.cause = None if delivery.partitions is None else self.message
        delivery.stamps.begin(self.message, self.event)
        self._started = time.perf_counter()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.delivery.emitter.cause = None
        self.delivery.stamps.end()
        if error is None:
            seconds = time.perf_counter() - self._started
            self.delivery.metrics.note_handled(self.event.type, seconds, self.count)


def _up_to_poison(read: Sequence[Read]) -> list[Event]:
    events: list[Event] = []
    for one in read:
        if isinstance(one, PoisonMessage):
            break
        events.append(one)
    return events
