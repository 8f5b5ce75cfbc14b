"""Kite's market data by request: the instrument dump, historical candles, quotes."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from libs.broker.errors import RateLimited, ReplyUnreadable
from libs.broker.kite.mapping import Row, epoch_ms
from libs.broker.kite.quote_rows import ticks_of
from libs.broker.kite.rest import KiteRest
from libs.broker.port.market import HistoricalCandle, LastQuote
from libs.events.candles import Interval
from libs.events.ticks import TickColumns
from libs.market.dump import Dump

T = TypeVar("T")
INTERVALS: Mapping[Interval, str] = {
    "1m": "minute",
    "3m": "3minute",
    "5m": "5minute",
    "10m": "10minute",
    "15m": "15minute",
    "30m": "30minute",
    "60m": "60minute",
    "day": "day",
}
"""Interval → its name in Kite's historical calls."""
TRIES = 4
"""How often a request is sent that Kite refuses for too many requests: it changes nothing there."""


class KiteMarketData:
    """The port MarketData over Kite's requests; errors are those of KiteRest.

    After a refusal for too many requests it waits as long as Kite asks, and asks again.
    """

    def __init__(self, rest: KiteRest) -> None:
        self._rest = rest

    async def instruments(self, exchange: str) -> Dump:
        """Return the instrument dump of an exchange; DumpRefused if most of it is unreadable."""
        return await _patiently(lambda: self._rest.instruments(exchange))

    async def quotes(self, keys: Collection[str]) -> Mapping[str, LastQuote]:
        """Return quotes by `EXCHANGE:tradingsymbol`; unknown keys are left out."""
        rows = await _patiently(lambda: self._rest.quote(keys))
        return {key: _read(_quote, row) for key, row in rows.items()}

    async def ticks(self, keys: Collection[str], without_time_ms: int) -> TickColumns:
        """Return quotes as ticks; a row that cannot be read is left out like an unknown key."""
        rows = await _patiently(lambda: self._rest.quote(keys))
        return ticks_of(rows.values(), without_time_ms)

    async def candles(
        self, instrument_token: int, interval: Interval, from_at: datetime, to_at: datetime
    ) -> Sequence[HistoricalCandle]:
        """Return candles that open from `from_at` to `to_at`, in as many calls as it takes."""
        asked = INTERVALS[interval]
        rows = await _patiently(
            lambda: self._rest.historical(instrument_token, asked, from_at, to_at)
        )
        return [_read(_candle, row) for row in rows]

    async def close(self) -> None:
        """Wait for open requests, and close the connections."""
        await self._rest.close()


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Return the reply; wait and ask again, TRIES in all, where there are too many requests."""
    for _ in range(TRIES - 1):
        try:
            return await ask()
        except RateLimited as limited:
            await asyncio.sleep(limited.retry_after_ms / 1_000)
    return await ask()


def _quote(row: Row) -> LastQuote:
    at_ms = epoch_ms(row.get("timestamp"))
    return LastQuote(int(row["instrument_token"]), float(row["last_price"]), at_ms)


def _candle(row: Row) -> HistoricalCandle:
    prices = {name: float(row[name]) for name in ("open", "high", "low", "close")}
    if not all(map(math.isfinite, prices.values())):
        raise ValueError(f"no prices: {prices}")
    volume, oi = int(row["volume"]), int(row.get("oi", 0))
    return HistoricalCandle(row["date"], **prices, volume=volume, oi=oi)


def _read(read: Callable[[Row], T], row: Any) -> T:
    try:
        return read(row)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReplyUnreadable(f"Kite's market data cannot be read: {error!r}") from error
