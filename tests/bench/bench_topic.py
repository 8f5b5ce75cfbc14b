"""How many bytes a tick takes on its topic, in Kafka's files.

Published as ingest does it: what arrived together is acknowledged before the next. Kafka must be
the local one, since its files are measured.
"""

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from libs.events.codec import record_of
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import kafka_admin
from libs.events.kafka.bus import KafkaBus
from libs.events.ticks import TickBatch
from libs.events.topic_plan import plan, wanted_topics
from libs.events.topics import MARKET_PARTITIONS
from tests.bench.days import BenchDay, board, demo_day, recorded_day
from tests.servers import running_kafka

FRAMES = 120


def measure() -> dict[str, float]:
    """Return bytes a tick: in frames of 3,000, in the demo's small ones, of a recorded day."""
    days = {"": board(), "demo_": demo_day(), "recorded_": recorded_day()}
    with tempfile.TemporaryDirectory() as folder, running_kafka(Path(folder)) as kafka:
        if kafka.server is None:
            return {}
        return {
            f"{name}bytes_per_tick_on_topic": _bytes_per_tick(
                replace(kafka.address, prefix=f"{name}bench."), Path(folder), day
            )
            for name, day in days.items()
            if day is not None
        }


def _bytes_per_tick(address: KafkaAddress, folder: Path, day: BenchDay) -> float:
    frames = [list(frame) for _, frame in groupby(day.batches, key=lambda one: one.clock_ms)]
    middle = frames[len(frames) // 2 :][:FRAMES]
    asyncio.run(_publish(address, middle))
    size = sum(path.stat().st_size for path in folder.rglob(f"{address.named('ticks')}-*/*.log"))
    return size / sum(len(batch.columns) for frame in middle for batch in frame)


async def _publish(address: KafkaAddress, frames: Iterable[Sequence[TickBatch]]) -> None:
    async with kafka_admin(address) as admin:
        await admin.carry_out(plan(wanted_topics("by_size", 1, address.max_bytes), {}), {})
    bus = KafkaBus(address)
    await bus.start()
    for frame in frames:
        for batch in frame:
            await bus.publish(record_of(batch, "ticks", MARKET_PARTITIONS))
        await bus.flush()
    await bus.stop()
