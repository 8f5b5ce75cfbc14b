"""How a message reaches its handler, and what becomes of one that cannot be handled.

- A message that cannot be read, or that its handler refuses (PoisonMessage), becomes a dead letter.
- Any other error is a defect. It may have left state half changed, so it depends on the state:
  - no state: the message becomes a dead letter;
  - state by partition: the same, and the partition's state is rebuilt as it was before the message;
  - state as a whole: the same, and the service ends. The restart restores its state and tries the
    message once more; a message that fails again is set aside for good.

Errors of the outside (bus, database, broker, settings) are not about the message: retriable ones
are waited for, the others end the group. In a group that handles money a business message that is
passed over halts new entries, with the reason, until a person resumes trading.
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
from libs.events.event import Event, utc_from_ms
from libs.events.ticks import TickBatch
from libs.events.topics import is_business
from libs.market.calendar import IST
from libs.runtime.clock import Clock
from libs.runtime.dead_letters import DeadLetters, FailedBefore, Verdict, origin_of
from libs.runtime.emitter import Emitter
from libs.runtime.metrics import Metrics
from libs.runtime.retry import RetryUntilWell
from libs.runtime.settings import SettingsError
from libs.runtime.subscription import Runs, Subscription
from libs.runtime.takeover import Takeover
from libs.store.errors import StoreError

OF_THE_OUTSIDE = (EventError, StoreError, BrokerError, SettingsError)
"""Errors of the bus, the database, the broker and the settings: no message is to blame."""
Read = Event | PoisonMessage
"""A message as it was read: its event, or why it cannot be read."""


def is_defect(error: Exception) -> bool:
    """Return whether an error tells of a mistake in the code or of an event that defeats it."""
    return isinstance(error, RecordTooLarge) or not isinstance(error, OF_THE_OUTSIDE)


@dataclass(slots=True)
class Delivery:
    """Hands the messages of one group to its handler."""

    subscription: Subscription
    bus: Bus
    clock: Clock
    metrics: Metrics
    log: structlog.typing.FilteringBoundLogger
    decoder: Decoder
    emitter: Emitter
    retried: RetryUntilWell
    letters: DeadLetters
    takeover: Takeover | None = None
    failed_before: FailedBefore = field(init=False)

    def __post_init__(self) -> None:
        self.failed_before = FailedBefore(self.subscription.group)

    async def load_failures(self) -> None:
        """Learn which messages this group failed on before a restart."""
        if self.subscription.has_state and self.takeover is None:
            await self.failed_before.load(self.bus, self.subscription.topics)

    def read(self, message: Message) -> Read:
        """Return the event of a message, or why it cannot be read."""
        try:
            return self.decoder.event_of(message)
        except PoisonMessage as poison:
            return poison

    async def deliver(self, messages: Sequence[Message], read: Sequence[Read]) -> int:
        """Handle the first message of a partition, or the first run; return how many it was."""
        first, event = messages[0], read[0]
        if isinstance(event, PoisonMessage):
            await self._bury(first, str(event), "poison")
            return 1
        if self.failed_before.is_set_aside(first):
            self.log.warning("passed over: it was set aside before", origin=origin_of(first))
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
        """Handle a run; if it fails, message by message, so that the culprit alone is buried."""
        try:
            with self._caused_by(messages[-1], events[-1], len(events)):
                await self.retried(lambda: runs.handle_run(events, self.emitter.emit))
        except Exception as error:
            if not (is_defect(error) or isinstance(error, PoisonMessage)):
                raise
            self.log.error("run failed", topic=messages[0].topic, exc_info=error)
            await self._rebuild(messages[0])
            for message, event in zip(messages, events, strict=True):
                await self._deliver_one(message, event)

    async def _deliver_one(self, message: Message, event: Event) -> None:
        handler = self.subscription.handler
        try:
            with self._caused_by(message, event, 1):
                await self.retried(lambda: handler.handle(event, self.emitter.emit))
        except PoisonMessage as refused:
            await self._bury(message, str(refused), "poison")
        except Exception as error:
            if not is_defect(error):
                raise
            await self._note_defect(message, error)

    async def _note_defect(self, message: Message, error: Exception) -> None:
        """Bury a message that a defect met; raise the error where state may be half changed."""
        self.log.error("handler failed", topic=message.topic, exc_info=error)
        reason = f"{type(error).__name__}: {error}"
        if not self.subscription.has_state:
            await self._bury(message, reason, "set aside")
        elif self.takeover is not None:
            await self._bury(message, reason, "set aside")
            await self._rebuild(message)
        else:
            has_failed = self.failed_before.has_failed(message)
            await self._bury(message, reason, "set aside" if has_failed else "failed")
            raise error

    async def _rebuild(self, first: Message) -> None:
        """Take a partition's state back to where it was before a message."""
        if self.takeover is None:
            raise RuntimeError(
                f"group {self.subscription.group} takes runs, but has no state to go back to"
            )
        await self.retried(self.bus.flush)
        await self.takeover.take_back(first)

    async def _bury(self, message: Message, reason: str, verdict: Verdict) -> None:
        self.metrics.dead_letters.labels(message.topic).inc()
        self.log.error("dead letter", origin=origin_of(message), reason=reason, verdict=verdict)
        is_money = self.subscription.handles_money and is_business(message.topic)
        if is_money and verdict != "failed":
            await self.emitter.emit(self._halt(message, reason))
        await self.retried(lambda: self.letters.bury(message, reason, verdict))

    def _halt(self, message: Message, reason: str) -> TradingHalted:
        at, group, origin = (
            utc_from_ms(self.clock.now_ms()),
            self.subscription.group,
            origin_of(message),
        )
        parts = (group, origin, message.value.hex())
        envelope = TradingHalted.without_cause(
            *parts, occurred_at=at, trading_day=at.astimezone(IST).date()
        )
        return TradingHalted(**envelope, reason=f"{group} passed over {origin}: {reason}")

    def _caused_by(self, message: Message, event: Event, count: int) -> "_Handling":
        self._observe(event)
        return _Handling(self, message, event.type, count)

    def _observe(self, event: Event) -> None:
        at_ms = event.clock_ms if isinstance(event, TickBatch) else event.occurred_ms
        self.clock.observe(at_ms)
        if self.subscription.is_required:  # a writer's backlog says nothing of the service's age
            self.metrics.note_age(event.type, (self.clock.now_ms() - at_ms) / 1000)


@dataclass(slots=True)
class _Handling:
    """What is around the work of a handler: the cause of what it publishes, and its time."""

    delivery: Delivery
    message: Message
    kind: str
    count: int
    _started: float = 0.0

    def __enter__(self) -> None:
        delivery = self.delivery
        delivery.emitter.cause = None if delivery.takeover is None else self.message
        self._started = time.perf_counter()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.delivery.emitter.cause = None
        if error is None:
            seconds = time.perf_counter() - self._started
            self.delivery.metrics.note_handled(self.kind, seconds, self.count)


def _up_to_poison(read: Sequence[Read]) -> list[Event]:
    events: list[Event] = []
    for one in read:
        if isinstance(one, PoisonMessage):
            break
        events.append(one)
    return events
