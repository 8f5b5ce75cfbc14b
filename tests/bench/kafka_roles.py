"""Processes of the Kafka bench: `python -m tests.bench.ingest_role` and its like run these."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import TextIO

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.spec import ServiceSpec
from libs.strategy.strategy import Strategy
from services.ingest.feed import Frame
from services.ingest.pace import paced
from services.ingest.service import make_service as make_ingest_service
from services.local.settings import LocalSettings
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.strategy.domain.registry import KnownStrategies
from services.strategy.service import make_service as make_strategy_service
from services.strategy.settings import StrategyProcess
from tests.generated import GeneratedFeed

DAY = date(2026, 6, 17)
TIMES = "BENCH_FRAME_TIMES"
"""Variable that names the file for when each frame was received: clock ms, monotonic ns."""


class TimedFeed(GeneratedFeed):
    """The generated market, which notes when each of its frames is received."""

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        """Yield the frames."""
        with _times() as times:
            async for frame in super().frames(partitions):
                at_ms = frame.columns.exchange_timestamp
                clock_ms = int(at_ms[at_ms <= frame.received_ms].max(initial=0))
                times.write(f"{clock_ms} {time.monotonic_ns()}\n")
                yield frame


def _times() -> TextIO:
    return Path(os.environ[TIMES]).open("a", buffering=1)


class EveryMinute(Strategy):
    """Signals at each one-minute candle, BUY and SELL in turn, so that none repeats the last.

    The stop is near, so that positions close about as often as others are opened.
    """

    name = "every_minute"
    version = "1"
    interval = "1m"
    history_needed = 0

    def __init__(self) -> None:
        self._candles = 0

    @property
    def parameters(self) -> dict[str, float | str]:
        """None."""
        return {}

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Return the next signal."""
        self._candles += 1
        action = "BUY" if self._candles % 2 else "SELL"
        sign = 1 if action == "BUY" else -1
        return self.signal(
            candle,
            "BUY" if self._candles % 2 else "SELL",
            stop_loss=candle.close * (1 - sign * 0.001),
            target=candle.close * (1 + sign * 0.02),
            confidence=0.9,
        )


def run_ingest() -> None:
    """Play the generated market at the pace of the settings."""

    def make(settings: LocalSettings, parts: Parts) -> Service:
        market = SyntheticMarket(settings.simulator.seed, DAY, load_calendar(), load_rulebook())
        pace = paced(settings.ingest.speed, asyncio.sleep)
        return make_ingest_service(TimedFeed(market, DAY, 0), parts, pace)

    run_process(ServiceSpec("ingest", LocalSettings, make))


def run_strategy() -> None:
    """Run the strategy service with the bench's strategy."""
    known = KnownStrategies({EveryMinute.name: EveryMinute})

    def make(settings: StrategyProcess, parts: Parts) -> Service:
        return make_strategy_service(settings.strategy, parts, known)

    run_process(ServiceSpec("strategy", StrategyProcess, make))


async def hop(bootstrap: str, source: str, target: str) -> None:
    """Hand on each record, as plainly as aiokafka can, until the process is ended."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="latest")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    consumer.assign([TopicPartition(source, 0)])
    await consumer.seek_to_end()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            for record in records:
                await producer.send(target, record.value, partition=0)


if __name__ == "__main__":
    asyncio.run(hop(*sys.argv[1:4]))
