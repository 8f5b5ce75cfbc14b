"""Feeds strategies off the event loop, each batch with a limit on time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import structlog

from libs.events.candles import Candle, CandleBatch
from libs.events.dispatcher.off_loop import OffLoop
from libs.events.event import Event
from libs.runtime.metrics import StrategyMetrics
from libs.runtime.partition_state import Since
from libs.runtime.settings import SettingsError
from libs.runtime.subscription import Emit
from services.strategy.domain.host import Pending, StrategyHost
from services.strategy.domain.strategy_run import StrategyRun

LOOKS = 2
"""How often a strategy is looked at within its limit before it is too slow."""


Feed: TypeAlias = Callable[[Sequence[Candle]], tuple[Event, ...]]


class StrategyTooSlow(SettingsError):
    """A chosen strategy took too long for one candle, in a run that has to be repeatable."""


@dataclass(slots=True)
class StrategyHandler:
    """The handler of the strategy service.

    Strategies are somebody's code, so they run in a thread: one that blocks holds up neither the
    health endpoints nor, after `limit_seconds` on one candle, the other strategies. It is then
    stopped; its thread is left behind. With `is_replay` the run fails instead. `look` reads all of
    the broker's candles: of several members another one may be told of those that are awaited here.
    """

    host: StrategyHost
    metrics: StrategyMetrics
    log: structlog.typing.FilteringBoundLogger
    limit_seconds: float = 2.0
    is_replay: bool = False
    look: Callable[[], AsyncIterator[Event]] | None = None
    _looked_ms: int = 0
    _replayed: deque[CandleBatch] = field(default_factory=deque)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _threads: OffLoop = field(default_factory=lambda: OffLoop("strategy"))

    async def handle(self, event: Event, emit: Emit) -> None:
        """Publish what the strategies make of a batch, in their order.

        Called again after a failure it publishes the same, which the host has remembered.
        """
        async with self._turn:
            made = await self._react(event)
        await emit(*made)

    async def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def restore(self, event: Event) -> None:
        """Do nothing: the state is restored by partition."""

    async def begin(self, emit: Emit) -> None:
        """Feed what was handled before a restart."""
        async with self._turn:
            await self._feed_replayed()

    async def patch(self, event: Event) -> tuple[Event, ...]:
        """Note the broker's candles of today; return signals on candles that waited for them."""
        async with self._turn:
            keys, made = self.host.patched(event), list[Event]()
            for run in self.host.runs if keys else ():
                if run.stopped is None and run.current is not None:
                    made += await self._within_limit(run, partial(_patched, run, keys), ())
            return tuple(made)

    async def warm(self, candles: Sequence[Candle]) -> None:
        """Feed history, oldest first; its signals are dropped."""
        for run in self.host.runs:
            if candles:
                await self._within_limit(run, partial(_warmed, run), candles)

    def forget(self, partition: int) -> None:
        """Reset the strategies of a partition to their state after the warm-up."""
        kept = [batch for batch in self._replayed if batch.partition != partition]
        self._replayed = deque(kept)
        self.host.forget(partition)

    def since(self, partition: int, last: Event | None) -> Since:
        """Replay every live candle that was handled."""
        return Since(restored_ms=None, replayed_ms=0)

    def replay(self, event: Event) -> None:
        """Keep live candles that were handled before, to be fed before anything else is."""
        if isinstance(event, CandleBatch):
            self._replayed.append(event)

    async def _feed_replayed(self) -> None:
        while self._replayed:
            pending = self.host.to_feed(self._replayed.popleft())
            for run in pending.waiting:
                await self._fed(run, pending)

    async def _react(self, event: Event) -> tuple[Event, ...]:
        await self._feed_replayed()
        await self._look_up(event)
        pending = self.host.pending(event)
        if isinstance(pending, tuple):
            return pending
        for run in pending.waiting:
            pending.made.extend(await self._fed(run, pending))
        return self.host.done(pending)

    async def _look_up(self, event: Event) -> None:
        """Look for awaited candles, once at each close."""
        if self.look is None or not self.host.is_waiting or event.occurred_ms <= self._looked_ms:
            return
        self._looked_ms = event.occurred_ms
        async for found in self.look():
            self.host.patched(found)

    async def _fed(self, run: StrategyRun, pending: Pending) -> tuple[Event, ...]:
        if run.stopped is not None:
            return ()
        refused = run.refused
        with self.metrics.seconds.labels(run.name).time():
            made = await self._within_limit(run, lambda _: pending.feed(run), pending.candles)
        if run.refused > refused:
            self.metrics.refused.labels(run.name).inc(run.refused - refused)
            self.log.warning("signal refused", strategy=run.name, reason=run.last_refusal)
        return made

    async def _within_limit(
        self, run: StrategyRun, feed: Feed, candles: Sequence[Candle]
    ) -> tuple[Event, ...]:
        """Return what the strategy makes of candles, or stop it when one takes too long.

        It is too slow when it has not come further in two looks, each after half of the limit: a
        process that was itself suspended for a while gets a second look.
        """
        came_to, idle = -1, 0
        feeding = asyncio.ensure_future(self._threads.call(feed, candles))
        while idle < LOOKS:
            done, _ = await asyncio.wait({feeding}, timeout=self.limit_seconds / LOOKS)
            if done:
                return feeding.result()  # type: ignore[no-any-return]
            idle, came_to = (idle + 1, came_to) if run.taken == came_to else (0, run.taken)
        feeding.cancel()
        return (self._too_slow(run, run.current or candles[0]),)

    def _too_slow(self, run: StrategyRun, candle: Candle) -> Event:
        reason = f"it took longer than {self.limit_seconds:g} s"
        if self.is_replay:
            raise StrategyTooSlow(f"strategy {run.name}: on {candle.key}: {reason}")
        return run.stop(candle, reason)


class PatchHandler:
    """The handler of the broker's candles of today, which take the place of missing ones."""

    def __init__(self, strategies: StrategyHandler) -> None:
        self._strategies = strategies

    async def handle(self, event: Event, emit: Emit) -> None:
        """Publish the signals on live candles that waited for the broker's."""
        await emit(*await self._strategies.patch(event))

    async def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def restore(self, event: Event) -> None:
        """Note candles that were published before; live ones are fed later."""
        self._strategies.host.patched(event)

    async def begin(self, emit: Emit) -> None:
        """Do nothing: the live candles are fed when their own group begins."""


def _patched(run: StrategyRun, keys: Collection[str], _: Sequence[Candle]) -> tuple[Event, ...]:
    return run.patch(keys)


def _warmed(run: StrategyRun, candles: Sequence[Candle]) -> tuple[Event, ...]:
    run.warm(candles)
    return ()
