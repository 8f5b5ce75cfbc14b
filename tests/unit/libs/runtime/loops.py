"""Loops on a local bus for the tests of the shell: events, a bus that notes, handlers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import date

import structlog

from libs.events.bus import Bus, Consumer, Message, RebalanceListener, Record, TopicPartition
from libs.events.codec import Decoder, event_of, record_of
from libs.events.control import TradingHalted
from libs.events.embedded.bus import LocalBus
from libs.events.event import Event, identity, utc_from_ms
from libs.events.positions import ExitRequested
from libs.runtime.clock import Clock, FeedClock
from libs.runtime.consumer import ConsumerLoop
from libs.runtime.health import Health
from libs.runtime.metrics import Metrics
from libs.runtime.subscription import CheckpointPolicy, Emit, Handler, Subscription

DAY = date(2026, 6, 10)
NOW = 1_781_067_600_000
TIMEOUT_SECONDS = 20.0
PLACE = TopicPartition("control", 0)


def halted(number: int) -> TradingHalted:
    """The input of the loops, on `control`, which has one partition."""
    event_id = identity("test halt", number)
    return TradingHalted(
        event_id=event_id,
        occurred_at=utc_from_ms(NOW + number),
        trading_day=DAY,
        correlation_id=event_id,
        reason=str(number),
    )


def asked(number: int) -> ExitRequested:
    """The output of the loops, on `exit_requests`."""
    return ExitRequested(
        event_id=identity("test exit", number),
        occurred_at=utc_from_ms(NOW + number),
        trading_day=DAY,
        correlation_id=identity("test halt", number),
        position_id=identity("test position"),
        signal_id=identity("test signal"),
        reason="manual",
    )


class Echo:
    """Answers `halted(n)` with `asked(n)`, and notes what it was given."""

    def __init__(self, log: list[str] | None = None) -> None:
        self.log: list[str] = [] if log is None else log
        self.handled: list[int] = []
        self.restored: list[int] = []

    async def handle(self, event: Event, emit: Emit) -> None:
        assert isinstance(event, TradingHalted)
        self.handled.append(int(event.reason))
        await emit(asked(int(event.reason)))

    async def flush(self) -> None:
        self.log.append("flush sink")

    def restore(self, event: Event) -> None:
        assert isinstance(event, TradingHalted)
        self.restored.append(int(event.reason))

    async def begin(self, emit: Emit) -> None:
        self.log.append("begin")


class WatchedBus:
    """A bus that notes flushes and commits, and can refuse to publish."""

    def __init__(self, bus: Bus, log: list[str]) -> None:
        self._bus = bus
        self.log = log
        self.refusals: list[Exception] = []
        self.consumers: list[WatchedConsumer] = []

    async def start(self) -> None:
        await self._bus.start()

    async def stop(self) -> None:
        await self._bus.stop()

    def check(self, record: Record) -> None:
        self._bus.check(record)

    async def publish(self, record: Record) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.log.append(f"publish {record.topic}")
        await self._bus.publish(record)

    async def flush(self) -> None:
        self.log.append("flush producer")
        await self._bus.flush()

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener | None = None
    ) -> Consumer:
        inner = await self._bus.subscribe(group, topics, listener)
        consumer = WatchedConsumer(inner, self.log)
        self.consumers.append(consumer)
        return consumer

    def read(
        self, topics: Sequence[str], partitions: Collection[int] | None = None
    ) -> AsyncIterator[Message]:
        return self._bus.read(topics, partitions)

    def read_span(
        self, topic_partition: TopicPartition, start: int, stop: int | None = None
    ) -> AsyncIterator[Message]:
        return self._bus.read_span(topic_partition, start, stop)

    async def offset_at(self, topic_partition: TopicPartition, at_ms: int) -> int:
        return await self._bus.offset_at(topic_partition, at_ms)

    def keeps(self, topic: str) -> bool:
        return self._bus.keeps(topic)

    async def partitions(self, topic: str) -> int:
        return await self._bus.partitions(topic)

    async def confirm(self) -> None:
        await self._bus.confirm()

    async def ping(self) -> None:
        await self._bus.ping()


class WatchedConsumer:
    """A member of a group that notes commits, and which partitions are paused."""

    def __init__(self, consumer: Consumer, log: list[str]) -> None:
        self._consumer = consumer
        self.log = log
        self.paused: set[TopicPartition] = set()

    async def fetch(self, max_records: int, timeout_seconds: float) -> list[Message]:
        return await self._consumer.fetch(max_records, timeout_seconds)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.log.append(f"commit {sorted(offsets.values())}")
        await self._consumer.commit(offsets)

    def assignment(self) -> frozenset[TopicPartition]:
        return self._consumer.assignment()

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self.paused |= set(partitions)
        self._consumer.pause(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self.paused -= set(partitions)
        self._consumer.resume(partitions)

    async def lag(self) -> dict[TopicPartition, int]:
        return await self._consumer.lag()

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._consumer.committed(partitions)

    async def close(self) -> None:
        await self._consumer.close()


class Bench:
    """A bus with everything that a loop needs around it."""

    def __init__(self, bus: LocalBus | None = None, policy: CheckpointPolicy | None = None) -> None:
        self.log: list[str] = []
        self.local = bus or LocalBus()
        self.bus = WatchedBus(self.local, self.log)
        self.clock: Clock = FeedClock()
        self.metrics = Metrics("test")
        self.health = Health()
        self.policy = policy or CheckpointPolicy(records=1000, milliseconds=3_600_000)

    def loop(self, handler: Handler, topics: tuple[str, ...] = ("control",)) -> ConsumerLoop:
        return self.loop_of(Subscription("echo", topics, handler))

    def loop_of(self, subscription: Subscription) -> ConsumerLoop:
        log = structlog.get_logger()
        return ConsumerLoop(
            subscription,
            self.bus,
            self.clock,
            self.metrics,
            self.health,
            log,
            self.policy,
            Decoder(),
        )

    async def publish(self, *events: Event) -> None:
        for event in events:
            await self.local.publish(record_of(event))

    async def events(self, topic: str) -> list[Event]:
        return [event_of(message) async for message in self.local.read([topic])]


async def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fail, saying what was expected, when it never is."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.005)
