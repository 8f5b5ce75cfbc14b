"""What the feed misses on a day is asked for once it has closed, and published with its range."""

import asyncio
import time
from dataclasses import replace
from datetime import date, datetime
from datetime import time as clock_time
from itertools import pairwise

from libs.broker.errors import BrokerError
from libs.events.candles import CandleBatch, HistoryFetched, Interval
from libs.events.event import Event, ms_from_utc, utc_from_ms
from libs.events.outages import Outages
from libs.market.calendar import IST, load_calendar
from services.ingest.catching_up import TRIES, CatchUp
from services.ingest.domain.missed_candles import MissedCandles
from services.ingest.domain.missing_history import Ask
from services.ingest.fetching import SETTLED_MS
from tests.unit.services.ingest.test_fetching import (
    ITC,
    SBIN,
    WEDNESDAY,
    Broker,
    Busy,
    Tables,
    fetcher,
)


def ms(hour: int, minute: int, second: int = 0) -> int:
    return ms_from_utc(datetime(2026, 6, 17, hour, minute, second, tzinfo=IST))


def missed(fetched_ms: int, intervals: tuple[Interval, ...] = ("5m", "15m")) -> MissedCandles:
    calendar = load_calendar()
    return MissedCandles(WEDNESDAY, [SBIN, ITC], intervals, calendar, 1, fetched_ms, SETTLED_MS)


def clock(one: MissedCandles, *times: tuple[int, int, int]) -> list[tuple[str, str, str, str]]:
    """Let the clock run by the second between times; return what is asked for, and when it is."""
    asked = []
    for first, last in pairwise([*times, times[-1]]):
        for at_ms in range(ms(*first), max(ms(*last), ms(*first) + 1), 1000):
            one.on_clock(0, at_ms)
            asked += [(said(at_ms), *told(ask)) for ask in one.due(at_ms)]
    return asked


def told(ask: Ask) -> tuple[str, str, str]:
    assert list(ask.days) == [WEDNESDAY]
    symbol = f"{ask.instrument.tradingsymbol} {ask.interval}"
    return symbol, said(ask.since_ms), said(ask.until_ms)


def said(at_ms: int) -> str:
    return f"{utc_from_ms(at_ms).astimezone(IST):%H:%M:%S}"


def test_a_feed_that_begins_before_the_open_misses_nothing() -> None:
    assert clock(missed(ms(8, 30)), (9, 8, 0), (15, 40, 0)) == []
    assert clock(missed(ms(8, 30)), (9, 15, 0), (15, 40, 0)) == []


def test_all_that_is_partial_after_a_restart_is_asked_for() -> None:
    """Whoever makes candles knows of the feed before the restart, and counts from there."""
    for began in ((11, 30, 2), (9, 15, 2)):
        there = Outages()
        there.on_clock(ms(*began) - 12_000)
        there.on_clock(ms(*began))
        opened = ms(*began) - 2000
        assert there.touch(opened, opened + 900_000)
        asked = clock(missed(ms(*began) - 7_000, ("15m",)), began, (12, 0, 0))
        assert said(opened) in [since for _, symbol, since, _ in asked if symbol == "SBIN 15m"]


def test_a_late_start_asks_for_what_was_not_fetched_once_it_has_closed() -> None:
    asked = clock(missed(ms(11, 19, 55)), (11, 21, 10), (11, 40, 0))
    assert asked == [
        (when, f"{symbol} {interval}", since, until)
        for when, interval, since, until in (
            ("11:21:10", "5m", "11:15:00", "11:20:00"),
            ("11:25:05", "5m", "11:20:00", "11:25:00"),
            ("11:30:05", "15m", "11:15:00", "11:30:00"),
        )
        for symbol in ("SBIN", "ITC")
    ]


def test_after_an_outage_its_candles_are_asked_for_and_each_once() -> None:
    one = missed(ms(8, 30), ("15m",))
    asked = clock(one, (9, 15, 0), (10, 20, 0)) + clock(one, (11, 2, 0), (11, 40, 0))
    assert asked == [
        (when, f"{symbol} 15m", since, until)
        for when, since, until in (
            ("11:02:00", "10:15:00", "11:00:00"),
            ("11:15:05", "11:00:00", "11:15:00"),
        )
        for symbol in ("SBIN", "ITC")
    ]


def test_an_outage_of_very_many_instruments_holds_nothing_up() -> None:
    one = missed(ms(8, 30))
    one.instruments = [replace(SBIN, instrument_token=number << 8) for number in range(3000)]
    one.on_clock(0, ms(9, 15))
    began = time.process_time()
    one.on_clock(0, ms(10, 2))
    counts = [len(one.due(at_ms)) for at_ms in (ms(10, 2), ms(10, 5, 5), ms(10, 15, 5))]
    assert counts == [6000, 3000, 3000]
    assert time.process_time() - began < 2


def test_each_partition_has_its_own_outages() -> None:
    one = missed(ms(8, 30), ("15m",))
    one.partitions = 16
    at = {SBIN.instrument_token >> 8 & 15: "SBIN", ITC.instrument_token >> 8 & 15: "ITC"}
    assert len(at) == 2
    for partition, symbol in at.items():
        one.on_clock(partition, ms(9, 15, 0))
        one.on_clock(partition, ms(9, 31, 0))
        assert {ask.instrument.tradingsymbol for ask in one.due(ms(9, 31, 0))} == {symbol}
        one.due(ms(10, 0))


def published(broker: Broker, ask: Ask, troubles: int = 0) -> tuple[list[Event], list[float]]:
    """Catch up with one ask; return what was published, and the waits before it."""
    events, slept = list[Event](), list[float]()

    async def story() -> None:
        is_there = asyncio.Event()

        async def emit(*given: Event) -> None:
            events.extend(given)
            is_there.set()

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == troubles:
                broker.holes = frozenset()

        at = datetime(2026, 6, 17, 11, 20, tzinfo=IST)
        made = CatchUp(fetcher(broker, Tables(), WEDNESDAY, at), missed(ms(11, 20)), sleep)
        made._due.put_nowait((ask, TRIES))
        task = asyncio.create_task(made.run(emit))
        async with asyncio.timeout(5):
            await is_there.wait()
        task.cancel()

    asyncio.run(story())
    return events, slept


ASK = Ask(SBIN, "15m", (WEDNESDAY,), ms(10, 15), ms(11, 0))


def test_the_brokers_candles_are_published_and_then_what_was_asked_for() -> None:
    (batch, asked), slept = published(Broker(), ASK)
    assert isinstance(batch, CandleBatch)
    assert isinstance(asked, HistoryFetched)
    assert [said(at_ms) for at_ms in batch.columns.opened_ms] == [
        "10:15:00",
        "10:30:00",
        "10:45:00",
    ]
    assert (batch.source, asked.since_ms, asked.until_ms) == ("backfill", ms(10, 15), ms(11, 0))
    assert (asked.candles, asked.expected, slept) == ((3,), (3,), [])


def test_a_broker_that_does_not_have_them_yet_is_asked_again() -> None:
    late = Broker(holes=frozenset({WEDNESDAY}))
    (batch, _), slept = published(late, ASK, troubles=2)
    assert isinstance(batch, CandleBatch)
    assert len(slept) == 2


def test_what_it_does_not_have_after_all_tries_it_has_not() -> None:
    (asked,), slept = published(Broker(holes=frozenset({WEDNESDAY})), ASK)
    assert isinstance(asked, HistoryFetched)
    assert (asked.candles, asked.expected, len(slept)) == ((0,), (3,), TRIES - 1)


def test_what_it_does_not_have_yet_holds_up_no_other() -> None:
    asked = list[str]()

    async def story() -> None:
        is_there, slept = asyncio.Event(), list[float]()

        async def emit(*given: Event) -> None:
            asked.extend(one.interval for one in given if isinstance(one, HistoryFetched))
            is_there.set()

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            await asyncio.Event().wait()

        late = Broker(holes=frozenset({WEDNESDAY}))
        at = datetime(2026, 6, 17, 11, 20, tzinfo=IST)
        made = CatchUp(fetcher(late, Tables(), WEDNESDAY, at), missed(ms(11, 20)), sleep)
        nothing = Ask(SBIN, "60m", (WEDNESDAY,), ms(10, 16), ms(10, 17))
        made._due.put_nowait((ASK, TRIES))
        made._due.put_nowait((nothing, TRIES))
        task = asyncio.create_task(made.run(emit))
        async with asyncio.timeout(5):
            await is_there.wait()
        task.cancel()
        assert len(slept) == 1

    asyncio.run(story())
    assert asked == ["60m"]


def test_an_error_of_the_broker_ends_nothing() -> None:
    broker = Broker(troubles=[BrokerError("no such thing"), Busy("busy")])
    (batch, _), slept = published(broker, ASK)
    assert isinstance(batch, CandleBatch)
    assert len(slept) == 1


def test_what_the_feed_misses_begins_where_the_history_ends() -> None:
    at = datetime(2026, 6, 17, 11, 20, 30, tzinfo=IST)
    made = fetcher(Broker(), None, WEDNESDAY, at).missed()
    assert (made.fetched_ms, made.day) == (ms_from_utc(at) - SETTLED_MS, WEDNESDAY)


def test_on_a_day_with_a_pause_each_session_has_its_own_candles() -> None:
    day = date(2024, 3, 2)

    def at(hour: int, minute: int) -> int:
        return ms_from_utc(datetime.combine(day, clock_time(hour, minute), IST))

    calendar = load_calendar()
    one = MissedCandles(day, [SBIN], ("60m", "day"), calendar, 1, at(9, 0), SETTLED_MS)
    one.on_clock(0, at(9, 50))
    one.on_clock(0, at(11, 40))
    asked = {(ask.interval, said(ask.since_ms), said(ask.until_ms)) for ask in one.due(at(13, 0))}
    assert ("60m", "09:15:00", "10:00:00") in asked
    assert ("60m", "11:30:00", "12:30:00") in asked
    assert ("day", "09:15:00", "12:30:00") in asked
