"""A recorded day on Kafka: the six services as processes, and what they leave on the topics."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import time as time_of_day
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from libs.events.bus import TopicPartition, started_bus
from libs.events.candles import Candle, CandleBatch
from libs.events.codec import event_of
from libs.events.errors import PoisonMessage
from libs.events.event import Event
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import GroupStanding, kafka_admin
from libs.events.kafka.bus import KafkaBus
from libs.events.topics import TOPICS, dead_letter_topic
from libs.market.calendar import load_calendar
from libs.store.store import StoreAddress
from services.local.play.fleet import Fleet
from services.local.play.outcome import candle_table
from services.local.settings import LocalSettings
from tests.contracts.kafka_buses import create_topics
from tests.integration.processes import free_ports
from tests.integration.proxies import Proxy
from tests.integration.recordings import DAY

SERVICES = ("candle", "executor", "position", "signal", "strategy", "ingest")
TIMEOUT_SECONDS = 600.0
INGEST = "services.local.play.recorded_ingest"
MINUTE_MS = 60_000
OUTCOME_TOPICS = ("candles", "strategy_signals", "signal_generated", "decisions", "orders")


def patient(plain: LocalSettings) -> LocalSettings:
    """Return settings for a market that runs a thousand times as fast, and services that do not.

    A second of work is a quarter of an hour of it: signals stay good and orders rest longer, and
    what is held is left so early that the market still quotes it for seconds.
    """
    executor, exits = plain.executor, plain.position.exits
    entry = replace(executor.entry, max_age_seconds=9000, last_entry=time_of_day(12, 0))
    chain = replace(executor.chain, quote_budget_ms=60 * MINUTE_MS)
    orders = replace(
        executor.orders, entry_timeout_ms=60 * MINUTE_MS, exit_timeout_ms=10 * MINUTE_MS
    )
    exits = replace(exits, square_off=time_of_day(12, 30))
    return plain.model_copy(
        update={
            "executor": executor.model_copy(
                update={"entry": entry, "chain": chain, "orders": orders}
            ),
            "position": plain.position.model_copy(update={"exits": exits}),
        }
    )


@dataclass(slots=True)
class KafkaDay:
    """Topics, database and settings of one run of a recorded day."""

    address: KafkaAddress
    settings: LocalSettings
    folder: Path
    database: Proxy

    @classmethod
    async def prepared(
        cls,
        kafka: KafkaAddress,
        database: StoreAddress,
        recording: Path,
        folder: Path,
        proxy: Proxy,
        speed: float = 1e9,
    ) -> "KafkaDay":
        """Make topics of its own for a day; it is played so many times as fast as the market.

        The stamps alone are the time, so that the outcome does not depend on the machine.
        """
        address = replace(kafka, prefix=f"{uuid4().hex[:8]}.")
        await create_topics(address, {name: topic.partitions for name, topic in TOPICS.items()})
        plain = patient(LocalSettings().in_paper())
        settings = plain.model_copy(
            update={
                "runtime": plain.runtime.model_copy(update={"pace": 0.0}),
                "bus": plain.bus.model_copy(
                    update={"kind": "kafka", "bootstrap": kafka.bootstrap, "prefix": address.prefix}
                ),
                "store": plain.store.model_copy(
                    update={
                        "host": database.host,
                        "port": database.port,
                        "user": database.user,
                        "password": SecretStr(database.password),
                        "database": database.database,
                    }
                ),
                "ingest": plain.ingest.model_copy(
                    update={"folder": recording, "day": DAY, "speed": speed}
                ),
            }
        )
        return cls(address, settings, folder, proxy)

    @asynccontextmanager
    async def fleet(self) -> AsyncIterator[Fleet]:
        """A fleet in which nothing runs yet; what it reports is kept in a file."""
        news: list[str] = []
        async with Fleet(
            self.settings, self.folder / "logs", free_ports(20), notify=news.append
        ) as fleet:
            yield fleet
        (self.folder / "news.txt").write_text("\n".join(news))

    async def start_all(self, fleet: Fleet) -> None:
        """Start the six services."""
        for service in SERVICES:
            await fleet.start(service, INGEST if service == "ingest" else "")

    async def events(self, topic: str) -> list[Event]:
        """What a topic holds; poison is skipped."""
        async with self.bus() as bus:
            events = []
            async for message in bus.read([topic]):
                try:
                    events.append(event_of(message))
                except PoisonMessage:
                    continue
            return events

    async def candles(self) -> dict[tuple[str, str, int], Candle]:
        """Instrument, interval and open time → the last revision on the topic."""
        made: dict[tuple[str, str, int], Candle] = {}
        for batch in await self.events("candles"):
            assert isinstance(batch, CandleBatch)
            for candle in batch.candles():
                key = (candle.key, candle.interval, candle.opened_ms)
                if key not in made or candle.revision >= made[key].revision:
                    made[key] = candle
        return made

    async def repeats(self, topic: str) -> dict[str, int]:
        """Ids that stand on a topic more than once, and how often."""
        counts = Counter(str(event.event_id) for event in await self.events(topic))
        return {event_id: count for event_id, count in counts.items() if count > 1}

    async def dead_letters(self) -> list[tuple[str, str]]:
        """Topic and reason of every dead letter."""
        async with self.bus() as bus:
            return [
                (topic, dict(message.headers)["reason"].decode())
                for topic in TOPICS
                async for message in bus.read([dead_letter_topic(topic)])
            ]

    async def played(self) -> None:
        """Return when all is read, the last candles are there, and nothing has come for a while."""
        close_ms = load_calendar().sessions("NSE", DAY)[-1].close_ms
        seen: list[dict[TopicPartition, int]] = []

        async def is_over() -> bool:
            standings = await self.standings()
            seen.append(_ends(standings))
            is_quiet = len(seen) > 4 and all(ends == seen[-1] for ends in seen[-4:])
            return is_quiet and not behind(standings) and await self.last_close_ms() == close_ms

        await until(is_over, "the day is over", 0.7)

    async def last_close_ms(self) -> int:
        """Return when the last candle on the topic closes, 0 without any."""
        candles = await self.candles()
        return max((candle.closes_ms for candle in candles.values()), default=0)

    async def standings(self) -> list[GroupStanding]:
        """Return where the services and their writers are."""
        async with kafka_admin(self.address) as admin:
            return [one for one in await admin.standings() if not one.is_lease]

    async def until_candles(self, count: int) -> None:
        """Return when so many batches of candles have been published."""

        async def is_so() -> bool:
            return len(await self.events("candles")) >= count

        await until(is_so, f"{count} batches of candles")

    def bus(self) -> AbstractAsyncContextManager[KafkaBus]:
        """A bus of the test's own."""
        return started_bus(KafkaBus(self.address))

    def log_of(self, name: str) -> str:
        """What a process has logged."""
        return (self.folder / "logs" / f"{name}.log").read_text()


def behind(standings: Iterable[GroupStanding]) -> int:
    """Return how many messages those who make candles and signals have not taken in yet."""
    reads = {"candle": "ticks", "strategy": "candles", "signal": "strategy_signals"}
    return sum(one.lag(reads[one.group]) for one in standings if one.group in reads)


def _ends(standings: Iterable[GroupStanding]) -> dict[TopicPartition, int]:
    """Return the ends of the topics that say what came of a day, as far as somebody reads them."""
    return {
        place: end
        for one in standings
        for place, end in one.ends.items()
        if place.topic in OUTCOME_TOPICS
    }


async def until(is_so: Callable[[], Any], what: str, every: float = 0.3) -> None:
    """Wait until something is so; fail, saying what was expected, after the deadline."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not await is_so():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(every)


def rows_of(candles: dict[tuple[str, str, int], Candle]) -> list[str]:
    """Candles as the lines of a replay's candles.csv."""
    ordered = sorted(candles.values(), key=lambda c: (c.tradingsymbol, c.interval, c.opened_ms))
    return sorted(candle_table(ordered).splitlines())


def by_id(events: list[Event]) -> dict[str, dict[str, Any]]:
    """Event id → the whole event."""
    return {str(event.event_id): json.loads(event.model_dump_json()) for event in events}
