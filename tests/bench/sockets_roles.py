"""Processes of the bench of three websockets: the exchange, and ingest by the machine's clocks.

`python -m tests.bench.sockets_roles PORT START_MS SECONDS SENT_FILE`
"""

import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from libs.events.topics import MARKET_TOPICS, TOPICS
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.clock import monotonic_ms
from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.spec import ServiceSpec
from services.candle.__main__ import SPEC as CANDLE
from services.ingest.live_feed import make_live_feed
from services.ingest.pace import unpaced
from services.ingest.service import make_service
from services.local.settings import LocalSettings
from services.simulator.assembly import make_exchange
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings
from tests.bench.shares import DAY
from tests.bench.wide_market import INSTRUMENTS, PARTITIONS, WideMarket

ACCESS_TOKEN = "bench-token"
SHOWN = "BENCH_SHOWN_MS"
"""Variable with what the machine's clock shows when ingest starts, epoch ms."""


async def exchange(port: int, start_ms: int, seconds: int, sent: Path) -> None:
    """Play so many seconds once all instruments are followed; note when each was sent."""
    settings = SimulatorSettings(
        port=port, day=DAY, limits=False, access_token=SecretStr(ACCESS_TOKEN)
    )
    market = WideMarket(start_ms, seconds)
    async with SimulatorServer(make_exchange(settings, market), settings) as server:
        while sum(len(one.subscription) for one in server.streams) < INSTRUMENTS:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)  # for longer the line would be taken for dead
        with sent.open("w", buffering=1) as times:
            began = time.monotonic()
            for second in range(seconds):
                await asyncio.sleep(max(0.0, began + second - time.monotonic()))
                await server.trade()
                times.write(f"{server.exchange.now_ms} {time.monotonic_ns()}\n")
                await server.tick()
            counts = [one.counts.frames_sent for one in server.streams]
            times.write(f"frames {' '.join(map(str, counts))}\n")
        await asyncio.Event().wait()


def widen_topics() -> None:
    """Let this process know topics of as many partitions as three full websockets need.

    Whole partitions are on one connection: eight of 1,125 instruments do not fit three of 3,000.
    """
    for name in MARKET_TOPICS:
        TOPICS[name] = replace(TOPICS[name], partitions=PARTITIONS)


def run_candle() -> None:
    """Run candle."""
    widen_topics()
    run_process(CANDLE)


def run_ingest() -> None:
    """Run ingest as at an account whose day is the one that is played."""
    widen_topics()

    def make(settings: LocalSettings, parts: Parts) -> Service:
        sections = BrokerSections(kite=settings.kite)
        feed = make_live_feed("kite", settings.ingest, sections, "feed", parts.metrics)
        shown_ms = int(os.environ[SHOWN]) - monotonic_ms()
        feed.clock, feed.wall_ms = "wall", lambda: shown_ms + monotonic_ms()
        return make_service(feed, parts, unpaced)

    run_process(ServiceSpec("ingest", LocalSettings, make))


if __name__ == "__main__":
    port, start_ms, seconds, sent = sys.argv[1:]
    asyncio.run(exchange(int(port), int(start_ms), int(seconds), Path(sent)))
