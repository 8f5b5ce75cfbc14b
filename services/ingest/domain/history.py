"""A broker's historical candles as batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated

from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.broker.port.market import HistoricalCandle
from libs.events.candles import MINUTES, Candle, CandleBatch, CandleColumns, Interval
from libs.events.event import ms_from_utc
from libs.market.bounds import STRICT
from libs.market.calendar import IST, Calendar
from libs.market.instruments import Instrument, partition_of
from libs.market.names import OneOf
from libs.market.units import Count

MINUTE_MS = 60_000


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class HistoryRules:
    """How far back history is fetched (calendar days), and in which intervals."""

    days: Annotated[int, Count(1, 2000, of="days")] = 90
    intervals: tuple[Annotated[Interval, OneOf()], ...] = ("5m", "15m")


@dataclass(frozen=True, slots=True)
class FetchedCandles:
    """The candles of one instrument and interval."""

    instrument: Instrument
    interval: Interval
    candles: Sequence[HistoricalCandle]


def each_once(candles: Iterable[HistoricalCandle]) -> list[HistoricalCandle]:
    """Return candles oldest first, each once; of a time that is there twice the last one."""
    by_time = {one.opened_at: one for one in candles}
    return [by_time[at] for at in sorted(by_time)]


def are_of(interval: Interval, candles: Sequence[HistoricalCandle]) -> bool:
    """Return whether candles, each once, may be of an interval: none opens within another."""
    length = timedelta(days=1) if interval == "day" else timedelta(minutes=MINUTES[interval])
    return all(later.opened_at - one.opened_at >= length for one, later in pairwise(candles))


def batches_of(
    fetched: Iterable[FetchedCandles], until_ms: int, calendar: Calendar, partitions: int
) -> list[CandleBatch]:
    """Return one batch per day, partition and interval, of candles that close by a time (epoch ms).

    Candles outside the day's sessions are dropped. A broker gives neither vwap nor ticks.
    """
    groups: dict[tuple[date, int, Interval], list[Candle]] = {}
    for one in fetched:
        partition = partition_of(one.instrument.instrument_token, partitions)
        for candle in _candles(one, calendar):
            if candle.closes_ms <= until_ms:
                key = (candle.trading_day, partition, one.interval)
                groups.setdefault(key, []).append(candle)
    return [
        CandleBatch.backfill(partition, interval, day, CandleColumns.of(candles))
        for (day, partition, interval), candles in sorted(groups.items())
    ]


def _candles(one: FetchedCandles, calendar: Calendar) -> Iterator[Candle]:
    traded: dict[date, int] = {}
    for candle in one.candles:
        day = candle.opened_at.astimezone(IST).date()
        times = _times(candle, day, one, calendar)
        if times is not None:
            traded[day] = traded.get(day, 0) + candle.volume
            yield _candle(one, candle, day, times, traded[day])


def _times(
    candle: HistoricalCandle, day: date, one: FetchedCandles, calendar: Calendar
) -> tuple[int, int] | None:
    """Return open and close of a candle, epoch ms, or None outside the day's sessions."""
    segment, interval = one.instrument.segment, one.interval
    sessions = calendar.sessions(segment, day) if calendar.covers(day) else ()
    if not sessions:
        return None
    if interval == "day":
        return sessions[0].open_ms, sessions[-1].close_ms
    opened_ms = ms_from_utc(candle.opened_at)
    for session in sessions:
        if session.open_ms <= opened_ms < session.close_ms:
            return opened_ms, min(opened_ms + MINUTES[interval] * MINUTE_MS, session.close_ms)
    return None


def _candle(
    one: FetchedCandles, candle: HistoricalCandle, day: date, times: tuple[int, int], traded: int
) -> Candle:
    return Candle(
        exchange=one.instrument.exchange,
        tradingsymbol=one.instrument.tradingsymbol,
        expiry=one.instrument.expiry,
        instrument_token=one.instrument.instrument_token,
        opened_ms=times[0],
        closes_ms=times[1],
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        vwap=None,
        ticks=0,
        oi=candle.oi,
        cumulative_volume=traded,
        revision=0,
        interval=one.interval,
        source="backfill",
        trading_day=day,
    )
