"""`alphastocks up --kafka`: the six services as processes, on Kafka and ClickHouse.

Servers that the settings do not name are started here and ended again; so is the simulated Kite,
unless a real account is followed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.runtime.process import kafka_address
from libs.runtime.runner import stop_on_signals
from libs.runtime.settings import KiteSettings
from libs.servers.kafka.server import LocalKafka
from libs.store.store import StoreAddress
from services.ingest.pace import paced
from services.local.catalogue import START_ORDER
from services.local.commands.topics import ensure_topics
from services.local.play.database import open_database
from services.local.play.exchange import LocalExchange, lasting_exchange
from services.local.play.fleet import Fleet, OnNews
from services.local.play.serving import OnStart, Resumption, at_once, resume
from services.local.settings import LocalSettings

JARS = Path("var/kafka/jars")
SETTLE_SECONDS = 10.0
"""How long the services get to take in the end of the session."""


class Servers(NamedTuple):
    """Where the processes find what they share."""

    kafka: KafkaAddress
    database: StoreAddress


async def serve_simulated_on_kafka(
    settings: LocalSettings, var: Path, first_day: date, seed: int, on_start: OnStart, tell: OnNews
) -> None:
    """Run on a simulated exchange until SIGTERM, SIGINT or the end of the session.

    A restart goes on where it stopped; the exchange remembers the account of the day. Raises
    ProcessFailed for a service that cannot run.
    """
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(_servers(settings, var, "up", tell))
        resumption = await _where_it_stopped(servers.kafka, first_day)
        day, from_ms = resumption.day, resumption.from_ms
        exchange = lasting_exchange(settings, day, seed, var, from_ms)
        local = await stack.enter_async_context(exchange)
        own = on_servers(settings, servers, local.kite)
        fleet = await stack.enter_async_context(_fleet(own, var, tell))
        on_start(day, from_ms, [(member.service, member.port) for member in fleet.members])
        playing = asyncio.create_task(_play(settings, local, stopping))
        try:
            await fleet.watch(stopping)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def serve_kite_on_kafka(
    settings: LocalSettings, var: Path, today: date, on_start: OnStart, tell: OnNews
) -> None:
    """Run on the account of the settings until SIGTERM or SIGINT; raise ProcessFailed."""
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(_servers(settings, var, "kite", tell))
        own = on_servers(settings, servers, settings.kite)
        fleet = await stack.enter_async_context(_fleet(own, var, tell))
        on_start(today, None, [(member.service, member.port) for member in fleet.members])
        await fleet.watch(stopping)


def on_servers(settings: LocalSettings, servers: Servers, kite: KiteSettings) -> LocalSettings:
    """Return settings that lead each service to these servers."""
    database = servers.database
    bus = {"kind": "kafka", "bootstrap": servers.kafka.bootstrap}
    store = {
        "host": database.host,
        "port": database.port,
        "user": database.user,
        "password": SecretStr(database.password),
        "database": database.database,
    }
    session = {"session_file": kite.session_file.absolute()}
    return settings.model_copy(
        update={
            "bus": settings.bus.model_copy(update=bus),
            "store": settings.store.model_copy(update=store),
            "ingest": settings.ingest.model_copy(update={"source": "kite"}),
            "kite": kite.model_copy(update=session),
        }
    )


@asynccontextmanager
async def _servers(
    settings: LocalSettings, var: Path, database: str, tell: OnNews
) -> AsyncIterator[Servers]:
    """Yield the servers that the settings name, or some of our own, with topics and tables."""
    async with AsyncExitStack() as stack:
        if settings.bus.kind == "kafka":
            kafka = kafka_address(settings.bus)
        else:
            tell("starting Kafka; the first time, it is fetched")
            kafka = (await stack.enter_async_context(LocalKafka(var / "kafka", JARS))).address
        await ensure_topics(settings, kafka)
        tell("starting ClickHouse" if not settings.store.host else "looking at the tables")
        store = await stack.enter_async_context(open_database(settings.store, var, database))
        yield Servers(kafka, store)


@asynccontextmanager
async def _fleet(settings: LocalSettings, var: Path, tell: OnNews) -> AsyncIterator[Fleet]:
    async with Fleet(settings, var / "logs", settings.runtime.port, tell) as fleet:
        for entry in START_ORDER:
            port = settings.runtime.port + entry.port_offset
            await fleet.start(entry.name, port=port)
        yield fleet


async def _where_it_stopped(address: KafkaAddress, first_day: date) -> Resumption:
    bus = KafkaBus(address)
    await bus.start()
    try:
        return await resume(bus, first_day)
    finally:
        await bus.stop()


async def _play(settings: LocalSettings, local: LocalExchange, stopping: asyncio.Event) -> None:
    """Let the market go on to its close, then end everything."""
    await local.play(at_once, paced(settings.simulator.speed, asyncio.sleep))
    await asyncio.sleep(SETTLE_SECONDS)
    stopping.set()
