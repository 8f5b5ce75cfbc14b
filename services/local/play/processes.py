"""`alphastocks up --kafka`: the six services as processes, on Kafka and ClickHouse.

Servers that the settings do not name are started and stopped here. So is the simulated Kite, unless
a real account is followed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import SecretStr

from libs.events.bus import started_bus
from libs.events.control import HistoryLoaded
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.market.calendar import load_calendar
from libs.market.market_hours import MarketHours
from libs.market.rupees import grouped
from libs.runtime.clock import WallClock
from libs.runtime.logs import logger_of
from libs.runtime.outage import Outage, after, outages_told, until_answered
from libs.runtime.past import past_events
from libs.runtime.process import kafka_address
from libs.runtime.runner import stop_on_signals
from libs.runtime.settings import KiteSettings
from libs.servers.kafka.server import LocalKafka
from libs.store.store import StoreAddress
from services.ingest.pace import paced
from services.local.catalogue import START_ORDER
from services.local.commands.topics import ensure_topics, kafka_outage
from services.local.play.database import open_database
from services.local.play.day_events import DayEvents, day_events
from services.local.play.draining import KafkaPlaces, drained
from services.local.play.exchange import LocalExchange, persistent_exchange
from services.local.play.fleet import Fleet, Notify
from services.local.play.running_servers import RunningServers, announced
from services.local.play.serving import Begin, Reports, Resumption, day_after, no_settling, resume
from services.local.play.standing import Standing, standing
from services.local.play.stopping import beside, ending_with
from services.local.play.trading_days import is_after_close, until_closed, until_opening
from services.local.settings import LocalSettings

JARS = Path("var/kafka/jars")
SETTLE_SECONDS = 10.0
"""How long the broker may take to tell of the end of the session."""
T = TypeVar("T")
OnServers = Callable[[RunningServers], None]
"""Called with the addresses of the servers."""


class Servers(NamedTuple):
    """Addresses of the servers that the processes share."""

    kafka: KafkaAddress
    database: StoreAddress

    @property
    def announced(self) -> RunningServers:
        """Where they are, for a person."""
        database = self.database
        return RunningServers(
            self.kafka.bootstrap, f"{database.host}:{database.port}/{database.database}"
        )


async def serve_simulated_on_kafka(
    settings: LocalSettings, var: Path, begin: Begin, reports: Reports, on_servers: OnServers
) -> None:
    """Run on a simulated exchange, one trading day after another, until SIGTERM or SIGINT.

    A restart resumes where the last run stopped, with the account of the day. Raises ProcessFailed
    for a service that cannot run.
    """
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with _servers(settings, var, "up", reports.notify) as servers:
        run = _Run(settings, servers, var, reports, stopping)
        async with started_bus(KafkaBus(servers.kafka)) as bus:
            resumption = await resume(bus, begin.first_day)
        seed = begin.check(var, resumption.day)
        on_servers(servers.announced)
        await run.play(resumption, seed)
        while not run.stopping.is_set():
            resumption = day_after(resumption.day)
            await run.play(resumption, seed)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of `up --kafka` on a simulated exchange: what stays the same over its days."""

    settings: LocalSettings
    servers: Servers
    var: Path
    reports: Reports
    stopping: asyncio.Event

    async def play(self, resumption: Resumption, seed: int) -> None:
        """Play a day to its end, or until all is to stop."""
        day, from_ms = resumption.day, resumption.from_ms
        exchange = persistent_exchange(self.settings, day, seed, self.var, from_ms)
        async with exchange as local, ending_with(self.stopping) as ending:
            own = with_servers(self.settings.at_market_pace(), self.servers, local.kite)
            async with _fleet(own, self.var, self.reports.notify) as fleet:
                ports = [(member.service, member.port) for member in fleet.members]
                now = await self._answered(lambda: _standing(self.settings, self.servers.kafka))
                self.reports.on_start(day, from_ms, ports, now)
                left = await self._watch(fleet, local, ending)
        result = await self._answered(lambda: _result(self.settings, self.servers.kafka, day))
        _tell(self.reports, day, result, left or 0, not self.stopping.is_set())

    async def _watch(self, fleet: Fleet, local: LocalExchange, ending: asyncio.Event) -> int | None:
        """Return how many messages are left at the end of the day; None if it is interrupted."""
        playing = _play(self.settings, self.servers.kafka, local, ending)
        return await beside(fleet.watch(ending), playing, ending)

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await _answered(ask, self.stopping.is_set)


async def serve_kite_on_kafka(
    settings: LocalSettings, var: Path, today: date, reports: Reports, on_servers: OnServers
) -> None:
    """Run on the account of the settings until SIGTERM or SIGINT; raise ProcessFailed.

    The services wait for each trading day by themselves.
    """
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with _servers(settings, var, "kite", reports.notify) as servers:
        on_servers(servers.announced)
        own = with_servers(settings, servers, settings.kite)
        async with _fleet(own, var, reports.notify) as fleet:
            ports = [(member.service, member.port) for member in fleet.members]
            now = await _answered(lambda: _standing(settings, servers.kafka), stopping.is_set)
            reports.on_start(today, None, ports, now)
            telling = _tell_days(settings, servers.kafka, reports)
            await beside(fleet.watch(stopping), telling, stopping)
        day = await _last_day(servers.kafka)
        if day is not None:
            by_wall, hours = settings.runtime.clock == "wall", _hours(settings)
            is_over = by_wall and is_after_close(hours, day, WallClock().now_ms())
            _tell(reports, day, await _result(settings, servers.kafka, day), 0, is_over)


async def _tell_days(settings: LocalSettings, kafka: KafkaAddress, reports: Reports) -> None:
    """Tell each day at its close, and which one is next; with a simulator's clock nothing."""
    played: date | None = None
    hours = _hours(settings)
    while settings.runtime.clock == "wall":
        day = await until_opening(hours, played, reports.notify, WallClock().now_ms)
        await until_closed(hours, day, WallClock().now_ms)
        left = await _settled(kafka)
        result = await _answered(lambda day=day: _result(settings, kafka, day))  # type: ignore[misc]
        _tell(reports, day, result, left, True)
        played = day


def _hours(settings: LocalSettings) -> MarketHours:
    """Return the hours of what is followed."""
    return MarketHours(load_calendar(), settings.ingest.universe.exchanges)


def _tell(reports: Reports, day: date, result: "_Result", left: int, is_over: bool) -> None:
    """Report a day; say so if the services have still to handle messages of it."""
    if left:
        reports.notify(
            f"{grouped(left)} messages are not handled yet: the figures of {day} are not final"
        )
    reports.on_day(day, result.events, is_over, result.standing)


def with_servers(settings: LocalSettings, servers: Servers, kite: KiteSettings) -> LocalSettings:
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
        servers = Servers(kafka, store)
        if settings.bus.kind != "kafka":  # another command finds those of the settings there
            stack.enter_context(announced(var, servers.announced))
        async with outages_told(KafkaBus(kafka).ping, outage):
            yield servers


@asynccontextmanager
async def _fleet(settings: LocalSettings, var: Path, notify: Notify) -> AsyncIterator[Fleet]:
    async with Fleet(settings, var / "logs", settings.runtime.port, notify) as fleet:
        for entry in START_ORDER:
            port = settings.runtime.port + entry.port_offset
            await fleet.start(entry.name, port=port)
        yield fleet


class _Result(NamedTuple):
    events: DayEvents
    standing: Standing


async def _result(settings: LocalSettings, address: KafkaAddress, day: date) -> _Result:
    async with started_bus(KafkaBus(address)) as bus:
        return _Result(await day_events(bus, day), await standing(bus, settings.executor))


async def _standing(settings: LocalSettings, address: KafkaAddress) -> Standing:
    async with started_bus(KafkaBus(address)) as bus:
        return await standing(bus, settings.executor)


async def _answered(
    ask: Callable[[], Awaitable[T]], is_given_up: Callable[[], bool] = lambda: False
) -> T:
    """Ask Kafka until it answers; its outages are told by the one who watches it."""
    untold = Outage(lambda _reason, _seconds: None, lambda _seconds: None)
    return await until_answered(ask, untold, is_given_up)


async def _settled(address: KafkaAddress) -> int:
    """Wait for the end of the session to be handled; return how many messages are left."""
    await asyncio.sleep(SETTLE_SECONDS)
    places, now = KafkaPlaces(address), asyncio.get_running_loop().time
    return await _answered(lambda: drained(places, now))


async def _last_day(address: KafkaAddress) -> date | None:
    """Return the last day whose history was loaded."""
    async with started_bus(KafkaBus(address)) as bus:
        control = past_events(bus, ["control"], logger_of("local"))
        days = [one.trading_day async for one in control if isinstance(one, HistoryLoaded)]
    return max(days, default=None)


async def _play(
    settings: LocalSettings, kafka: KafkaAddress, local: LocalExchange, ending: asyncio.Event
) -> int:
    """Play the market to its close, end the day, and return how many messages are left."""
    await local.play(no_settling, paced(settings.simulator.speed, asyncio.sleep))
    left = await _settled(kafka)
    ending.set()
    return left
