"""From tick to order over Kafka, and back after a kill: six processes, beside bare hops."""

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from libs.events.codec import event_of
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.events.orders import OrderPlanned
from libs.events.signals import SignalGenerated
from libs.events.topics import TOPICS
from libs.runtime.settings import StoreSettings
from libs.store.store import StoreAddress
from services.executor.domain.policy import RiskLimits, Sizing
from services.local.play.database import open_database
from services.local.play.fleet import Fleet, Member
from services.local.settings import LocalSettings
from services.strategy.settings import StrategyChoice
from tests.bench.kafka_roles import TIMES, EveryMinute
from tests.contracts.kafka_buses import create_topics
from tests.integration.processes import free_ports
from tests.servers import running_kafka

TICKS_PER_S, TICKS_PER_FRAME = 2000, 119
ORDERS = 1000
TIMEOUT_SECONDS = 600.0
GRACE_MS = 2000
HOPS = 5
BURST = 12
"""As many records at once as candles of a minute close in the bench."""
ROUNDS = 200
MODULES = {"ingest": "tests.bench.ingest_role", "strategy": "tests.bench.strategy_role"}
SERVICES = ("candle", "executor", "position", "signal", "strategy", "ingest")


def measure() -> dict[str, float]:
    """Return latencies of the pipeline and of bare hops, and how long each service is away."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with running_kafka(folder / "kafka") as kafka:
            floor = asyncio.run(_hops_ms(kafka.address))
            ours, away = asyncio.run(_pipeline(kafka.address, folder))
    p50, p99 = _p(ours, 50), _p(ours, 99)
    floor_p50 = _p(floor, 50)
    return {
        "tick_to_order_ms_p50": p50,
        "tick_to_order_ms_p99": p99,
        "tick_to_order_orders": len(ours),
        "bare_hops_ms_p50": floor_p50,
        "bare_hops_ms_p99": _p(floor, 99),
        "tick_to_order_vs_floor": p50 / floor_p50,
        **{f"recovery_s_{name}": seconds for name, seconds in away.items()},
        "recovery_s": max(away.values()),
    }


def _p(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


async def _hops_ms(address: KafkaAddress) -> list[float]:
    """Return how long records take through as many bare hops, in bursts as the pipeline's."""
    topics = [f"hop{number}" for number in range(HOPS)]
    await create_topics(address, dict.fromkeys(topics, 1))
    hops = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.kafka_roles"),
            *(address.bootstrap, source, target),
            stdout=asyncio.subprocess.PIPE,
        )
        for source, target in itertools.pairwise(topics)
    ]
    try:
        for hop in hops:
            assert hop.stdout is not None
            await hop.stdout.readline()
        return await _through(address.bootstrap, topics[0], topics[-1])
    finally:
        for hop in hops:
            hop.kill()
            await hop.wait()


async def _through(bootstrap: str, first: str, last: str) -> list[float]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    consumer.assign([TopicPartition(last, 0)])
    await consumer.seek_to_end()
    taken: list[float] = []
    for number in range(ROUNDS):
        for _ in range(BURST):
            await producer.send(first, str(time.monotonic_ns()).encode(), partition=0)
        while len(taken) < (number + 1) * BURST:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                now = time.monotonic_ns()
                taken += [(now - int(record.value)) / 1e6 for record in records]
        await asyncio.sleep(0.05)
    await producer.stop()
    await consumer.stop()
    return taken


@dataclass(slots=True)
class _Seen:
    """When orders were seen, and which candle close each goes back to."""

    planned_ns: dict[str, int] = field(default_factory=dict)
    closed_ms: dict[str, int] = field(default_factory=dict)

    async def watch(self, bus: KafkaBus) -> None:
        """Note what is published until cancelled."""
        async for message in bus.follow(await bus.ends(["orders", "signal_generated"])):
            now, event = time.monotonic_ns(), event_of(message)
            if isinstance(event, SignalGenerated):
                closed = event.candle_closed_at.timestamp()
                self.closed_ms[str(event.signal_id)] = round(closed * 1000)
            elif isinstance(event, OrderPlanned) and event.leg == "entry":
                self.planned_ns.setdefault(str(event.signal_id), now)

    def latencies_ms(self, frames: Path) -> list[float]:
        """Return the time from the frame that closed the candle to the sight of the order."""
        received = [tuple(map(int, line.split())) for line in frames.read_text().splitlines()]
        first_ns: dict[int, int] = {}
        closes = sorted(set(self.closed_ms.values()))
        for clock_ms, at_ns in received:
            while closes and closes[0] + GRACE_MS <= clock_ms:
                first_ns[closes.pop(0)] = at_ns
        return [
            (at_ns - first_ns[self.closed_ms[signal_id]]) / 1e6
            for signal_id, at_ns in self.planned_ns.items()
            if self.closed_ms.get(signal_id) in first_ns
        ]


async def _pipeline(address: KafkaAddress, folder: Path) -> tuple[list[float], dict[str, float]]:
    await create_topics(address, {name: topic.partitions for name, topic in TOPICS.items()})
    frames, seen, bus = folder / "frames.txt", _Seen(), KafkaBus(address)
    async with open_database(StoreSettings(), folder, "bench") as database:
        await bus.start()
        watching = asyncio.create_task(seen.watch(bus))
        settings = _settings(address, database)
        async with Fleet(
            settings,
            folder / "logs",
            free_ports(10),
            notify=lambda _: None,
            extra={TIMES: str(frames)},
        ) as fleet:
            for service in SERVICES:
                await fleet.start(service, MODULES.get(service, ""))
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while len(seen.planned_ns) < ORDERS and time.monotonic() < deadline:
                if watching.done():
                    watching.result()
                await asyncio.sleep(0.5)
            taken = seen.latencies_ms(frames)
            away = {name: await _away_s(address, fleet, fleet.of(name)[0]) for name in SERVICES}
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await bus.stop()
    return taken, away


def _settings(address: KafkaAddress, database: StoreAddress) -> LocalSettings:
    """Return settings with which every signal is traded."""
    plain, many, whole = LocalSettings().in_paper(), 10_000, Decimal("0.99")
    limits = RiskLimits(many, whole, whole, many, 100_000, 5, many)
    executor = {"limits": limits, "sizing": Sizing(capital=Decimal(10**9))}
    store = {
        "host": database.host,
        "port": database.port,
        "user": database.user,
        "password": SecretStr(database.password),
        "database": database.database,
    }
    choices = (StrategyChoice(name=EveryMinute.name),)
    return plain.model_copy(
        update={
            "runtime": plain.runtime.model_copy(update={"log_level": "warning"}),
            "bus": plain.bus.model_copy(
                update={"kind": "kafka", "bootstrap": address.bootstrap, "prefix": address.prefix}
            ),
            "store": plain.store.model_copy(update=store),
            "ingest": plain.ingest.model_copy(update={"speed": TICKS_PER_S / TICKS_PER_FRAME}),
            "strategy": plain.strategy.model_copy(update={"strategies": choices}),
            "executor": plain.executor.model_copy(update=executor),
        }
    )


async def _away_s(address: KafkaAddress, fleet: Fleet, member: Member) -> float:
    """kill -9; return the seconds until it is no further behind than it was before."""
    admin = AIOKafkaAdminClient(**address.options())
    reader = AIOKafkaConsumer(bootstrap_servers=address.bootstrap)
    await admin.start()
    await reader.start()
    try:
        usual = 0
        for _ in range(20):
            usual = max(usual, await _behind(address, admin, reader, member.service))
            await asyncio.sleep(0.15)
        standing = await _standing(address, admin, reader, member.service)
        assert member.process is not None
        killed, restarts = time.monotonic(), member.restarts
        member.process.kill()
        while time.monotonic() - killed < TIMEOUT_SECONDS:
            await asyncio.sleep(0.05)
            if member.restarts == restarts:
                continue
            now = await _standing(address, admin, reader, member.service)
            has_moved = any(now[place] > at for place, at in standing.items())
            if has_moved and await _behind(address, admin, reader, member.service) <= usual:
                break
        return time.monotonic() - killed
    finally:
        await reader.stop()
        await admin.close()


async def _standing(
    address: KafkaAddress, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, service: str
) -> dict[TopicPartition, int]:
    """Return where a service stands: its commits; of ingest, which reads little: its output."""
    if service == "ingest":
        places = [TopicPartition(address.named("ticks"), number) for number in range(8)]
        return dict(await reader.end_offsets(places))
    offsets = await admin.list_consumer_group_offsets(address.named(service))
    return {place: max(0, at.offset) for place, at in offsets.items()}


async def _behind(
    address: KafkaAddress, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, service: str
) -> int:
    if service == "ingest":
        return 0
    standing = await _standing(address, admin, reader, service)
    ends = await reader.end_offsets(list(standing))
    behind: dict[str, int] = defaultdict(int)
    for place, at in standing.items():
        behind[place.topic] += ends[place] - at
    return sum(behind.values())


if __name__ == "__main__":
    for name, value in measure().items():
        sys.stdout.write(f"{name} {value:.3f}\n")
