"""Asks a broker, while the feed runs, for the candles of today that the feed missed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from libs.broker.errors import BrokerError
from libs.events.ticks import TickBatch
from libs.runtime.logs import logger_of
from libs.runtime.subscription import Emit
from services.ingest.domain.missed_candles import MissedCandles
from services.ingest.domain.missing_history import Ask
from services.ingest.fetching import HistoryFetcher

TRIES, AGAIN_SECONDS = 3, 10.0
"""So often, and so far apart, is asked for candles that the broker does not have yet."""


@dataclass(slots=True)
class CatchUp:
    """Publishes what the feed missed as soon as the broker has it; strategies wait for that."""

    fetcher: HistoryFetcher
    missed: MissedCandles
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _due: asyncio.Queue[tuple[Ask, int]] = field(default_factory=asyncio.Queue)

    def on_batch(self, batch: TickBatch) -> None:
        """Note the clock of a partition; ask for what is due by it."""
        if not batch.time_is_arrival:  # as candle: quotes that were asked for are no ticks
            self.missed.on_clock(batch.partition, batch.clock_ms)
        for ask in self.missed.due(batch.clock_ms):
            self._due.put_nowait((ask, TRIES))

    async def run(self, emit: Emit) -> None:
        """Ask for one after the other, without end.

        What the broker does not have yet is asked for again behind all others, which go on.
        """
        later = set[asyncio.Task[None]]()
        try:
            while True:
                ask, tries = await self._due.get()
                if not await self._is_fetched(ask, emit, is_last=tries == 1) and tries > 1:
                    later.add(task := asyncio.create_task(self._again(ask, tries - 1)))
                    task.add_done_callback(later.discard)
        finally:
            for task in later:
                task.cancel()

    async def _again(self, ask: Ask, tries: int) -> None:
        await self.sleep(AGAIN_SECONDS)
        self._due.put_nowait((ask, tries))

    async def _is_fetched(self, ask: Ask, emit: Emit, *, is_last: bool) -> bool:
        """Fetch and publish; what the broker does not have after all tries, it has not."""
        log = logger_of("ingest")
        log.info(
            "asking for candles that the feed missed",
            instrument=ask.instrument.key,
            interval=ask.interval,
        )
        try:
            return await self.fetcher.fetch(ask, emit, is_last=is_last) is not None
        except BrokerError as error:
            log.error("candles that the feed missed cannot be fetched", reason=str(error))
            return False
