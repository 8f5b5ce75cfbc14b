"""What the suites need of a bus, said in a way that is as true for a broker on a network.

Nothing here expects an answer at once: it asks until a deadline, and says what was missing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from libs.events.bus import Bus, Consumer, Message, RebalanceListener, Record, TopicPartition

PARTITIONS = {"orders": 3, "candles": 4, "control": 1}
"""The topics that the suite uses, and how many partitions each has in it."""
TIMEOUT_SECONDS = 20.0
QUIET_SECONDS = 0.3

Story = Callable[[Bus], Awaitable[None]]


class BusFactory(Protocol):
    """Makes buses on the same logs, which are empty when a test begins.

    The topics of PARTITIONS have the partitions named there. A second bus is made only after
    the first was stopped, as after a restart; `is_durable` says that it finds the records and
    the committed offsets of the first.
    """

    is_durable: bool

    def __call__(self) -> Bus: ...


def play(bus_factory: BusFactory, *stories: Story) -> None:
    """Play each story on a bus of its own; between two of them lies a restart."""

    async def play_one(story: Story) -> None:
        bus = bus_factory()
        await bus.start()
        try:
            await asyncio.wait_for(story(bus), 3 * TIMEOUT_SECONDS)
        finally:
            await bus.stop()

    for story in stories:
        asyncio.run(play_one(story))


def record(text: str, partition: int | None = 0, topic: str = "orders", **fields: str) -> Record:
    """A record that is told from others by its text."""
    return Record(topic, fields.get("key", "k"), text.encode(), 1_760_000_000_000, partition)


async def publish(bus: Bus, *records: Record) -> None:
    for each in records:
        await bus.publish(each)
    await bus.flush()


async def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fail, saying what was expected, after the deadline."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.01)


async def eventually(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask until something is so; fail, saying what was expected, after the deadline."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not await is_so():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.05)


async def take(consumer: Consumer, count: int, at_most: int = 100) -> list[Message]:
    """The next `count` messages; fail when they do not come or when there are more of them."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    taken: list[Message] = []
    while len(taken) < count:
        assert time.monotonic() < deadline, f"{len(taken)} of {count} messages: {texts(taken)}"
        taken += await consumer.fetch(at_most, 0.1)
    assert len(taken) == count, texts(taken)
    return taken


async def nothing_from(consumer: Consumer) -> None:
    """Fail when the consumer is given anything for a while."""
    deadline = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < deadline:
        assert texts(await consumer.fetch(100, 0.05)) == []


async def joined(
    bus: Bus, group: str, topic: str = "orders", listener: RebalanceListener | None = None
) -> Consumer:
    """The only member of a group, once it has all partitions of the topic."""
    consumer = await bus.subscribe(group, [topic], listener)
    await shared(await bus.partitions(topic), consumer)
    return consumer


async def shared(partitions: int, *members: Consumer) -> None:
    """Wait until each member has partitions and together they have all, each once."""

    def is_shared() -> bool:
        shares = [member.assignment() for member in members]
        together = frozenset[TopicPartition]().union(*shares)
        return all(shares) and len(together) == partitions == sum(map(len, shares))

    await until(is_shared, f"{len(members)} members share {partitions} partitions")


async def everything(bus: Bus, *topics: str) -> list[Message]:
    return [message async for message in bus.read(topics)]


def texts(messages: Collection[Message]) -> list[str]:
    return [message.value.decode() for message in messages]


def next_offsets(messages: Collection[Message]) -> dict[TopicPartition, int]:
    """What to commit when these messages were handled."""
    return {message.topic_partition: message.offset + 1 for message in messages}


class Diary:
    """Writes down what a listener is told, and commits what it is given to commit."""

    def __init__(self, name: str, entries: list[tuple[str, str, int]] | None = None) -> None:
        self.name = name
        self.entries = [] if entries is None else entries
        self.consumer: Consumer | None = None
        self.on_revoke: dict[TopicPartition, int] = {}

    async def on_revoked(self, partitions: object) -> None:
        await asyncio.sleep(0.01)
        if self.consumer is not None and self.on_revoke:
            await self.consumer.commit(self.on_revoke)
        self._write("revoked", partitions)

    async def on_assigned(self, partitions: object) -> None:
        await asyncio.sleep(0.01)
        self._write("assigned", partitions)

    def _write(self, what: str, partitions: object) -> None:
        assert isinstance(partitions, frozenset | set | list | tuple)
        self.entries += [(self.name, what, p.partition) for p in sorted(partitions)]
