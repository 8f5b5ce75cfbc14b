"""`alphastocks up`: all services in one process, until they are stopped."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from libs.events.bus import Bus
from libs.events.candles import CandleBatch
from libs.events.codec import event_of
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.topics import MARKET_TOPICS
from libs.market.calendar import load_calendar
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.clock import make_clock
from libs.runtime.runner import endpoints, stop_on_signals
from libs.store.store import Store
from services.executor.venue import make_venue
from services.ingest.live_feed import make_live_feed
from services.ingest.pace import paced
from services.local.catalogue import entry_of
from services.local.play.exchange import persistent_exchange
from services.local.play.system import (
    System,
    Wiring,
    running_beside,
    service_metrics,
    started_bus,
)
from services.local.settings import LocalSettings

OnStart = Callable[[date, int | None, list[tuple[str, int]]], None]
"""Called with the day, the time at which it resumes (epoch ms; None: its open), and the ports."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where to resume: the day, and the close of its last one-minute candle (None: the open)."""

    day: date
    from_ms: int | None


async def serve_simulated(
    settings: LocalSettings, store: Store, var: Path, first_day: date, seed: int, on_start: OnStart
) -> None:
    """Run on a simulated exchange until SIGTERM, SIGINT or the end of the session.

    A restart resumes where the last run stopped, with the account of the day.
    """
    stopping, bus = asyncio.Event(), _journalled_bus(settings, var)
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(started_bus(bus))
        resumption = await resume(bus, first_day)
        day, from_ms = resumption.day, resumption.from_ms
        exchange = persistent_exchange(settings, day, seed, var, from_ms)
        local = await stack.enter_async_context(exchange)
        wiring = replace(local.wiring(settings.ingest), lasts=True)
        system = System(settings, bus, store, wiring)
        await stack.enter_async_context(system)
        on_start(day, from_ms, await _listen(system, settings, stack))
        market = local.play(no_settling, paced(settings.simulator.speed, asyncio.sleep))
        await running_beside(system, market, stopping)


async def serve_kite(settings: LocalSettings, store: Store, var: Path, on_start: OnStart) -> None:
    """Run on the account of the settings until SIGTERM, SIGINT or the end of the session."""
    stopping, bus = asyncio.Event(), _journalled_bus(settings, var)
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(started_bus(bus))
        wiring = account_wiring(settings)
        system = System(settings, bus, store, wiring)
        await stack.enter_async_context(system)
        on_start(wiring.feed.trading_day, None, await _listen(system, settings, stack))
        await system.run(stopping)


def account_wiring(settings: LocalSettings) -> Wiring:
    """Return the wiring to the account of the settings."""
    kite, kind, metrics = settings.kite, settings.runtime.clock, service_metrics()
    clock = make_clock(kind)
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
    calendar, day = load_calendar(), max(closed)
    closed_ms = min(closed[day].values())  # a crash may have left one partition behind
    if closed_ms < calendar.sessions("NSE", day)[-1].close_ms:
        return Resumption(day, closed_ms)
    return Resumption(calendar.next_trading_day("NSE", day), None)


async def _listen(
    system: System, settings: LocalSettings, stack: AsyncExitStack
) -> list[tuple[str, int]]:
    """Serve the endpoints of each service, each on a port of its own."""
    ports = []
    for runner in system.runners:
        port = settings.runtime.port + entry_of(runner.service.name).port_offset
        await stack.enter_async_context(endpoints(runner, settings.runtime.host, port))
        ports.append((runner.service.name, port))
    return ports
