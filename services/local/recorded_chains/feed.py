"""A day of recorded option chains as a feed: a frame a snapshot, and one for the time of a signal.

The clock of a replay is the exchange's stamps, so a signal between two snapshots needs a frame of
its own, without ticks.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from libs.events.ticks import TickColumns
from libs.market.instruments import Instrument
from services.ingest.feed import Backfill, Frame
from services.local.recorded_chains.market import ChainDay


@dataclass(frozen=True, slots=True)
class ChainFeed:
    """Plays the snapshots of a day; `moments` are other times that the clock must reach."""

    chains: ChainDay
    moments: tuple[int, ...] = ()
    source: str = "recorded"

    @property
    def trading_day(self) -> date:
        """The recorded day."""
        return self.chains.day

    async def open(self) -> None:
        """Do nothing: the file was read before."""

    async def instruments(self) -> list[Instrument]:
        """Return the underlying and all contracts that the file quotes."""
        return [self.chains.underlying, *self.chains.contracts]

    async def backfill(self, partitions: int) -> Backfill:
        """Return no history: no strategy runs."""
        return Backfill()

    async def frames(self, partitions: int = 1) -> AsyncIterator[Frame]:
        """Yield snapshots and moments by time; at the same time the snapshot comes first."""
        by_time = {one.at_ms: one.columns for one in self.chains.snapshots}
        for at_ms in sorted({*by_time, *self.moments}):
            yield Frame(at_ms, by_time.get(at_ms, TickColumns.empty()))

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Do nothing: each snapshot has all contracts."""

    def describe(self) -> dict[str, Any]:
        """Have nothing to show."""
        return {}

    async def close(self) -> None:
        """Do nothing: no file is open."""
