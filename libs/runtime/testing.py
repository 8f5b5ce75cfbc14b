"""A test harness for services: the real runner on a bus in memory, one message at a time.

async with ServiceHarness(lambda parts: make_service(settings, parts)) as harness:
    await harness.publish(signal)
    assert harness.published("orders") == [...]
"""

from collections.abc import Callable
from typing import Self

from libs.events.bus import Message
from libs.events.codec import decode, event_of, record_of
from libs.events.embedded.bus import LocalBus
from libs.events.errors import PoisonMessage
from libs.events.event import Event
from libs.events.topics import dead_letter_topic
from libs.runtime.clock import Clock, FeedClock
from libs.runtime.emitter import record_topic
from libs.runtime.metrics import Metrics
from libs.runtime.runner import ServiceRunner, Surroundings
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import CheckpointPolicy
from libs.store.store import Store


class ServiceHarness:
    """Runs one service in lockstep; `publish` returns when all messages are handled.

    Pass the `bus` of one harness to another one to test a restart: the second begins where
    the first committed. A `clock` with a pace goes on by itself, as if the feed were dead.
    """

    def __init__(
        self,
        make_service: Callable[[Parts], Service],
        *,
        store: Store | None = None,
        bus: LocalBus | None = None,
        policy: CheckpointPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.bus = bus or LocalBus(lockstep=True, partitions={"ticks": 1, "candles": 1})
        self.clock: Clock = clock or FeedClock()
        self.metrics = Metrics("test")
        self._owns_bus = bus is None
        self._own: set[tuple[str, int, int]] = set()
        service = make_service(Parts(self.bus, self.clock, self.metrics, store))
        around = Surroundings(self.bus, self.clock, policy or CheckpointPolicy(milliseconds=1))
        self.runner = ServiceRunner(service, self.metrics, around)

    async def __aenter__(self) -> Self:
        """Start the service, and the bus unless it was passed in."""
        if self._owns_bus:
            await self.bus.start()
        await self.runner.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the service as SIGTERM would; the bus stays up for another harness."""
        await self.runner.stop()

    async def publish(self, *events: Event) -> None:
        """Publish events on their topics and wait until they and their output are handled."""
        for event in events:
            topic = record_topic(event)
            await self.bus.publish(record_of(event, topic, await self.bus.partitions(topic)))
            last = (await self.messages(topic))[-1]
            self._own.add((last.topic, last.partition, last.offset))
            await self.bus.idle()

    async def published(self, topic: str) -> list[Event]:
        """Return what the service published on a topic, in order."""
        messages = await self.messages(topic)
        return [
            event_of(message)
            for message in messages
            if (message.topic, message.partition, message.offset) not in self._own
        ]

    def measured(self, name: str, label: str = "") -> float | None:
        """Return the value of a metric by its name without namespace and its first label."""
        if self.runner.service.measure is not None:
            self.runner.service.measure()
        for family in self.metrics.registry.collect():
            for sample in family.samples:
                first = next(iter(sample.labels.values()), "")
                if (sample.name, first) == (f"alphastocks_{name}", label):
                    return sample.value
        return None

    async def dead_letters(self, topic: str) -> list[tuple[str, Event | bytes]]:
        """Return (reason, event or bytes) of each dead letter of a topic."""
        found = []
        for message in await self.messages(dead_letter_topic(topic)):
            reason = dict(message.headers)["reason"].decode()
            found.append((reason, decode_or_bytes(topic, message.value)))
        return found

    async def messages(self, topic: str) -> list[Message]:
        """Return everything on a topic, in the order of publishing."""
        return [message async for message in self.bus.read([topic])]


def decode_or_bytes(topic: str, value: bytes) -> Event | bytes:
    """Return the event of a dead letter, or its bytes if they cannot be decoded."""
    try:
        return decode(topic, value)
    except PoisonMessage:
        return value
