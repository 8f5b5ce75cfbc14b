"""`alphastocks up`: all services in one process at the feed's own pace, until they are stopped."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from libs.events.bus import Bus
from libs.events.candles import CandleBatch
from libs.events.codec import event_of
from libs.events.journal import Journal
from libs.events.local import LocalBus
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.clock import FeedClock
from libs.runtime.process import checkpoint_policy
from libs.runtime.runner import endpoints, stop_on_signals
from libs.store.store import Store
from services.ingest.pace import paced
from services.local.feeds import GeneratedFeed
from services.local.replaying import MARKET_TOPICS
from services.local.settings import LocalSettings
from services.local.system import System, started_bus
from services.simulator.domain.market import SyntheticMarket

HISTORY_DAYS = 5


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where the journal left off: the day, and the close of its last one-minute candle."""

    day: date
    from_ms: int | None


async def serve(
    settings: LocalSettings,
    store: Store,
    var: Path,
    first_day: date,
    seed: int,
    on_start: Callable[[Resumption, list[tuple[str, int]]], None],
) -> None:
    """Run until SIGTERM, SIGINT or the end of the session; a restart goes on where it stopped."""
    partitions = dict.fromkeys(MARKET_TOPICS, settings.bus.market_partitions)
    bus = LocalBus(partitions=partitions, journal=Journal(var / "journal"))
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(started_bus(bus))
        resumption = await resume(bus, first_day)
        system = _system(settings, bus, store, resumption, seed)
        await stack.enter_async_context(system)
        ports = await _listen(system, settings, stack)
        on_start(resumption, ports)
        await system.run(stopping)


async def resume(bus: Bus, first_day: date) -> Resumption:
    """Return where to go on; a day whose session is over gives way to the next trading day."""
    closed: dict[date, dict[int, int]] = {}
    async for message in bus.read(["candles"]):
        event = event_of(message)
        if isinstance(event, CandleBatch) and event.interval == "1m":
            of_day = closed.setdefault(event.trading_day, {})
            of_day[event.partition] = max(of_day.get(event.partition, 0), *event.columns.closes_ms)
    if not closed:
        return Resumption(first_day, None)
    calendar, day = load_calendar(), max(closed)
    closed_ms = min(closed[day].values())  # a crash may have come between two partitions
    if closed_ms < calendar.sessions("NSE", day)[-1].close_ms:
        return Resumption(day, closed_ms)
    return Resumption(calendar.next_trading_day("NSE", day), None)


def _system(
    settings: LocalSettings, bus: LocalBus, store: Store, resumption: Resumption, seed: int
) -> System:
    market = SyntheticMarket(seed, resumption.day, load_calendar(), load_rulebook())
    return System(
        settings=settings,
        feed=GeneratedFeed(market, resumption.day, HISTORY_DAYS, resumption.from_ms),
        bus=bus,
        clock=FeedClock(),
        store=store,
        pace=paced(settings.ingest.speed, asyncio.sleep),
        policy=checkpoint_policy(settings.runtime),
    )


async def _listen(
    system: System, settings: LocalSettings, stack: AsyncExitStack
) -> list[tuple[str, int]]:
    """Serve the endpoints of each service, on ports that follow one another."""
    ports = []
    for number, runner in enumerate(system.runners):
        port = settings.runtime.port + number
        await stack.enter_async_context(endpoints(runner, settings.runtime.host, port))
        ports.append((runner.service.name, port))
    return ports
