"""Nine thousand instruments over three websockets: is a tick lost, and what does it cost?

An exchange, ingest and candle are processes of their own, joined by websockets and Kafka. Each
second three frames of 3,000 ticks come. The open is among them, and a quarter of an hour later the
moment at which candles of all intervals up to 15 minutes close; the time between is left out.

Half of the time is played at the open, half at the boundary: a minute in all, or as many seconds
as `python -m tests.bench.bench_sockets 600` says.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from libs.broker.kite.session import KiteSession, SessionFile
from libs.events.candles import CandleBatch
from libs.events.codec import event_of
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.events.ticks import TickBatch
from libs.events.topics import TOPICS
from libs.market.calendar import load_calendar
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.universe_rules import UniverseRules
from services.local.play.fleet import Fleet
from services.local.settings import LocalSettings
from tests.bench.shares import DAY
from tests.bench.sockets_roles import ACCESS_TOKEN, SHOWN, widen_topics
from tests.bench.wide_market import CONNECTIONS, INSTRUMENTS
from tests.contracts.kafka_buses import create_topics
from tests.integration.processes import free_ports
from tests.servers import running_kafka

OPEN_MS = load_calendar().sessions("NSE", DAY)[0].open_ms
BOUNDARY_MS = OPEN_MS + 15 * 60_000
BEFORE_SECONDS = 5
SECONDS = 60
STARTS_SECONDS, SETTLES_SECONDS = 90.0, 1.5  # after 2.5 s the line is taken for dead
TICKS_A_SECOND = INSTRUMENTS
HERTZ = os.sysconf("SC_CLK_TCK")
MODULES = {"ingest": "tests.bench.sockets_ingest_role", "candle": "tests.bench.sockets_candle_role"}


@dataclass
class Seen:
    """What came over the bus: ticks by second of the exchange and instrument, when, and candles."""

    ticks: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    came_ns: dict[int, list[int]] = field(default_factory=dict)
    candles: Counter[tuple[str, int]] = field(default_factory=Counter)
    ticks_in_minutes: Counter[int] = field(default_factory=Counter)
    connections: Counter[int] = field(default_factory=Counter)

    async def watch(self, bus: KafkaBus) -> None:
        """Note what is published until cancelled."""
        async for message in bus.follow(await bus.ends(["ticks", "candles"])):
            now_ns, event = time.monotonic_ns(), event_of(message)
            if isinstance(event, TickBatch):
                self._note(event, now_ns)
            elif isinstance(event, CandleBatch):
                self._note_candles(event)

    def _note(self, batch: TickBatch, now_ns: int) -> None:
        stamps, shares = batch.columns.exchange_timestamp, batch.columns.instrument_token >> 8
        self.connections[batch.connection] += len(stamps)
        for at_ms in np.unique(stamps).tolist():
            of = self.ticks.setdefault(at_ms, np.zeros(INSTRUMENTS, np.int64))
            np.add.at(of, shares[stamps == at_ms], 1)
            self.came_ns.setdefault(at_ms, []).append(now_ns)

    def _note_candles(self, batch: CandleBatch) -> None:
        closes_ms = int(batch.columns.closes_ms[0])
        self.candles[batch.interval, closes_ms] += len(batch.columns)
        if batch.interval == "1m":
            self.ticks_in_minutes[closes_ms] += int(np.sum(batch.columns.ticks))


@dataclass(frozen=True)
class Sent:
    """When the exchange sent each of its seconds, and how many frames to each connection."""

    at_ns: Mapping[int, int]
    frames: tuple[int, ...]

    @classmethod
    def read(cls, file: Path) -> "Sent":
        """Read what the exchange has noted."""
        *times, frames = [line.split() for line in file.read_text().splitlines()]
        return cls({int(at): int(ns) for at, ns in times}, tuple(map(int, frames[1:])))


def measure(seconds: int = SECONDS) -> dict[str, float]:
    """Return losses, latencies, and the shares of a core, over both parts of the day."""
    widen_topics()
    with tempfile.TemporaryDirectory() as place, running_kafka(Path(place) / "kafka") as kafka:
        parts = [
            asyncio.run(_part(replace(kafka.address, prefix=f"{folder.name}."), folder, *times))
            for folder, times in _parts(Path(place), seconds)
        ]
    worst = {name: max(part[name] for part in parts) for name in parts[0]}
    return worst | {"sockets_ticks": sum(part["sockets_ticks"] for part in parts)}


def _parts(place: Path, seconds: int) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield two halves: one begins just before the open, one ends just after the boundary."""
    half, after = seconds // 2, min(60, seconds // 4)
    before = OPEN_MS - BEFORE_SECONDS * 1000
    starts_ms = {"open": before, "boundary": BOUNDARY_MS - (half - after) * 1000}
    for name, start_ms in starts_ms.items():
        folder = place / name
        folder.mkdir()
        yield folder, (start_ms, half)


async def _part(
    address: KafkaAddress, folder: Path, start_ms: int, seconds: int
) -> dict[str, float]:
    await create_topics(address, {name: topic.partitions for name, topic in TOPICS.items()})
    port, sent, seen = free_ports(10), folder / "sent.txt", Seen()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_exchange(port, start_ms, seconds, sent))
        bus = KafkaBus(address)
        await bus.start()
        stack.push_async_callback(bus.stop)
        watching = asyncio.create_task(seen.watch(bus))
        stack.callback(watching.cancel)
        settings = _settings(address, folder, port)
        extra = {SHOWN: str(start_ms - 5_000)}
        fleet = Fleet(settings, folder / "logs", port + 1, lambda _: None, extra)
        await stack.enter_async_context(fleet)
        for service, module in MODULES.items():
            await fleet.start(service, module)
        await _until(lambda: sent.exists() and sent.read_text().count("\n") > 0, STARTS_SECONDS)
        used = {service: _cpu_seconds(fleet, service) for service in MODULES}
        began = time.monotonic()
        await _until(lambda: "frames" in sent.read_text(), seconds + STARTS_SECONDS)
        took = time.monotonic() - began
        shares = {
            f"sockets_{service}_core": (_cpu_seconds(fleet, service) - used[service]) / took
            for service in MODULES
        }
        await asyncio.sleep(SETTLES_SECONDS)
        memory = {f"sockets_{one}_mb": _memory_mb(fleet, one) for one in MODULES}
    return {**_figures(seen, Sent.read(sent), start_ms, seconds), **shares, **memory}


def _figures(seen: Seen, sent: Sent, start_ms: int, seconds: int) -> dict[str, float]:
    none = np.zeros(INSTRUMENTS, np.int64)
    came = np.array([seen.ticks.get(at_ms, none) for at_ms in sent.at_ns])
    latencies = [
        (came_ns - sent.at_ns[at_ms]) / 1e6
        for at_ms, times in seen.came_ns.items()
        if at_ms in sent.at_ns
        for came_ns in times
    ]
    ends_ms = start_ms + seconds * 1000
    minutes = range(max(OPEN_MS, start_ms + 59_999 - (start_ms + 59_999) % 60_000), ends_ms, 60_000)
    whole = [at_ms + 60_000 for at_ms in minutes if at_ms + 63_000 <= ends_ms]
    missing = sum(60 * TICKS_A_SECOND - seen.ticks_in_minutes[at_ms] for at_ms in whole)
    if start_ms < BOUNDARY_MS < ends_ms:
        assert seen.candles["15m", BOUNDARY_MS] == INSTRUMENTS, "a candle of each closes"
    assert len(seen.connections) == CONNECTIONS
    return {
        "sockets_ticks": float((came > 0).sum()),
        "sockets_ticks_lost": float((came == 0).sum()),
        "sockets_ticks_repeated": float((came - (came > 0)).sum()),
        "sockets_ticks_not_in_candles": float(abs(missing)),
        "sockets_tick_to_bus_ms_p50": statistics.median(latencies),
        "sockets_tick_to_bus_ms_p99": statistics.quantiles(latencies, n=100)[98],
    }


@asynccontextmanager
async def _exchange(port: int, start_ms: int, seconds: int, sent: Path) -> AsyncIterator[None]:
    program = (sys.executable, "-m", "tests.bench.sockets_roles")
    asked = (str(port), str(start_ms), str(seconds), str(sent))
    process = await asyncio.create_subprocess_exec(*program, *asked)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def _settings(address: KafkaAddress, folder: Path, port: int) -> LocalSettings:
    session = folder / "session.json"
    at = datetime(DAY.year, DAY.month, DAY.day, 3, tzinfo=UTC)
    SessionFile(session).write(KiteSession("SIM001", "simulator", ACCESS_TOKEN, at))
    plain = LocalSettings()
    universe = UniverseRules(underlyings=(), equity={"rule": "all"}, most=INSTRUMENTS)  # type: ignore[arg-type]
    return plain.model_copy(
        update={
            "runtime": plain.runtime.model_copy(update={"log_level": "info"}),
            "bus": plain.bus.model_copy(
                update={"kind": "kafka", "bootstrap": address.bootstrap, "prefix": address.prefix}
            ),
            "ingest": plain.ingest.model_copy(
                update={
                    "source": "kite",
                    "universe": universe,
                    "connections": CONNECTIONS,
                    "history": HistoryRules(days=1, intervals=()),
                }
            ),
            "kite": plain.kite.model_copy(
                update={
                    "api_key": "simulator",
                    "root": f"http://127.0.0.1:{port}",
                    "ws_root": f"ws://127.0.0.1:{port}",
                    "session_file": session,
                }
            ),
        }
    )


def _pid(fleet: Fleet, service: str) -> int:
    (member,) = fleet.of(service)
    assert member.process is not None
    return member.process.pid


def _cpu_seconds(fleet: Fleet, service: str) -> float:
    """Return the processor time of a process and its threads so far, from /proc."""
    fields = Path(f"/proc/{_pid(fleet, service)}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


def _memory_mb(fleet: Fleet, service: str) -> float:
    lines = Path(f"/proc/{_pid(fleet, service)}/status").read_text().splitlines()
    (resident,) = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return int(resident) / 1024


async def _until(holds: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
