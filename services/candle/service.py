"""The candle service: ticks in, candles out, candles stored."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, cast

from fastapi import APIRouter, HTTPException

from libs.events.bus import Bus
from libs.events.candles import CandleBatch, Interval
from libs.events.event import Event
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch
from libs.market.calendar import load_calendar, midnight_ms
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.partition_state import Since
from libs.runtime.past import past_events
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import Emit, Subscription
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.rows import historical_data
from services.candle.domain.tick_filter import TickCounts
from services.candle.settings import CandleSettings


class CandleHandler:
    """Hands ticks to the aggregator, after the instruments that they are of.

    Every member needs all instruments, and those of a batch were published before it: what is
    not known yet is read then, so that no order between topics is relied on.
    """

    def __init__(self, aggregator: CandleAggregator, bus: Bus, meter: "_TickMeter") -> None:
        self._aggregator = aggregator
        self._bus = bus
        self._meter = meter
        self._log = logger_of("candle")

    async def prepare(self, emit: Emit) -> None:
        """Learn what is listed, before partitions are taken over."""
        await self._list_instruments()

    async def handle(self, event: Event, emit: Emit) -> None:
        """Publish the candles that a batch of ticks closes or revises."""
        if not isinstance(event, TickBatch):
            return
        if self._aggregator.strangers(event):
            await self._list_instruments()
        await emit(*self._aggregator.on_ticks(event))
        self._meter.update()

    def run_length(self, events: Sequence[Event]) -> int:
        """Return how many batches may be taken at once, from the first on."""
        batches = list(takewhile(lambda event: isinstance(event, TickBatch), events))
        return max(1, self._aggregator.run_length(cast(list[TickBatch], batches)))

    async def handle_run(self, events: Sequence[Event], emit: Emit) -> None:
        """Publish the candles that a run of batches closes."""
        await emit(*self._aggregator.on_run(cast(Sequence[TickBatch], events)))
        self._meter.update()

    async def flush(self) -> None:
        """Hold nothing."""

    async def begin(self, emit: Emit) -> None:
        """Publish what a crash may have kept back at the last close."""
        await emit(*self._aggregator.resumed())

    def forget(self, partition: int) -> None:
        """Drop the state of a partition."""
        self._aggregator.forget(partition)

    def since(self, partition: int, last: Event | None) -> Since:
        """Ask for the day's candles, and for the ticks that may still change any."""
        if not isinstance(last, TickBatch):
            return Since()
        return Since(midnight_ms(last.trading_day), self._aggregator.resume_after(last))

    def restore(self, event: Event) -> None:
        """Take back candles that were published before."""
        if isinstance(event, CandleBatch):
            self._aggregator.restore(event)

    def replay(self, event: Event) -> None:
        """Take in ticks that were handled before."""
        if isinstance(event, TickBatch):
            self._aggregator.replay(event)

    async def _list_instruments(self) -> None:
        async for event in past_events(self._bus, ["instruments"], self._log):
            if isinstance(event, InstrumentListed):
                self._aggregator.list_instrument(event)


def make_service(settings: CandleSettings, parts: Parts) -> Service:
    """Return the service around a CandleAggregator."""
    aggregator = CandleAggregator(load_calendar(), settings.rules, settings.segments)
    handler = CandleHandler(aggregator, parts.bus, _TickMeter(aggregator.counts, parts.metrics))
    ticks = Subscription(
        group="candle",
        topics=("ticks",),
        handler=handler,
        restore_topics=("candles",),
        state=handler,
        runs=handler,
    )
    tables = {"historical_data": (("candles", "historical_candles"), historical_data)}
    return Service(
        name="candle",
        subscriptions=(ticks, *parts.writers("candle", tables)),
        prepare=handler.prepare,
        looks_up=("instruments",),
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
        return {
            "open": float(values.open[0]),
            "high": float(values.high[0]),
            "low": float(values.low[0]),
            "close": float(values.close[0]),
            "volume": float(values.volume[0]),
            "ticks": float(values.ticks[0]),
            "oi": float(values.oi[0]),
        }

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
