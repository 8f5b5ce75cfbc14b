"""Short words for what the bus's tests publish and read."""

from collections.abc import Collection

from libs.events.bus import Bus, Message, Record


def record(text: str, topic: str = "orders", partition: int = 0) -> Record:
    return Record(topic, "k", text.encode(), 1_760_000_000_000, partition)


def message(text: str, offset: int) -> Message:
    return Message("ticks", 0, offset, "k", text.encode(), 0)


def texts(messages: Collection[Message]) -> list[str]:
    return [each.value.decode() for each in messages]


async def held(bus: Bus, topic: str = "orders") -> list[str]:
    """The texts that a topic holds now."""
    return texts([each async for each in bus.read([topic])])
