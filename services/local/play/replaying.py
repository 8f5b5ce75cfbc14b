"""Plays a day once through all services at full speed, with the same outcome each time."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from libs.events.bus import started_bus
from libs.events.embedded.bus import LocalBus
from libs.events.orders import OrderEvent
from libs.events.signals import ExecutionDecided
from libs.events.topics import MARKET_TOPICS
from libs.runtime.clock import FeedClock
from libs.runtime.kite import kite_rest
from libs.runtime.service import is_writer
from libs.store.store import Store
from services.ingest.feed import Feed
from services.local.play.exchange import (
    CLOCK,
    TIMEOUT_SECONDS,
    LocalExchange,
    local_exchange,
    until,
)
from services.local.play.outcome import Outcome
from services.local.play.reconciliation import order_differences, position_differences
from services.local.play.stopping import beside
from services.local.play.system import (
    System,
    Wiring,
    paper_venue,
    settled,
)
from services.local.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class Played:
    """The outcome of a run, and its figures."""

    outcome: Outcome
    summary: dict[str, Any]


def lockstep_bus(settings: LocalSettings) -> LocalBus:
    """Return a bus that delivers one message at a time, in publish order; tables fill aside."""
    partitions = dict.fromkeys(MARKET_TOPICS, settings.bus.market_partitions)
    return LocalBus(lockstep=True, is_aside=is_writer, partitions=partitions)


async def play(
    settings: LocalSettings, feed: Feed, store: Store, on_frame: Callable[[int], None]
) -> Played:
    """Play a whole feed, one message at a time in publish order."""
    bus = lockstep_bus(settings)
    wiring = Wiring(feed, FeedClock(), paper_venue(settings), settled(bus, on_frame))
    system = System(settings, bus, store, wiring)
    began = time.monotonic()
    async with started_bus(bus), Outcome(bus) as outcome, system:
        await system.run(asyncio.Event())
    return Played(outcome, summarise(system, outcome, time.monotonic() - began))


async def play_exchange(
    settings: LocalSettings,
    on: date,
    seed: int,
    store: Store,
    var: Path,
    on_frame: Callable[[int], None],
) -> Played:
    """Play a simulated exchange's day over HTTP and its websocket, with orders sent to it.

    Each second of the market begins once the last one is handled, so the outcome does not depend on
    the speed of the machine.
    """
    bus, began = lockstep_bus(settings), time.monotonic()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(started_bus(bus))
        exchange = local_exchange(settings, on, seed, var, is_lockstep=True)
        local = await stack.enter_async_context(exchange)
        outcome = await stack.enter_async_context(Outcome(bus))
        system = System(settings, bus, store, local.wiring(settings.ingest))
        await stack.enter_async_context(system)

        async def settle() -> None:
            await local.received()
            await until(lambda: not system.described("executor")["is_busy"], TIMEOUT_SECONDS)
            await bus.idle()

        async def pace(now_ms: int) -> None:
            on_frame(now_ms)

        ending = asyncio.Event()
        await beside(system.run(ending), local.play(settle, pace), ending)
        broker = await _beside_broker(local, outcome)
    return Played(outcome, summarise(system, outcome, time.monotonic() - began) | broker)


async def _beside_broker(local: LocalExchange, outcome: Outcome) -> dict[str, Any]:
    """Return the broker's counts, and the differences between its books and ours."""
    rest = kite_rest(local.kite, CLOCK)
    try:
        orders, trades = await rest.orders(), await rest.trades()
        positions = (await rest.positions())["net"]
    finally:
        await rest.close()
    events = [event for event in outcome.events["orders"] if isinstance(event, OrderEvent)]
    differences = (*order_differences(events, orders), *position_differences(events, positions))
    return {
        "broker_orders": len(orders),
        "broker_trades": len(trades),
        "broker_positions": len(positions),
        "broker_differences": differences,
        "seconds_unsettled": local.timeouts,
    }


def summarise(system: System, outcome: Outcome, seconds: float) -> dict[str, Any]:
    """Return the figures of a run, as in `summary.json`; money in rupees."""
    candles = system.described("candle")
    history = outcome.history
    return {
        "trading_day": system.wiring.feed.trading_day,
        "mode": system.settings.executor.mode,
        "ticks": system.described("ingest")["ticks"],
        "ticks_rejected": _sorted(candles["ticks_rejected"]),
        "ticks_flagged": _sorted(candles["ticks_flagged"]),
        "history_days": history.days if history else (),
        "history_gaps": history.gaps if history else (),
        "candles": len(outcome.candles()),
        **outcome.day.figures(),
        "decisions": outcome.day.count(ExecutionDecided),
        "dead_letters": system.dead_letters(),
        "seconds_by_stage": system.seconds_by_stage(),
        "elapsed_seconds": round(seconds, 2),
        "sha256": outcome.sha256(),
    }


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}
