"""Feeds strategies off the event loop, each batch with a limit on time."""

import asyncio
from dataclasses import dataclass, field

import structlog

from libs.events.candles import Candle
from libs.events.dispatcher.off_loop import OffLoop
from libs.events.event import Event
from libs.runtime.metrics import StrategyMetrics
from libs.runtime.settings import SettingsError
from libs.runtime.subscription import Emit
from services.strategy.domain.host import Pending, StrategyHost
from services.strategy.domain.strategy_run import StrategyRun

LOOKS = 2
"""How often a strategy is looked at within its limit before it is too slow."""


class StrategyTooSlow(SettingsError):
    """A chosen strategy took too long for one candle, in a run that has to be repeatable."""


@dataclass(slots=True)
class StrategyHandler:
    """The handler of the strategy service.

    Strategies are somebody's code, so they run in a thread: one that blocks holds up neither the
    health endpoints nor, after `limit_seconds` on one candle, the other strategies. It is then
    stopped; its thread is left behind. With `is_replay` the run fails instead.
    """

    host: StrategyHost
    metrics: StrategyMetrics
    log: structlog.typing.FilteringBoundLogger
    limit_seconds: float = 2.0
    is_replay: bool = False
    _unpublished: tuple[Event, tuple[Event, ...]] | None = None
    _threads: OffLoop = field(default_factory=lambda: OffLoop("strategy"))

    async def handle(self, event: Event, emit: Emit) -> None:
        """Publish what the strategies make of a batch, in their order; again after a failure."""
        if self._unpublished is None or self._unpublished[0] is not event:
            self._unpublished = event, await self._react(event)
        await emit(*self._unpublished[1])
        self._unpublished = None

    async def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def restore(self, event: Event) -> None:
        """Do nothing: the state is restored by partition."""

    async def begin(self, emit: Emit) -> None:
        """Do nothing: strategies act on candles alone."""

    async def _react(self, event: Event) -> tuple[Event, ...]:
        pending = self.host.pending(event)
        if isinstance(pending, tuple):
            return pending
        for run in pending.waiting:
            pending.made.extend(await self._fed(run, pending))
        return self.host.done(pending)

    async def _fed(self, run: StrategyRun, pending: Pending) -> tuple[Event, ...]:
        if run.stopped is not None:
            return ()
        refused = run.refused
        with self.metrics.seconds.labels(run.name).time():
            made = await self._within_limit(run, pending)
        if run.refused > refused:
            self.metrics.refused.labels(run.name).inc(run.refused - refused)
            self.log.warning("signal refused", strategy=run.name, reason=run.last_refusal)
        return made

    async def _within_limit(self, run: StrategyRun, pending: Pending) -> tuple[Event, ...]:
        """Return what the strategy makes of a batch, or stop it when a candle takes too long.

        It is too slow when it has not come further in two looks, each after half of the limit: a
        process that was itself suspended for a while gets a second look.
        """
        before, came_to, idle = run.taken, -1, 0
        feeding = asyncio.ensure_future(self._threads.call(run.feed, pending.candles))
        while idle < LOOKS:
            done, _ = await asyncio.wait({feeding}, timeout=self.limit_seconds / LOOKS)
            if done:
                return feeding.result()  # type: ignore[no-any-return]
            idle, came_to = (idle + 1, came_to) if run.taken == came_to else (0, run.taken)
        feeding.cancel()
        return (self._too_slow(run, pending.candles[run.taken - before - 1]),)

    def _too_slow(self, run: StrategyRun, candle: Candle) -> Event:
        reason = f"it took longer than {self.limit_seconds:g} s"
        if self.is_replay:
            raise StrategyTooSlow(f"strategy {run.name}: on {candle.key}: {reason}")
        return run.stop(candle, reason)
