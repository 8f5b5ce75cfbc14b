"""The strategy service: candles in, strategy signals out, signals stored."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from libs.events.candles import Candle
from libs.events.control import HistoryLoaded
from libs.events.event import utc_from_ms
from libs.market.calendar import day_in_india, load_calendar
from libs.runtime.logs import logger_of
from libs.runtime.metrics import StrategyMetrics
from libs.runtime.past import past_events
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from libs.runtime.subscription import Emit, Subscription
from libs.strategy.strategy import Strategy
from services.strategy.domain.gaps import gap_rule
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.patches import at_close
from services.strategy.domain.registry import KnownStrategies, make_strategy
from services.strategy.domain.rows import strategy_signals
from services.strategy.domain.strategy_run import StrategyRun
from services.strategy.finding import known_strategies
from services.strategy.handler import PatchHandler, StrategyHandler
from services.strategy.history import CandleHistory, last_history_loaded
from services.strategy.settings import StrategyChoice, StrategySettings


def make_service(
    settings: StrategySettings, parts: Parts, known: KnownStrategies | None = None
) -> Service:
    """Return the service around a StrategyHost; UnknownStrategy, SettingsError for wrong settings.

    `known`: strategies by name, by default the built-in and installed ones.
    """
    named = {one.name for one in settings.strategies}
    known = known_strategies(settings.folder, named) if known is None else known
    log = logger_of("strategy")
    for source, reason in known.broken.items():
        log.warning("strategy cannot be loaded", source=source, reason=reason)
    makers = tuple(_maker(choice, known, settings.periods) for choice in settings.strategies)
    host = StrategyHost(makers, gap_rule(load_calendar(), settings.missing_candles))
    handler = StrategyHandler(
        host,
        parts.metrics.strategy,
        log,
        settings.time_limit_seconds,
        parts.is_replay,
        lambda: past_events(parts.bus, ["historical_candles"], log),
    )

    async def prepare(emit: Emit) -> None:
        await _warm_up(handler, settings, parts, emit)

    candles = Subscription(
        group="strategy",
        topics=("candles",),
        handler=handler,
        state=handler,
    )
    patches = Subscription(
        group=parts.of_member("strategy.patches"),
        topics=("historical_candles",),
        handler=PatchHandler(handler),
        restore_topics=("historical_candles",),
    )
    tables = {"strategy_signals": (("strategy_signals",), strategy_signals)}
    return Service(
        name="strategy",
        subscriptions=(patches, candles, *parts.writers("strategy", tables)),
        prepare=prepare,
        looks_up=("control",),
        measure=lambda: _measure(host, parts.metrics.strategy),
        waiting=parts.waiting,
        describe=lambda: {"strategies": [_described(run) for run in host.runs]},
    )


def _measure(host: StrategyHost, measured: StrategyMetrics) -> None:
    for name, is_stopped in host.stopped().items():
        measured.is_stopped.labels(name).set(is_stopped)
        cold = max(len(run.cold()) for run in host.runs if run.name == name)
        measured.cold.labels(name).set(cold)


def _described(run: StrategyRun) -> dict[str, Any]:
    """Return what /info shows of a strategy; the instruments that it is silent on come first."""
    return {
        "name": run.name,
        "version": run.sample.version,
        "parameters": run.sample.parameters,
        "interval": run.sample.interval,
        "stopped": run.stopped.reason if run.stopped else None,
        "refused_signals": run.refused,
        "last_refusal": run.last_refusal or None,
        "cold": [
            {
                "instrument": one.instrument,
                "candles_missing": one.missing,
                "since": one.since_ms and utc_from_ms(one.since_ms).isoformat(),
                "reason": one.reason,
            }
            for one in run.cold()[:COLD_SHOWN]
        ],
    }


_POLL_SECONDS = 0.5
COLD_SHOWN = 50
"""Instruments that /info lists of those on which a strategy is silent."""


async def _warm_up(
    handler: StrategyHandler, settings: StrategySettings, parts: Parts, emit: Emit
) -> None:
    """Feed stored history to the strategies; without any they start cold."""
    log, host = logger_of("strategy"), handler.host
    loaded = await _history_loaded(parts, log)
    if loaded is not None and parts.store is not None:
        history = CandleHistory(parts.store, settings.periods, settings.history_wait_seconds)
        await history.wait_until_stored(loaded, log)
        earlier = [day for day in loaded.days if day < loaded.trading_day]
        candles = [
            candle
            for interval in host.intervals
            for candle in await history.candles(earlier, interval)
        ]
        await handler.warm(sorted(candles, key=_at_close))
    else:
        log.warning("strategies start cold: no history is loaded")
    if loaded is not None:
        parts.clock.remember(loaded.occurred_ms)
        host.patches.begin(loaded.trading_day)
        host.patches.intervals = frozenset(loaded.patched)
    now_ms = parts.clock.now_ms()
    day = loaded.trading_day if loaded else day_in_india(now_ms)
    for event in host.started(day, now_ms):
        await emit(event)


def _at_close(candle: Candle) -> tuple[int, int, str]:
    """Order of candles as they are published live: by close, the shorter interval first."""
    return (*at_close(candle), candle.key)


async def _history_loaded(
    parts: Parts, log: structlog.typing.FilteringBoundLogger
) -> HistoryLoaded | None:
    """Return ingest's last HistoryLoaded; wait for one if the bus keeps `control`."""
    loaded = await last_history_loaded(parts.bus, log)
    if loaded is not None or not parts.bus.keeps("control"):
        return loaded
    log.warning("waiting for ingest to open a trading day and load history")
    with parts.waiting.on("ingest to open a trading day and load history"):
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if (loaded := await last_history_loaded(parts.bus, log)) is not None:
                return loaded


def _maker(choice: StrategyChoice, known: KnownStrategies, periods: int) -> Callable[[], Strategy]:
    made = make_strategy(choice.name, choice.parameters, known)
    if made.history_needed > periods:
        raise SettingsError(
            f"strategy.periods: {periods} candles are fewer than the {made.history_needed} that "
            f"{choice.name} needs before its signals count"
        )
    return lambda: make_strategy(choice.name, choice.parameters, known)
