"""Candles: a CandleBatch in columns, and Candle, one row of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from libs.events.event import Event, identity

Interval = Literal["1m", "3m", "5m", "10m", "15m", "30m", "60m", "day"]
Source = Literal["live", "backfill"]
MINUTES: dict[Interval, int] = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "10m": 10,
    "15m": 15,
    "30m": 30,
    "60m": 60,
}


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle of [opened_ms, closes_ms), epoch ms. `volume` in units, 0 for an index.

    `vwap` is None without volume; `cumulative_volume` is the day's volume at the close.
    """

    exchange: str
    tradingsymbol: str
    expiry: date | None
    instrument_token: int
    opened_ms: int
    closes_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    vwap: float | None
    ticks: int
    oi: int
    cumulative_volume: int
    revision: int
    interval: Interval
    source: Source
    trading_day: date

    @property
    def key(self) -> str:
        """Instrument as exchange:tradingsymbol."""
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def candle_id(self) -> UUID:
        """Id of exchange, tradingsymbol, expiry, interval, open time, source and revision."""
        return identity(
            "Candle",
            self.exchange,
            self.tradingsymbol,
            self.expiry,
            self.interval,
            self.opened_ms,
            self.source,
            self.revision,
        )


class CandleColumns(BaseModel):
    """The rows of a batch, column by column, all of one length."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    exchange: tuple[str, ...]
    tradingsymbol: tuple[str, ...]
    expiry: tuple[date | None, ...]
    instrument_token: tuple[int, ...]
    opened_ms: tuple[int, ...]
    closes_ms: tuple[int, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    volume: tuple[int, ...]
    vwap: tuple[float | None, ...]
    ticks: tuple[int, ...]
    oi: tuple[int, ...]
    cumulative_volume: tuple[int, ...]
    revision: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tradingsymbol)


class CandleBatch(Event):
    """The candles of one partition and interval that closed together (or were revised together).

    On `historical_candles` a batch holds a day of one instrument instead.
    """

    type: Literal["CandleBatch"] = "CandleBatch"
    partition: int
    interval: Interval
    source: Source
    columns: CandleColumns

    def candles(self) -> Iterator[Candle]:
        """Yield the rows one by one."""
        columns: list[tuple[Any, ...]] = [value for _, value in self.columns]
        shared: tuple[Any, ...] = (self.interval, self.source, self.trading_day)
        for row in zip(*columns, strict=True):
            yield Candle(*row, *shared)
