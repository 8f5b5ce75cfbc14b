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
    _due: asyncio.Queue[Ask] = field(default_factory=asyncio.Queue)

    def on_batch(self, batch: TickBatch) -> None:
        """Note the clock of a partition; ask for what is due by it."""
        if not batch.time_is_arrival:  # as candle: quotes that were asked for are no ticks
            self.missed.on_clock(batch.partition, batch.clock_ms)
        for ask in self.missed.due(batch.clock_ms):
            self._due.put_nowait(ask)

    async def run(self, emit: Emit) -> None:
        """Ask for one after the other, without end."""
        log = logger_of("ingest")
        while True:
            ask = await self._due.get()
            log.info(
                "asking for candles that the feed missed",
                instrument=ask.instrument.key,
                interval=ask.interval,
            )
            await self._fetched(ask, emit)

    async def _fetched(self, ask: Ask, emit: Emit) -> None:
        """Fetch and publish; what the broker does not have after all tries, it has not."""
        for left in reversed(range(TRIES)):
            try:
                if await self.fetcher.fetch(ask, emit, is_last=not left) is not None:
                    return
            except BrokerError as error:
                logger_of("ingest").error(
                    "candles that the feed missed cannot be fetched", reason=str(error)
                )
            if left:
                await self.sleep(AGAIN_SECONDS)
