"""Kite's historical candles as batches."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from libs.broker.port.market import HistoricalCandle
from libs.events.candles import CandleBatch, Interval
from libs.market.calendar import IST, load_calendar, midnight_ms
from libs.market.instruments import Instrument, partition_of
from services.ingest.domain.history import FetchedCandles, batches_of
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE

MONDAY, TUESDAY, WEDNESDAY = date(2026, 6, 15), date(2026, 6, 16), date(2026, 6, 17)
SBIN = next(one.instrument() for one in DEFAULT_UNIVERSE if one.tradingsymbol == "SBIN")
NIFTY = next(one.instrument() for one in DEFAULT_UNIVERSE if one.tradingsymbol == "NIFTY 50")


def candles(day: date, minutes: int, until: time = time(15, 30)) -> Iterator[HistoricalCandle]:
    at = datetime.combine(day, time(9, 15), IST)
    while at < datetime.combine(day, until, IST):
        yield HistoricalCandle(at, open=1.0, high=3.0, low=0.5, close=2.0, volume=10)
        at += timedelta(minutes=minutes)


def fetched(
    instrument: Instrument, *days: date, interval: Interval = "15m", until: time = time(15, 30)
) -> FetchedCandles:
    length = {"15m": 15, "60m": 60}[interval]
    return FetchedCandles(
        instrument, interval, [one for day in days for one in candles(day, length, until)]
    )


def batches(*given: FetchedCandles, partitions: int = 1) -> list[CandleBatch]:
    return batches_of(given, midnight_ms(WEDNESDAY), load_calendar(), partitions)


def test_a_batch_holds_a_day_of_one_interval_and_the_last_candle_may_be_short() -> None:
    made = batches(fetched(SBIN, MONDAY, TUESDAY, interval="60m"))
    assert [batch.trading_day for batch in made] == [MONDAY, TUESDAY]
    closed = list(made[0].candles())
    assert len(closed) == 7
    assert closed[-1].closes_ms - closed[-1].opened_ms == 15 * 60_000
    assert {candle.source for candle in closed} == {"backfill"}


def test_the_days_volume_adds_up_candle_by_candle() -> None:
    (batch, _) = batches(fetched(SBIN, MONDAY, TUESDAY))
    assert batch.columns.cumulative_volume[:3] == (10, 20, 30)


def test_candles_after_the_time_and_candles_outside_of_sessions_are_left_out() -> None:
    first = next(candles(MONDAY, 15))
    early = replace(first, opened_at=datetime.combine(MONDAY, time(9, 8), IST))
    sunday = replace(first, opened_at=datetime.combine(date(2026, 6, 14), time(10), IST))
    one = FetchedCandles(SBIN, "15m", [sunday, early, *candles(WEDNESDAY, 15)])
    assert batches(one) == []


def test_each_partition_gets_the_candles_of_its_instruments() -> None:
    made = batches(fetched(SBIN, MONDAY), fetched(NIFTY, MONDAY), partitions=4)
    assert {batch.partition for batch in made} == {
        partition_of(one.instrument_token, 4) for one in (SBIN, NIFTY)
    }


def test_the_same_candles_have_the_same_ids_in_whatever_order_they_came() -> None:
    one, other = fetched(SBIN, MONDAY), fetched(NIFTY, MONDAY)
    assert [b.event_id for b in batches(one, other)] == [b.event_id for b in batches(other, one)]


def test_a_candle_that_has_not_closed_by_the_time_is_left_out() -> None:
    closes = datetime.combine(MONDAY, time(9, 45), IST)
    given = [fetched(SBIN, MONDAY)]
    at_ms = round(closes.timestamp() * 1000)
    for until_ms, count in ((at_ms, 2), (at_ms - 1, 1)):
        (batch,) = batches_of(given, until_ms, load_calendar(), 1)
        assert len(batch.columns) == count
