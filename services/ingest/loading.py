"""The history of a day: published before the feed begins, or beside it where that takes long."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from libs.broker.errors import BrokerError
from libs.events.ticks import TickBatch
from libs.runtime.logs import logger_of
from libs.runtime.subscription import Emit
from services.ingest.catching_up import CatchUp
from services.ingest.days import Sleep, awaited

FEED_WAITS_SECONDS = 30.0
"""In a session the feed waits for the history for so long; before the open, until then."""
AGAIN_SECONDS = 30.0
Load = Callable[[], Coroutine[None, None, None]]


@dataclass(slots=True)
class Loading:
    """Loads a day's history. Errors of the broker are raised as long as the feed waits for it."""

    sleep: Sleep = asyncio.sleep
    catch_up: CatchUp | None = None
    _rest: asyncio.Task[None] | None = None
    _load: Load | None = None

    async def begin(self, load: Load, patience_seconds: float | None) -> None:
        """Load until all is there, or for so long; the rest is loaded in `rest`."""
        self.cancel()
        self._load = load
        task = asyncio.create_task(load())
        try:
            done, _ = await asyncio.wait({task}, timeout=patience_seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        self._rest = task
        logger_of("ingest").warning("the feed begins before the history is fetched")

    def on_batch(self, batch: TickBatch) -> None:
        """Note a batch of the feed, for what was missed before it."""
        if self.catch_up is not None:
            self.catch_up.on_batch(batch)

    async def beside(self, emit: Emit) -> None:
        """Do what goes on beside the feed: the rest of the history, and what the feed misses."""
        catching_up = [] if self.catch_up is None else [self.catch_up.run(emit)]
        await asyncio.gather(self.rest(), *catching_up)

    async def rest(self) -> None:
        """Load what is left; where the broker gives nothing for a time, try again and again."""
        if self._rest is None or self._load is None:
            return
        task, log, logged = self._rest, logger_of("ingest"), ""
        while True:
            try:
                return await task
            except BrokerError as error:
                if not awaited(error):
                    log.error("the history is not complete", reason=str(error))
                    return
                if type(error).__name__ != logged:
                    log.error("no history for a time, retrying", reason=str(error))
                logged = type(error).__name__
                await self.sleep(AGAIN_SECONDS)
                task = self._rest = asyncio.create_task(self._load())

    def cancel(self) -> None:
        """End what is still loading."""
        if self._rest is not None:
            self._rest.cancel()
        self._rest = None


async def with_companion(
    main: Coroutine[None, None, None], companion: Coroutine[None, None, None]
) -> None:
    """Run `main` to its end, the other meanwhile; an error of either ends both, and is raised."""
    played, beside = asyncio.ensure_future(main), asyncio.ensure_future(companion)
    try:
        await asyncio.wait({played, beside}, return_when=asyncio.FIRST_COMPLETED)
        if not played.done():
            beside.result()
        await played
    finally:
        played.cancel()
        beside.cancel()
        await asyncio.wait({played, beside})
