"""Plays a day of recorded chains with given signals through executor and position, in lockstep."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from libs.events.bus import started_bus
from libs.events.codec import record_of
from libs.events.embedded.bus import LocalBus
from libs.events.signals import ExecutionDecided, SignalGenerated
from libs.events.topics import MARKET_TOPICS
from libs.runtime.clock import FeedClock
from libs.runtime.service import is_writer
from libs.store.store import Store
from services.ingest.playing import Pace
from services.local.catalogue import START_ORDER
from services.local.play.outcome import Outcome
from services.local.play.replaying import Played
from services.local.play.system import System, Wiring, paper_venue
from services.local.recorded_chains.ages import BUDGET_SECONDS
from services.local.recorded_chains.feed import ChainFeed
from services.local.recorded_chains.market import ChainDay, figures_of
from services.local.settings import LocalSettings

SERVICES = ("ingest", "executor", "position")
"""No candles, no strategies, no rules for signals: the signals are given."""
BUDGET_MS = 1000 * BUDGET_SECONDS


def for_snapshots(settings: LocalSettings, spacing_ms: int) -> LocalSettings:
    """Return settings whose budgets and timeouts are not shorter than a market of snapshots asks.

    Quotes count for 150 s; an order waits for its next quote, which is `spacing_ms` away.
    """
    own = settings.executor
    chain = replace(
        own.chain,
        quote_budget_ms=max(own.chain.quote_budget_ms, BUDGET_MS),
        index_budget_ms=max(own.chain.index_budget_ms, BUDGET_MS),
    )
    orders = replace(
        own.orders,
        entry_timeout_ms=max(own.orders.entry_timeout_ms, spacing_ms),
        exit_timeout_ms=max(own.orders.exit_timeout_ms, spacing_ms),
    )
    executor = own.model_copy(update={"chain": chain, "orders": orders})
    return settings.model_copy(update={"executor": executor})


async def play_chains(
    settings: LocalSettings,
    chains: ChainDay,
    signals: Sequence[SignalGenerated],
    store: Store | None,
    on_frame: Callable[[int], None],
) -> Played:
    """Play all snapshots; each signal is published at its time, after a snapshot of that time."""
    bus = LocalBus(lockstep=True, is_aside=is_writer, partitions=dict.fromkeys(MARKET_TOPICS, 1))
    feed = ChainFeed(chains, tuple(one.occurred_ms for one in signals))
    pace = _with_signals(bus, signals, on_frame)
    wiring = Wiring(feed, FeedClock(), paper_venue(settings), pace)
    entries = tuple(one for one in START_ORDER if one.name in SERVICES)
    system, began = System(settings, bus, store, wiring, entries), time.monotonic()
    async with started_bus(bus), Outcome(bus) as outcome, system:
        await system.run(asyncio.Event())
    return Played(outcome, _figures(system, outcome, chains, time.monotonic() - began))


def _with_signals(
    bus: LocalBus, signals: Sequence[SignalGenerated], on_frame: Callable[[int], None]
) -> Pace:
    """Return the pace: what was published is handled, then come the signals that are due."""
    waiting = deque(sorted(signals, key=lambda one: one.occurred_ms))

    async def pace(frame_ms: int) -> None:
        await bus.idle()
        while waiting and waiting[0].occurred_ms <= frame_ms:
            await bus.publish(record_of(waiting.popleft()))
            await bus.idle()
        on_frame(frame_ms)

    return pace


def _figures(system: System, outcome: Outcome, chains: ChainDay, seconds: float) -> dict[str, Any]:
    """Return the figures of a run, as in `summary.json`; money in rupees."""
    return {
        "trading_day": chains.day,
        "mode": system.settings.executor.mode,
        "underlying": chains.underlying.name,
        "spot": "derived by put-call parity",
        **figures_of(chains),
        "ticks": system.described("ingest")["ticks"],
        **outcome.day.figures(),
        "decisions": outcome.day.count(ExecutionDecided),
        "dead_letters": system.dead_letters(),
        "seconds_by_stage": system.seconds_by_stage(),
        "elapsed_seconds": round(seconds, 2),
        "sha256": outcome.sha256(),
    }
