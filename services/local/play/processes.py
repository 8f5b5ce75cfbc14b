"""`alphastocks up --kafka`: the six services as processes, on Kafka and ClickHouse.

Servers that the settings do not name are started and stopped here. So is the simulated Kite, unless
a real account is followed.
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
from libs.runtime.outage import after, until_answered, watch
from libs.runtime.process import kafka_address
from libs.runtime.runner import stop_on_signals
from libs.runtime.settings import KiteSettings
from libs.servers.kafka.server import LocalKafka
from libs.store.store import StoreAddress
from services.ingest.pace import paced
from services.local.catalogue import START_ORDER
from services.local.commands.topics import ensure_topics, kafka_outage
from services.local.play.database import open_database
from services.local.play.exchange import LocalExchange, persistent_exchange
from services.local.play.fleet import Fleet, Notify
from services.local.play.serving import OnStart, Resumption, no_settling, resume
from services.local.settings import LocalSettings

JARS = Path("var/kafka/jars")
SETTLE_SECONDS = 10.0
"""How long the services may take to handle the end of the session."""


class Servers(NamedTuple):
    """Addresses of the servers that the processes share."""

    kafka: KafkaAddress
    database: StoreAddress


async def serve_simulated_on_kafka(
    settings: LocalSettings,
    var: Path,
    first_day: date,
    seed: int,
    on_start: OnStart,
    notify: Notify,
) -> None:
    """Run on a simulated exchange until SIGTERM, SIGINT or the end of the session.

    A restart resumes where the last run stopped, with the account of the day. Raises ProcessFailed
    for a service that cannot run.
    """
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(_servers(settings, var, "up", notify))
        resumption = await _resumption(servers.kafka, first_day)
        day, from_ms = resumption.day, resumption.from_ms
        exchange = persistent_exchange(settings, day, seed, var, from_ms)
        local = await stack.enter_async_context(exchange)
        own = on_servers(settings, servers, local.kite)
        fleet = await stack.enter_async_context(_fleet(own, var, notify))
        on_start(day, from_ms, [(member.service, member.port) for member in fleet.members])
        playing = asyncio.create_task(_play(settings, local, stopping))
        try:
            await fleet.watch(stopping)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def serve_kite_on_kafka(
    settings: LocalSettings, var: Path, today: date, on_start: OnStart, notify: Notify
) -> None:
    """Run on the account of the settings until SIGTERM or SIGINT; raise ProcessFailed."""
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(_servers(settings, var, "kite", notify))
        own = on_servers(settings, servers, settings.kite)
        fleet = await stack.enter_async_context(_fleet(own, var, notify))
        on_start(today, None, [(member.service, member.port) for member in fleet.members])
        await fleet.watch(stopping)


def on_servers(settings: LocalSettings, servers: Servers, kite: KiteSettings) -> LocalSettings:
    """Return settings with which each service connects to these servers."""
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
    settings: LocalSettings, var: Path, database: str, notify: Notify
) -> AsyncIterator[Servers]:
    """Yield the servers that the settings name, or else own ones, with topics and tables."""
    async with AsyncExitStack() as stack:
        if settings.bus.kind == "kafka":
            kafka = kafka_address(settings.bus)
        else:
            notify("starting Kafka; the first time, it is downloaded")
            kafka = (await stack.enter_async_context(LocalKafka(var / "kafka", JARS))).address
        outage = kafka_outage(notify)
        await until_answered(
            lambda: ensure_topics(settings, kafka), outage, after(settings.bus.connect_seconds)
        )
        notify("starting ClickHouse" if not settings.store.host else "checking the tables")
        store = await stack.enter_async_context(open_database(settings.store, var, database))
        watching = asyncio.create_task(watch(KafkaBus(kafka).ping, outage))
        try:
            yield Servers(kafka, store)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def _fleet(settings: LocalSettings, var: Path, notify: Notify) -> AsyncIterator[Fleet]:
    async with Fleet(settings, var / "logs", settings.runtime.port, notify) as fleet:
        for entry in START_ORDER:
            port = settings.runtime.port + entry.port_offset
            await fleet.start(entry.name, port=port)
        yield fleet


async def _resumption(address: KafkaAddress, first_day: date) -> Resumption:
    bus = KafkaBus(address)
    await bus.start()
    try:
        return await resume(bus, first_day)
    finally:
        await bus.stop()


async def _play(settings: LocalSettings, local: LocalExchange, stopping: asyncio.Event) -> None:
    """Play the market to its close, then stop everything."""
    await local.play(no_settling, paced(settings.simulator.speed, asyncio.sleep))
    await asyncio.sleep(SETTLE_SECONDS)
    stopping.set()
