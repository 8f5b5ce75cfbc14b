"""A feed played once through all services at full speed, with the same outcome each time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from libs.events.local import LocalBus
from libs.events.orders import OrderFilled, OrderPlanned
from libs.events.signals import (
    ExecutionDecided,
    SignalGenerated,
    SignalRejected,
    StrategySignal,
)
from libs.runtime.clock import FeedClock
from libs.runtime.process import checkpoint_policy
from libs.store.store import Store
from services.ingest.feed import Feed
from services.local.outcome import Outcome
from services.local.settings import LocalSettings
from services.local.system import System, settled, started_bus

MARKET_TOPICS = ("ticks", "candles", "historical_candles")


@dataclass(frozen=True, slots=True)
class Played:
    """What a run gave, and what it says of itself."""

    outcome: Outcome
    summary: dict[str, Any]


async def play(
    settings: LocalSettings, feed: Feed, store: Store, on_frame: Callable[[int], None]
) -> Played:
    """Play a feed from its first frame to its last, one message at a time in publish order."""
    partitions = dict.fromkeys(MARKET_TOPICS, settings.bus.market_partitions)
    bus = LocalBus(lockstep=True, partitions=partitions)
    system = System(
        settings=settings,
        feed=feed,
        bus=bus,
        clock=FeedClock(),
        store=store,
        pace=settled(bus, on_frame),
        policy=checkpoint_policy(settings.runtime),
    )
    began = time.monotonic()
    async with started_bus(bus), Outcome(bus) as outcome, system:
        await system.run(asyncio.Event())
    return Played(outcome, summarise(system, outcome, time.monotonic() - began))


def summarise(system: System, outcome: Outcome, seconds: float) -> dict[str, Any]:
    """Return the figures of a run, as `summary.json` holds them; money in rupees."""
    candles = system.described("candle")
    money = outcome.money()
    history = outcome.history
    return {
        "trading_day": system.feed.trading_day,
        "mode": system.settings.executor.mode,
        "ticks": system.described("ingest")["ticks"],
        "ticks_rejected": _sorted(candles["ticks_rejected"]),
        "ticks_flagged": _sorted(candles["ticks_flagged"]),
        "history_days": history.days if history else (),
        "history_gaps": history.gaps if history else (),
        "candles": len(outcome.candles()),
        "strategy_signals": outcome.count(StrategySignal),
        "signals": outcome.count(SignalGenerated),
        "signals_rejected": outcome.count(SignalRejected),
        "decisions": outcome.count(ExecutionDecided),
        "orders": outcome.count(OrderPlanned),
        "fills": outcome.count(OrderFilled),
        **outcome.position_counts(),
        "realised_pnl": money["realised"],
        "charges": money["charges"],
        "net_pnl": money["net"],
        "dead_letters": system.dead_letters(),
        "seconds_by_stage": system.seconds_by_stage(),
        "elapsed_seconds": round(seconds, 2),
        "sha256": outcome.sha256(),
    }


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}
