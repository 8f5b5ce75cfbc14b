"""The candle service: ticks in, candles out, candles stored."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, HTTPException

from libs.events.candles import Interval
from libs.events.event import Event
from libs.market.calendar import load_calendar
from libs.runtime.consumer import Reaction, Subscription
from libs.runtime.metrics import Metrics
from libs.runtime.service import Parts, Service
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.gate import TickCounts
from services.candle.domain.rows import historical_data
from services.candle.settings import CandleSettings


def make_service(settings: CandleSettings, parts: Parts) -> Service:
    """Return the service around a CandleAggregator."""
    aggregator = CandleAggregator(load_calendar(), settings.rules, settings.segments)
    meter = _TickMeter(aggregator.counts, parts.metrics)

    def react(event: Event) -> Iterable[Event]:
        made = aggregator.on_event(event)
        meter.update()
        return made

    ticks = Subscription(
        group="candle",
        topics=("instruments", "ticks"),
        handler=Reaction(react, aggregator.restore, aggregator.resumed),
        restore_topics=("instruments", "candles"),
    )
    tables = {"historical_data": (("candles", "historical_candles"), historical_data)}
    return Service(
        name="candle",
        subscriptions=(ticks, *parts.writers("candle", tables)),
        describe=lambda: _described(aggregator.counts),
        router=_router(aggregator, parts),
    )


def _described(counts: TickCounts) -> dict[str, Any]:
    return {
        "ticks_accepted": counts.accepted,
        "ticks_rejected": dict(counts.rejected),
        "ticks_flagged": dict(counts.flagged),
    }


def _router(aggregator: CandleAggregator, parts: Parts) -> APIRouter:
    router = APIRouter()

    @router.get("/candles/{tradingsymbol}/{interval}/forming")
    def forming(tradingsymbol: str, interval: Interval) -> dict[str, float | None]:
        """Return the candle that is open now, as it stands; 404 without a tick in it."""
        values = aggregator.forming(tradingsymbol, interval, parts.clock.now_ms())
        if values is None:
            raise HTTPException(404, f"no {interval} candle of {tradingsymbol} is forming")
        names = ("open", "high", "low", "close", "volume", "ticks", "oi")
        return {name: float(getattr(values, name)[0]) for name in names}

    return router


class _TickMeter:
    """Carries the domain's counts over to the metrics."""

    def __init__(self, counts: TickCounts, metrics: Metrics) -> None:
        self._counts = counts
        self._metrics = metrics
        self._told = replace(counts, rejected=Counter(), flagged=Counter())

    def update(self) -> None:
        """Add what has been counted since the last update."""
        for reason, count in self._counts.rejected.items():
            if more := count - self._told.rejected[reason]:
                self._metrics.ticks_rejected.labels(reason).inc(more)
                self._told.rejected[reason] = count
        for reason, count in self._counts.flagged.items():
            if more := count - self._told.flagged[reason]:
                self._metrics.ticks_flagged.labels(reason).inc(more)
                self._told.flagged[reason] = count
