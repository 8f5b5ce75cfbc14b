"""What ingest asks of a feed: recorded files, a generated market, later Kite itself."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from libs.events.candles import CandleBatch
from libs.events.ticks import TickColumns
from libs.market.instruments import Instrument


@dataclass(frozen=True, slots=True)
class Frame:
    """What arrived together at `received_ms` (epoch ms). A frame without rows is a heartbeat."""

    received_ms: int
    columns: TickColumns


@dataclass(frozen=True, slots=True)
class Backfill:
    """Candles of earlier days: the days that were found, and what is missing from them."""

    days: tuple[date, ...]
    batches: Sequence[CandleBatch]
    gaps: tuple[str, ...] = ()


class Feed(Protocol):
    """One trading day of a market."""

    @property
    def source(self) -> str:
        """Name that ticks carry: recorded, generated, kite."""

    @property
    def trading_day(self) -> date:
        """The session's date in India."""

    def instruments(self) -> Iterable[Instrument]:
        """Return what is listed on the day."""

    def backfill(self, partitions: int) -> Backfill:
        """Return the history that strategies need."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames in the order of arrival."""

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Quote these contracts in every frame, until told otherwise."""
