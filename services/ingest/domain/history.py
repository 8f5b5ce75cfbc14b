"""A broker's historical candles as batches, and what is missing from them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
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
    """The candles of one instrument and interval, oldest first."""

    instrument: Instrument
    interval: Interval
    candles: Sequence[HistoricalCandle]


def batches_of(
    fetched: Iterable[FetchedCandles], until: date, calendar: Calendar, partitions: int
) -> list[CandleBatch]:
    """Return one batch per day, partition and interval; `until` is excluded.

    Candles outside the day's sessions are dropped. A broker gives neither vwap nor ticks.
    """
    groups: dict[tuple[date, int, Interval], list[Candle]] = {}
    for one in fetched:
        partition = partition_of(one.instrument.instrument_token, partitions)
        for candle in _candles(one, calendar):
            if candle.trading_day < until:
                key = (candle.trading_day, partition, one.interval)
                groups.setdefault(key, []).append(candle)
    return [
        CandleBatch.backfill(partition, interval, day, CandleColumns.of(candles))
        for (day, partition, interval), candles in sorted(groups.items())
    ]


def gaps_of(
    batches: Iterable[CandleBatch], instruments: int, since: date, until: date, calendar: Calendar
) -> Iterator[str]:
    """Yield a line per span of trading days without candles, and per day that lacks some."""
    counts: dict[tuple[date, Interval], int] = {}
    for batch in batches:
        key = (batch.trading_day, batch.interval)
        counts[key] = counts.get(key, 0) + len(batch.columns)
    known = {day for day, _ in counts}
    missing = [day for day in _trading_days(since, until, calendar) if day not in known]
    yield from (f"{_span(run)}: no candles" for run in _runs(missing, calendar))
    for (day, interval), count in sorted(counts.items()):
        expected = instruments * _candles_of_day(day, interval, calendar)
        if count < expected:
            yield f"{day}: {expected - count} of {expected} {interval} candles are missing"


def _candles(one: FetchedCandles, calendar: Calendar) -> Iterator[Candle]:
    traded: dict[date, int] = {}
    for candle in one.candles:
        day = candle.opened_at.astimezone(IST).date()
        times = _times(candle, day, one.interval, calendar)
        if times is not None:
            traded[day] = traded.get(day, 0) + candle.volume
            yield _candle(one, candle, day, times, traded[day])


def _times(
    candle: HistoricalCandle, day: date, interval: Interval, calendar: Calendar
) -> tuple[int, int] | None:
    """Return open and close of a candle, epoch ms, or None outside the day's sessions."""
    sessions = calendar.sessions("NSE", day)
    if not sessions:
        return None
    opens_ms, closes_ms = sessions[0].open_ms, sessions[-1].close_ms
    if interval == "day":
        return opens_ms, closes_ms
    opened_ms = ms_from_utc(candle.opened_at)
    if not opens_ms <= opened_ms < closes_ms:
        return None
    return opened_ms, min(opened_ms + MINUTES[interval] * MINUTE_MS, closes_ms)


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


def _candles_of_day(day: date, interval: Interval, calendar: Calendar) -> int:
    if interval == "day":
        return 1
    length_ms = MINUTES[interval] * MINUTE_MS
    sessions = calendar.sessions("NSE", day)
    return sum(-(-(one.close_ms - one.open_ms) // length_ms) for one in sessions)


def _trading_days(since: date, until: date, calendar: Calendar) -> Iterator[date]:
    day = since
    while day < until:
        if calendar.is_trading_day("NSE", day):
            yield day
        day += timedelta(days=1)


def _runs(days: Sequence[date], calendar: Calendar) -> Iterator[list[date]]:
    """Cut trading days into runs without a trading day between them."""
    run: list[date] = []
    for day in days:
        if run and calendar.next_trading_day("NSE", run[-1]) != day:
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def _span(run: Sequence[date]) -> str:
    return f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}"
