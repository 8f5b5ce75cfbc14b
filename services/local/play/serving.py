"""`alphastocks up`: all services in one process, day after day, until they are stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

from libs.broker.errors import BrokerError
from libs.events.bus import Bus, started_bus
from libs.events.candles import CandleBatch
from libs.events.codec import event_of
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.topics import MARKET_TOPICS
from libs.market.calendar import CalendarError, load_calendar
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.clock import make_clock
from libs.runtime.runner import endpoints, stop_on_signals
from libs.runtime.settings import SettingsError
from libs.store.store import Store
from services.executor.venue import make_venue
from services.ingest.days import awaited
from services.ingest.live_feed import make_live_feed
from services.ingest.pace import paced
from services.local.catalogue import entry_of
from services.local.play.day_events import DayEvents, day_events
from services.local.play.exchange import persistent_exchange
from services.local.play.standing import Standing, standing
from services.local.play.state_folder import Wanted, check_day, seed_of
from services.local.play.stopping import beside, ending_with, first_of
from services.local.play.system import (
    System,
    Wiring,
    service_metrics,
)
from services.local.play.trading_days import OnWait, not_noted, until_open
from services.local.settings import LocalSettings

AGAIN_SECONDS = 30.0
"""How long to wait before a day is begun again that the broker has broken off."""
OnStart = Callable[[date, int | None, list[tuple[str, int]], Standing], None]
"""Called with the day, the time at which it resumes (epoch ms; None: its open), the ports, and the
executor's mode and halt."""
OnDay = Callable[[date, DayEvents, bool, Standing], None]
"""Called with a day, its events, whether its session is over, and the executor's mode and halt."""


class Reports(NamedTuple):
    """What a run reports: a day's beginning, its end or interruption, anything else, its waits."""

    on_start: OnStart
    on_day: OnDay
    notify: Callable[[str], None]
    on_wait: OnWait = not_noted


@dataclass(frozen=True, slots=True)
class Begin:
    """The market that a run begins with, unless its folder holds another one to go on with."""

    default_day: date
    default_seed: int
    wanted: Wanted

    @property
    def first_day(self) -> date:
        """The day to begin with where there is no state."""
        return self.wanted.day or self.default_day

    def check(self, folder: Path, resumed: date) -> int:
        """Return the seed; raise SettingsError if the folder goes on with another market."""
        check_day(folder, self.wanted.day, resumed)
        return seed_of(folder, self.wanted.seed, self.default_seed)


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where to resume: the day, and the close of its last one-minute candle (None: the open)."""

    day: date
    from_ms: int | None


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of `up` in this process: what stays the same over its days."""

    settings: LocalSettings
    bus: LocalBus
    store: Store
    var: Path
    reports: Reports
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, resumption: Resumption, seed: int) -> None:
        """Play a day on a simulated exchange to its end, or until all is to stop."""
        settings, day, from_ms = self.settings, resumption.day, resumption.from_ms
        exchange = persistent_exchange(settings, day, seed, self.var, from_ms)
        async with exchange as local, ending_with(self.stopping) as ending:
            speed = settings.simulator.speed
            wiring = replace(local.wiring(settings.ingest, speed), lasts=True)
            async with self._started(wiring, from_ms) as system:
                market = local.play(no_settling, paced(speed, asyncio.sleep))
                await beside(system.run(ending), market, ending)
        await self._tell(day)

    async def follow(self) -> date:
        """Follow an account's day to its end, or until all is to stop; return the day."""
        wiring = account_wiring(self.settings)
        async with self._started(wiring, None) as system, ending_with(self.stopping) as ending:
            day = wiring.feed.trading_day
            await system.run(ending)
        await self._tell(day)
        return day

    async def follow_again(self, played: date | None) -> date | None:
        """Follow a day and return it; `played` where the broker has broken it off for a time."""
        try:
            return await self.follow()
        except BrokerError as error:
            if not awaited(error):
                raise
            self.reports.notify(f"{error}; the day is begun again in {AGAIN_SECONDS:g} s")
            await first_of(self.stopping, asyncio.sleep(AGAIN_SECONDS))
            return played

    @asynccontextmanager
    async def _started(self, wiring: Wiring, from_ms: int | None) -> AsyncIterator[System]:
        async with AsyncExitStack() as stack:
            system = System(self.settings, self.bus, self.store, wiring)
            await stack.enter_async_context(system)
            ports = await _listen(system, self.settings, stack)
            now = await standing(self.bus, self.settings.executor)
            self.reports.on_start(wiring.feed.trading_day, from_ms, ports, now)
            yield system

    async def _tell(self, day: date) -> None:
        events = await day_events(self.bus, day)
        now = await standing(self.bus, self.settings.executor)
        self.reports.on_day(day, events, not self.stopping.is_set(), now)


async def serve_simulated(
    settings: LocalSettings, store: Store, var: Path, begin: Begin, reports: Reports
) -> None:
    """Run on a simulated exchange, one trading day after another, until SIGTERM or SIGINT.

    A restart resumes where the last run stopped, with the account of the day.
    """
    run = _Run(settings, _journalled_bus(settings, var), store, var, reports)
    stop_on_signals(run.stopping)
    async with started_bus(run.bus):
        resumption = await resume(run.bus, begin.first_day)
        seed = begin.check(var, resumption.day)
        await run.play(resumption, seed)
        while not run.stopping.is_set():
            resumption = day_after(resumption.day)
            await run.play(resumption, seed)


async def serve_kite(settings: LocalSettings, store: Store, var: Path, reports: Reports) -> None:
    """Run on the account of the settings, day after day, until SIGTERM or SIGINT.

    Without a session it waits for a login.
    """
    run = _Run(settings, _journalled_bus(settings, var), store, var, reports)
    stop_on_signals(run.stopping)
    played: date | None = None
    async with started_bus(run.bus):
        while await first_of(
            run.stopping, until_open(settings, played, reports.notify, reports.on_wait)
        ):
            played = await run.follow_again(played)


def account_wiring(settings: LocalSettings) -> Wiring:
    """Return the wiring to the account of the settings."""
    kite, kind, metrics = settings.kite, settings.runtime.clock, service_metrics()
    clock = make_clock(kind, settings.runtime.pace)
    sections = BrokerSections(kite=kite)
    feed = make_live_feed("kite", settings.ingest, sections, kind, metrics["ingest"])
    venue = make_venue(settings.executor, kite, kind, clock, metrics["executor"])
    return Wiring(feed, clock, venue, metrics=metrics, lasts=True)


async def no_settling() -> None:
    """Do not wait for the services: the market goes at its own pace."""


def _journalled_bus(settings: LocalSettings, var: Path) -> LocalBus:
    partitions = dict.fromkeys(MARKET_TOPICS, settings.bus.market_partitions)
    return LocalBus(partitions=partitions, journal=Journal(var / "journal"))


async def resume(bus: Bus, first_day: date) -> Resumption:
    """Return where to resume; after the end of a session, at the next trading day."""
    closed: dict[date, dict[int, int]] = {}
    async for message in bus.read(["candles"]):
        event = event_of(message)
        if isinstance(event, CandleBatch) and event.interval == "1m":
            of_day = closed.setdefault(event.trading_day, {})
            of_day[event.partition] = max(of_day.get(event.partition, 0), *event.columns.closes_ms)
    if not closed:
        return Resumption(first_day, None)
    day = max(closed)
    closed_ms = min(closed[day].values())  # a crash may have left one partition behind
    if closed_ms < load_calendar().sessions("NSE", day)[-1].close_ms:
        return Resumption(day, closed_ms)
    return day_after(day)


def day_after(day: date) -> Resumption:
    """Return the next trading day from its open; SettingsError if the calendar knows none."""
    try:
        return Resumption(load_calendar().next_trading_day("NSE", day), None)
    except CalendarError as error:
        raise SettingsError(f"no further trading day is known: {error}") from None


async def _listen(
    system: System, settings: LocalSettings, stack: AsyncExitStack
) -> list[tuple[str, int]]:
    """Serve the endpoints of each service, each on a port of its own."""
    ports = []
    for runner in system.runners:
        port = settings.runtime.port + entry_of(runner.service.name).port_offset
        await stack.enter_async_context(
            endpoints(runner, settings.runtime.host, port, settings.runtime.hosts)
        )
        ports.append((runner.service.name, port))
    return ports
