"""Candles: a CandleBatch in columns, and Candle, one row of it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from functools import lru_cache, partial
from itertools import repeat
from typing import Any, Literal, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from libs.events.event import Event, Identities, Told, utc_from_ms

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
_SESSION_MINUTES = 375


def length_ms(interval: Interval) -> int:
    """Return how long a candle of a whole interval is (ms); of a day, an equity session."""
    return (_SESSION_MINUTES if interval == "day" else MINUTES[interval]) * 60_000


class Candle(NamedTuple):
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
        ids = _candle_ids(self.exchange, self.tradingsymbol, self.expiry, self.interval)
        return ids.of(self.opened_ms, self.source, self.revision)

    @property
    def event_id(self) -> UUID:
        """Id of the candle, as the cause of an event."""
        return self.candle_id

    @property
    def occurred_at(self) -> datetime:
        """UTC time of the close."""
        return utc_from_ms(self.closes_ms)

    @property
    def correlation_id(self) -> UUID:
        """Correlation id of all that the candle leads to: it is the first cause."""
        return self.candle_id


candle_of: Callable[[tuple[Any, ...]], Candle] = partial(tuple.__new__, Candle)
"""As Candle._make, in a third of its time; the tuple must have all fields."""


@lru_cache(maxsize=50_000)
def _candle_ids(
    exchange: str, tradingsymbol: str, expiry: date | None, interval: Interval
) -> Identities:
    return Identities("Candle", exchange, tradingsymbol, expiry, interval)


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

    @classmethod
    def of(cls, candles: Iterable[Candle]) -> Self:
        """Return candles of one batch as columns."""
        rows = list(candles)
        return cls(
            exchange=tuple(row.exchange for row in rows),
            tradingsymbol=tuple(row.tradingsymbol for row in rows),
            expiry=tuple(row.expiry for row in rows),
            instrument_token=tuple(row.instrument_token for row in rows),
            opened_ms=tuple(row.opened_ms for row in rows),
            closes_ms=tuple(row.closes_ms for row in rows),
            open=tuple(row.open for row in rows),
            high=tuple(row.high for row in rows),
            low=tuple(row.low for row in rows),
            close=tuple(row.close for row in rows),
            volume=tuple(row.volume for row in rows),
            vwap=tuple(row.vwap for row in rows),
            ticks=tuple(row.ticks for row in rows),
            oi=tuple(row.oi for row in rows),
            cumulative_volume=tuple(row.cumulative_volume for row in rows),
            revision=tuple(row.revision for row in rows),
        )


class CandleBatch(Event):
    """The candles of one partition and interval that closed together (or were revised together).

    `is_partial`: the feed was not there all the time, so ticks are missing from them. `quiet` says
    of each row how many candles of its interval there are not before it, since nothing was traded;
    it is empty where all are 0.
    On `historical_candles` a batch holds candles of a day instead, as a broker gave them.
    """

    type: Literal["CandleBatch"] = "CandleBatch"
    partition: int
    interval: Interval
    source: Source
    is_partial: bool = False
    quiet: tuple[int, ...] = ()
    columns: CandleColumns

    @classmethod
    def live(
        cls,
        partition: int,
        interval: Interval,
        at_ms: int,
        trading_day: date,
        columns: CandleColumns,
        *,
        is_partial: bool = False,
        quiet: tuple[int, ...] = (),
    ) -> Self:
        """Return candles that opened together and closed, or were revised, at a time (epoch ms).

        Raises IndexError without a candle.
        """
        opened_ms, names = columns.opened_ms[0], columns.tradingsymbol
        envelope = cls.without_cause(
            partition,
            interval,
            opened_ms,
            "live",
            names,
            columns.revision,
            occurred_at=utc_from_ms(at_ms),
            trading_day=trading_day,
        )
        return cls(
            **envelope,
            partition=partition,
            interval=interval,
            source="live",
            is_partial=is_partial,
            quiet=quiet,
            columns=columns,
        )

    @classmethod
    def backfill(
        cls, partition: int, interval: Interval, trading_day: date, columns: CandleColumns
    ) -> Self:
        """Return past candles of a trading day; it occurs when the last of them closes.

        Raises ValueError without a candle.
        """
        names = sorted(set(columns.tradingsymbol))
        envelope = cls.without_cause(
            "backfill",
            trading_day,
            partition,
            interval,
            *names,
            *(min(columns.opened_ms), max(columns.closes_ms), len(columns)),
            occurred_at=utc_from_ms(max(columns.closes_ms)),
            trading_day=trading_day,
        )
        return cls(
            **envelope, partition=partition, interval=interval, source="backfill", columns=columns
        )

    def candles(self) -> Iterator[Candle]:
        """Yield the rows one by one."""
        columns: list[Iterable[Any]] = [value for _, value in self.columns]
        shared = (self.interval, self.source, self.trading_day)
        columns.extend(repeat(value, len(self.columns)) for value in shared)
        return map(candle_of, zip(*columns, strict=True))


class HistoryFetched(Event):
    """A broker was asked for candles of one instrument and interval, day by day.

    `origin` is whose market it is. They open from `since_ms` and close by `until_ms` (epoch ms).
    Of each day: how many `candles` the broker has, and how many are `expected` by the calendar.
    The candles themselves are on `historical_candles` before it.
    """

    type: Literal["HistoryFetched"] = "HistoryFetched"
    partition: int
    origin: str
    exchange: str
    tradingsymbol: str
    expiry: date | None = None
    interval: Interval
    since_ms: int
    until_ms: int
    days: tuple[date, ...]
    candles: tuple[int, ...]
    expected: tuple[int, ...]

    @property
    def key(self) -> str:
        """Instrument as exchange:tradingsymbol."""
        return f"{self.exchange}:{self.tradingsymbol}"

    def told(self) -> Told:
        """Return the instrument and interval, and how many candles the broker has of them."""
        return {"instrument": self.key, "interval": self.interval, "candles": sum(self.candles)}
