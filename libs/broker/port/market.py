"""The market ports: instruments, history, quotes and the stream of ticks.

Prices are floats in rupees, volumes units, times aware datetimes or epoch ms. Every request may
raise SessionError, RateLimited, BrokerUnavailable, ReplyUnreadable or RequestRefused of
`libs.broker.errors`; there are no retries here.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from libs.events.candles import Interval
from libs.events.ticks import TickColumns
from libs.market.dump import Dump

Mode = Literal["ltp", "quote", "full"]
"""A tick has: ltp: last price; quote: also volume, totals; full: also depth, exchange time."""


class Instruments(Protocol):
    """What is listed today."""

    async def instruments(self, exchange: str) -> Dump:
        """Return what is listed on an exchange; DumpRefused if most of it cannot be read."""


@dataclass(frozen=True, slots=True)
class HistoricalCandle:
    """A historical candle, prices in rupees; `oi` is 0 if the broker gives none."""

    opened_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int
    oi: int = 0


class History(Protocol):
    """Candles of earlier days."""

    async def candles(
        self, instrument_token: int, interval: Interval, from_at: datetime, to_at: datetime
    ) -> Sequence[HistoricalCandle]:
        """Return candles that open from `from_at` to `to_at`, both aware, oldest first."""


@dataclass(frozen=True, slots=True)
class LastQuote:
    """The last price of an instrument and its exchange time; None if there is no time."""

    instrument_token: int
    last_price: float
    at_ms: int | None


class Quotes(Protocol):
    """Current prices by request."""

    async def quotes(self, keys: Collection[str]) -> Mapping[str, LastQuote]:
        """Return quotes by `EXCHANGE:tradingsymbol`; unknown keys are left out."""


class Snapshots(Protocol):
    """Current quotes by request as ticks, where no stream brings them."""

    async def ticks(self, keys: Collection[str], without_time_ms: int) -> TickColumns:
        """Return quotes of `EXCHANGE:tradingsymbol` as ticks; unknown keys are left out.

        Those without the exchange's time get `without_time_ms` instead. At most as many keys as one
        request takes.
        """


class MarketData(Instruments, History, Quotes, Snapshots, Protocol):
    """All market data by request."""

    async def close(self) -> None:
        """Wait for open requests, and close the connections."""


class TickFrame(Protocol):
    """Ticks that arrived together."""

    def __len__(self) -> int:
        """Return the number of ticks; 0 for a heartbeat."""

    @property
    def is_garbage(self) -> bool:
        """Whether nothing in it could be read: no sign of life."""

    def columns(self, received_ms: int) -> TickColumns:
        """Return the ticks; one without an exchange time gets `received_ms` (epoch ms)."""


class TickStream(Protocol):
    """A stream of ticks over one connection, which reconnects by itself."""

    async def subscribe(self, tokens: Collection[int], mode: Mode) -> None:
        """Stream these instruments, from now on and after every reconnect."""

    async def unsubscribe(self, tokens: Collection[int]) -> None:
        """Stream these instruments no longer."""

    def frames(self) -> AsyncGenerator[TickFrame]:
        """Yield frames until closed; closing the generator ends the connection.

        Raises SessionError if there is no session that the broker accepts.
        """

    @property
    def open_seconds(self) -> float:
        """For how long the connection has been open, 0 while there is none."""

    def counts(self) -> Mapping[str, int]:
        """Return what happened since the stream was made, by name: reconnects, refusals."""

    async def replace(self) -> None:
        """End a connection that is taken for dead; `frames` goes on over a new one."""

    async def close(self) -> None:
        """Close the connection, and with it `frames`."""
