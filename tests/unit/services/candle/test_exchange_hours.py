"""Candles of MCX, BFO and of indices: aligned to the open of their exchange, until its close."""

from collections.abc import Iterable
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import Candle
from libs.events.event import ms_from_utc, utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.market.calendar import IST, load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from services.candle.settings import CandleSettings
from tests.proofs import examples
from tests.unit.services.candle.frames import MINUTE, Tick, candles_of, frame, listed

SUMMER, WINTER, HOLIDAY = date(2026, 6, 17), date(2026, 12, 15), date(2026, 6, 26)
OUTAGE = date(2021, 2, 24)
GRACE = 2000


def at(day: date, hour: int, minute: int, second: int = 0) -> int:
    return ms_from_utc(datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=IST))


def future(exchange: str, number: int = 0) -> InstrumentListed:
    changes = {"expiry": date(2026, 6, 30), "instrument_type": "FUT"}
    return listed(number, f"{exchange}-FUT").model_copy(update=changes)


def candles(
    day: date, ticks: Iterable[Tick], instruments: Iterable[InstrumentListed], until_ms: int
) -> list[Candle]:
    """Play ticks one by one, each with its own clock, then the clock alone."""
    made = CandleAggregator(load_calendar(), CandleRules(), CandleSettings().segments)
    for one in instruments:
        made.list_instrument(one)
    frames = [frame([tick], tick[1], received_ms=tick[1]) for tick in ticks]
    frames.append(frame([], until_ms, received_ms=until_ms))
    closed = [made.on_ticks(one.model_copy(update={"trading_day": day})) for one in frames]
    return [candle for batches in closed for candle in candles_of(batches)]


def opens(made: Iterable[Candle], interval: str) -> list[str]:
    times = (utc_from_ms(one.opened_ms).astimezone(IST) for one in made if one.interval == interval)
    return [f"{time:%H:%M}" for time in times]


@pytest.mark.parametrize(
    ("day", "hour", "minute", "quarter", "sixty"),
    [
        (SUMMER, 9, 0, "09:00", "09:00"),
        (SUMMER, 9, 14, "09:00", "09:00"),
        (SUMMER, 15, 40, "15:30", "15:00"),
        (SUMMER, 23, 29, "23:15", "23:00"),
        (WINTER, 23, 54, "23:45", "23:00"),
        (HOLIDAY, 17, 20, "17:15", "17:00"),
    ],
)
def test_candles_of_mcx_are_aligned_to_its_own_open(
    day: date, hour: int, minute: int, quarter: str, sixty: str
) -> None:
    tick = (0, at(day, hour, minute, 5), 6000.0, 10)
    made = candles(day, [tick], [future("MCX")], at(day, 23, 59))
    assert opens(made, "15m") == [quarter]
    assert opens(made, "60m") == [sixty]
    (daily,) = [one for one in made if one.interval == "day"]
    assert (daily.exchange, daily.expiry) == ("MCX", date(2026, 6, 30))


@pytest.mark.parametrize(("day", "close"), [(SUMMER, (23, 30)), (WINTER, (23, 55))])
def test_the_last_candle_of_mcx_closes_at_its_close_and_not_before(
    day: date, close: tuple[int, int]
) -> None:
    close_ms = at(day, *close)
    ticks = [(0, close_ms - 1000, 6000.0, 10), (0, close_ms + 60_000, 6001.0, 20)]
    for until_ms, is_closed in ((close_ms + GRACE - 1, False), (close_ms + GRACE, True)):
        made = candles(day, ticks[:1], [future("MCX")], until_ms)
        assert bool(made) == is_closed
    made = candles(day, ticks, [future("MCX")], close_ms + 2 * MINUTE)
    assert {one.closes_ms for one in made} == {close_ms}
    assert {one.close for one in made} == {6000.0}


@pytest.mark.parametrize(
    ("day", "last"), [(date(2026, 7, 31), "15:29"), (date(2026, 8, 3), "15:39")]
)
@pytest.mark.parametrize("exchange", ["NFO", "BFO"])
def test_futures_make_candles_until_their_exchange_closes(
    exchange: str, day: date, last: str
) -> None:
    ticks = [(0, at(day, 15, minute, 30), 100.0 + minute, minute) for minute in range(20, 50)]
    made = candles(day, ticks, [future(exchange)], at(day, 16, 0))
    assert opens(made, "1m")[-1] == last


def test_an_index_has_the_hours_of_its_exchange() -> None:
    sensex = listed(0, "INDICES").model_copy(update={"exchange": "BSE"})
    nifty = listed(1, "INDICES")
    ticks = [(number, at(OUTAGE, 12, 0, 5), 50_000.0, 0) for number in (0, 1)]
    made = candles(OUTAGE, ticks, [sensex, nifty], at(OUTAGE, 17, 1))
    assert {one.exchange for one in made} == {"BSE"}


@examples(10)
@given(
    minutes=st.sets(st.integers(0, 16 * 60), min_size=1, max_size=12),
    day=st.sampled_from([SUMMER, WINTER, HOLIDAY]),
)
def test_shares_and_commodities_share_a_clock_and_each_keeps_its_hours(
    minutes: set[int], day: date
) -> None:
    """Ticks of both at the same minutes: each makes its candles in its own sessions alone."""
    calendar, start = load_calendar(), at(day, 8, 0)
    times = [start + minute * MINUTE + 1000 for minute in sorted(minutes)]
    ticks = [
        (number, time, 100.0 + number, 10 * (at_number + 1))
        for at_number, time in enumerate(times)
        for number in (0, 1)
    ]
    made = candles(day, ticks, [listed(0), future("MCX", 1)], at(day, 23, 59, 59))
    for exchange in ("NSE", "MCX"):
        found = {one.opened_ms for one in made if (one.exchange, one.interval) == (exchange, "1m")}
        expected = {one - 1000 for one in times if calendar.is_in_session(exchange, one)}
        assert found == expected
