"""The candle service: folds ticks into candles, publishes and stores them."""

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
from services.candle.domain.rows import historical_data, history_fetched
from services.candle.domain.tick_filter import TickCounts
from services.candle.forming import FormingCandle
from services.candle.settings import CandleSettings


class CandleHandler:
    """Passes ticks to the aggregator once their instruments are known.

    Instruments are published before their ticks, but topics are not ordered among each other:
    the `instruments` topic is read whenever a batch has an unknown instrument.
    """

    def __init__(self, aggregator: CandleAggregator, bus: Bus, meter: "_TickMeter") -> None:
        self._aggregator = aggregator
        self._bus = bus
        self._meter = meter
        self._log = logger_of("candle")

    async def prepare(self, emit: Emit) -> None:
        """Read the listed instruments before partitions are restored."""
        await self._list_instruments()

    async def handle(self, event: Event, emit: Emit) -> None:
        """Publish the candles that a batch of ticks closes or revises."""
        if not isinstance(event, TickBatch):
            return
        if self._aggregator.needs_instruments(event):
            await self._list_instruments()
        await emit(*self._aggregator.on_ticks(event))
        self._meter.update()

    def run_length(self, events: Sequence[Event]) -> int:
        """Return how many of the first batches may be handled together."""
        batches = list(takewhile(lambda event: isinstance(event, TickBatch), events))
        return max(1, self._aggregator.run_length(cast(list[TickBatch], batches)))

    def may_wait(self, event: Event) -> bool:
        """Return whether a batch may wait for the next one: it closes and revises nothing."""
        return isinstance(event, TickBatch) and self._aggregator.may_wait(event)

    async def handle_run(self, events: Sequence[Event], emit: Emit) -> None:
        """Publish the candles that a run of batches closes."""
        await emit(*self._aggregator.on_run(cast(Sequence[TickBatch], events)))
        self._meter.update()

    async def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    async def begin(self, emit: Emit) -> None:
        """Publish candles that a crash may have left unpublished."""
        await emit(*self._aggregator.unpublished())

    def forget(self, partition: int) -> None:
        """Drop the state of a partition."""
        self._aggregator.forget(partition)

    def since(self, partition: int, last: Event | None) -> Since:
        """Restore the day's candles; replay the ticks of minutes that may still be revised."""
        if not isinstance(last, TickBatch):
            return Since()
        return Since(midnight_ms(last.trading_day), self._aggregator.resume_after(last))

    def restore(self, event: Event) -> None:
        """Restore candles that were published before."""
        if isinstance(event, CandleBatch):
            self._aggregator.restore(event)

    def replay(self, event: Event) -> None:
        """Replay ticks that were handled before."""
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
    tables = {
        "historical_data": (("candles", "historical_candles"), historical_data),
        "history_fetched": (("historical_candles",), history_fetched),
    }
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

    @router.get("/candles/{exchange}/{tradingsymbol}/{interval}/forming")
    def forming(exchange: str, tradingsymbol: str, interval: Interval) -> FormingCandle:
        """Return the candle that is not closed yet, as it is now; 404 if it has no trade."""
        now_ms = parts.clock.now_ms()
        candle = aggregator.forming(exchange, tradingsymbol, interval, now_ms)
        if candle is None:
            raise HTTPException(
                404, f"no {interval} candle of {exchange}:{tradingsymbol} is forming"
            )
        return FormingCandle.of(candle)

    return router


class _TickMeter:
    """Copies the domain's counts to the metrics."""

    def __init__(self, counts: TickCounts, metrics: Metrics) -> None:
        self._counts = counts
        self._metrics = metrics
        self._reported = replace(counts, rejected=Counter(), flagged=Counter())

    def update(self) -> None:
        """Add what has been counted since the last update."""
        for reason, count in self._counts.rejected.items():
            if more := count - self._reported.rejected[reason]:
                self._metrics.ticks_rejected.labels(reason).inc(more)
                self._reported.rejected[reason] = count
        for reason, count in self._counts.flagged.items():
            if more := count - self._reported.flagged[reason]:
                self._metrics.ticks_flagged.labels(reason).inc(more)
                self._reported.flagged[reason] = count
