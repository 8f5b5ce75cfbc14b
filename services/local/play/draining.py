"""Whether the services have handled everything that is on Kafka."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.events.bus import TopicPartition, started_bus
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import GroupStanding, kafka_admin
from libs.events.kafka.bus import KafkaBus
from services.ingest.days import Sleep
from services.local.catalogue import NAMES

LONGEST_SECONDS, LOOK_SECONDS = 120.0, 1.0
_FEW = 50
"""So many records are read, to know which of them are messages."""


class Places(Protocol):
    """Where the services are in their topics."""

    async def standings(self) -> list[GroupStanding]:
        """Return the offsets of each service, without those of its tables' writers."""

    async def count(self, place: TopicPartition, start: int, stop: int) -> int:
        """Return how many messages there are from an offset up to another, excluded."""


async def drained(places: Places, now: Callable[[], float], sleep: Sleep = asyncio.sleep) -> int:
    """Wait until everything is handled, for LONGEST_SECONDS; return how many messages are left.

    Between two looks nothing may have moved: what one service has published meanwhile, another one
    has still to handle.
    """
    deadline, before = now() + LONGEST_SECONDS, list[GroupStanding]()
    while True:
        found = await places.standings()
        if found == before or now() >= deadline:
            left = await _left(places, found)
            if not left or now() >= deadline:
                return left
        before = found
        await sleep(LOOK_SECONDS)


async def _left(places: Places, standings: Sequence[GroupStanding]) -> int:
    """Return how many messages are not handled; markers of transactions are none."""
    left = 0
    for standing in standings:
        for place, start in standing.committed.items():
            records = standing.ends[place] - start
            is_read = 0 < records <= _FEW
            left += (
                await places.count(place, start, start + records) if is_read else max(0, records)
            )
    return left


@dataclass(frozen=True, slots=True)
class KafkaPlaces:
    """The places on a cluster; each look is a connection of its own."""

    address: KafkaAddress

    async def standings(self) -> list[GroupStanding]:
        """Return the offsets of each service, without those of its tables' writers."""
        async with kafka_admin(self.address) as admin:
            return [one for one in await admin.standings() if one.group in NAMES]

    async def count(self, place: TopicPartition, start: int, stop: int) -> int:
        """Return how many messages there are from an offset up to another, excluded."""
        async with started_bus(KafkaBus(self.address)) as bus:
            return sum([1 async for _ in bus.read_span(place, start, stop)])
