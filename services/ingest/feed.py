"""The interface of a feed: recorded files, or a broker."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from libs.broker.port.market import History
from libs.events.candles import CandleBatch
from libs.events.ticks import TickColumns
from libs.market.instruments import Instrument
from services.ingest.domain.history import HistoryRules


@dataclass(frozen=True, slots=True)
class Frame:
    """Ticks that arrived together at `received_ms` (epoch ms). A heartbeat has no rows.

    `offset_ms` is how far the machine's clock is ahead of the exchange's, 0 within a second.
    `is_news`: it has ticks, not only what a new subscription repeats. `connection` brought it, for
    `partitions` (None: all). `time_is_arrival`: its ticks have no time of the exchange's.
    `is_silent`: no connection brings ticks, though some are expected; with a `received_ms` of 0
    the frame says this alone.
    """

    received_ms: int
    columns: TickColumns
    offset_ms: int = 0
    is_news: bool = True
    connection: int = 0
    partitions: tuple[int, ...] | None = None
    time_is_arrival: bool = False
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class BrokerHistory:
    """How a broker's candles are asked for, of which instruments, and by which rules.

    `origin` names the market whose candles they are: a simulated one is another. `now_ms` returns
    the time there (epoch ms). Where the feed `waits`, it begins once all are fetched.
    """

    market: History
    instruments: Sequence[Instrument]
    rules: HistoryRules
    origin: str
    now_ms: Callable[[], int]
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Backfill:
    """Candles of earlier days: the days that were found, and the gaps in them.

    With `broker` they are asked for there, as far as they are not stored.
    """

    days: tuple[date, ...] = ()
    batches: Sequence[CandleBatch] = ()
    gaps: tuple[str, ...] = ()
    broker: BrokerHistory | None = None


class Feed(Protocol):
    """A market, one trading day at a time. `open` is called first, and again for each day."""

    @property
    def source(self) -> str:
        """Name that ticks carry: recorded, kite."""

    @property
    def trading_day(self) -> date:
        """The session's date in India, known once the feed is open."""

    async def open(self) -> None:
        """Log in and find out the trading day."""

    async def instruments(self) -> Iterable[Instrument]:
        """Return the instruments that are listed on the day."""

    async def backfill(self, partitions: int) -> Backfill:
        """Return the history that strategies need, or where it is to be asked for."""

    def frames(self, partitions: int) -> AsyncIterator[Frame]:
        """Yield frames in the order of arrival until the session is over.

        `partitions` are those of the topic of ticks: what carries a part of them says so.
        """

    def follow(self, instrument_tokens: Collection[int]) -> None:
        """Quote these contracts in every frame, until the next call."""

    def describe(self) -> dict[str, Any]:
        """Return what `/info` shows of it."""

    async def close(self) -> None:
        """Close connections; a feed that was never opened may be closed too."""
