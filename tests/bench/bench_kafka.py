"""How fast the candle service reads ticks from Kafka, beside aiokafka that does nothing with them.

The topic is filled beforehand with what a full connection of Kite's can bring: 3,000 instruments,
a tick each a second, for a little more than an hour, so that each of the seven intervals closes.
The service is all there is of it: group, decoding, candles, publishing, commits.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaConsumer

from libs.events.bus import Record
from libs.events.codec import record_of
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.events.ticks import COLUMN_TYPES, TickColumns
from libs.events.topics import MARKET_PARTITIONS, TOPICS
from libs.runtime.clock import FeedClock
from libs.runtime.metrics import Metrics
from libs.runtime.runner import ServiceRunner, Surroundings
from libs.runtime.service import Parts
from services.candle.service import make_service
from services.candle.settings import CandleSettings
from services.ingest.domain.connection import Connection
from tests.bench.shares import DAY, OPEN_MS, listed_share
from tests.contracts.kafka_buses import create_topics
from tests.servers import running_kafka
from tests.unit.libs.runtime.loops import until

INSTRUMENTS, SECONDS, ROUNDS = 3000, 3610, 2
TICKS = INSTRUMENTS * SECONDS
FETCH_BYTES = 8 * 1024 * 1024


def measure() -> dict[str, float]:
    """Return ticks a second of the service and of bare reading: the best of a few."""
    with tempfile.TemporaryDirectory() as folder, running_kafka(Path(folder)) as kafka:
        return asyncio.run(_measure(kafka.address))


async def _measure(address: KafkaAddress) -> dict[str, float]:
    floors, ours = [], []
    for number in range(ROUNDS):
        fresh = replace(address, prefix=f"round{number}.")
        await _fill(fresh)
        floors.append(await _floor_seconds(fresh))
        ours.append(await _candle_seconds(fresh))
    return {
        "kafka_candle_ticks_per_s": TICKS / min(ours),
        "kafka_floor_ticks_per_s": TICKS / min(floors),
        "kafka_candle_vs_floor": min(floors) / min(ours),
    }


async def _fill(address: KafkaAddress) -> None:
    await create_topics(address, {name: topic.partitions for name, topic in TOPICS.items()})
    bus = KafkaBus(address)
    await bus.start()
    for record in _market():
        await bus.publish(record)
    await bus.flush()
    await bus.stop()


def _market() -> Iterator[Record]:
    for number in range(INSTRUMENTS):
        yield record_of(listed_share((number + 1) * 256 + 1), "instruments", 1)
    connection = Connection("bench", DAY, OPEN_MS, MARKET_PARTITIONS)
    random = np.random.default_rng(1)
    steps, volume = np.zeros(INSTRUMENTS, np.int64), np.zeros(INSTRUMENTS, np.int64)
    for second in range(SECONDS):
        at_ms = OPEN_MS + second * 1000
        steps = steps + random.integers(-1, 2, INSTRUMENTS)
        volume = volume + random.integers(0, 50, INSTRUMENTS)
        for batch in connection.cut(_columns(at_ms, 100 + steps * 0.05, volume), at_ms):
            yield record_of(batch, "ticks", MARKET_PARTITIONS)


def _columns(at_ms: int, price: np.ndarray, volume: np.ndarray) -> TickColumns:
    given = {
        "instrument_token": np.arange(1, INSTRUMENTS + 1) * 256 + 1,
        "exchange_timestamp": np.full(INSTRUMENTS, at_ms),
        "volume_traded": volume,
    }
    made = {name: given.get(name, price).astype(kind) for name, kind in COLUMN_TYPES.items()}
    return TickColumns(**made)


async def _floor_seconds(address: KafkaAddress) -> float:
    """Read all records as a member of a group, and do nothing with them."""
    consumer = AIOKafkaConsumer(
        address.named("ticks"),
        bootstrap_servers=address.bootstrap,
        group_id=address.named("floor"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    started, count = time.perf_counter(), 0
    await consumer.start()
    while count < SECONDS * MARKET_PARTITIONS:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            count += len(records)
    seconds = time.perf_counter() - started
    await consumer.stop()
    return seconds


async def _candle_seconds(address: KafkaAddress) -> float:
    """Run the service, as a member that was never there, until it has taken in all ticks."""
    bus = KafkaBus(address)
    await bus.start()
    clock, metrics = FeedClock(), Metrics("candle")
    service = make_service(CandleSettings(), Parts(bus, clock, metrics))
    runner = ServiceRunner(service, metrics, Surroundings(bus, clock))
    started = time.perf_counter()
    await runner.start()
    await until(lambda: service.describe()["ticks_accepted"] == TICKS, "all ticks are taken in")
    seconds = time.perf_counter() - started
    await runner.stop()
    await bus.stop()
    return seconds
