"""Candles of all intervals begin with each session and end at its close, for whoever counts."""

from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise

import numpy as np
import pytest

from libs.events.candles import MINUTES, Candle, Interval
from libs.market.calendar import IST, load_calendar, midnight_ms
from libs.market.candle_grid import closes_of, opens_of
from libs.strategy.harness import make_candles
from services.candle.domain.schedule import MINUTE_MS, Schedule
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.missing_history import Window
from services.strategy.domain.gaps import between, missing_candles
from tests.unit.services.candle.frames import listed

CALENDAR = load_calendar()
PAUSED = date(2024, 3, 2)
DAYS = [
    pytest.param("NSE", date(2026, 6, 17), id="usual"),
    pytest.param("NSE", PAUSED, id="two short sessions"),
    pytest.param("NSE", date(2024, 5, 18), id="two short sessions again"),
    pytest.param("NSE", date(2021, 2, 24), id="extended after an outage"),
    pytest.param("NSE", date(2021, 11, 4), id="Muhurat"),
    pytest.param("NSE", date(2026, 8, 3), id="cash since the closing auction"),
    pytest.param("NFO", date(2026, 7, 31), id="the day before derivatives close later"),
    pytest.param("NFO", date(2026, 8, 3), id="derivatives close later"),
    pytest.param("MCX", date(2026, 6, 17), id="MCX in summer"),
    pytest.param("MCX", date(2026, 11, 2), id="MCX in winter"),
    pytest.param("MCX", date(2026, 1, 15), id="an evening of MCX"),
]


def opened(exchange: str, day: date, interval: Interval) -> list[tuple[str, str]]:
    """Return the candles of a day as `HH:MM` of India."""
    return [tuple(_clock(ms) for ms in one) for one in spans(exchange, day, interval)]  # type: ignore[misc]


def _clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, IST):%H:%M}"


def spans(exchange: str, day: date, interval: Interval) -> list[tuple[int, int]]:
    schedule = Schedule(CALENDAR.sessions(exchange, day))
    found = [one for ending in schedule.ending_at.values() for one in ending]
    return sorted(
        (schedule.start_ms(one.start), schedule.start_ms(one.stop))
        for one in found
        if one.interval == interval
    )


def test_no_candle_reaches_over_a_pause() -> None:
    assert opened("NSE", PAUSED, "60m") == [("09:15", "10:00"), ("11:30", "12:30")]
    assert opened("NSE", PAUSED, "30m") == [
        *(("09:15", "09:45"), ("09:45", "10:00")),
        *(("11:30", "12:00"), ("12:00", "12:30")),
    ]
    assert opened("NSE", PAUSED, "day") == [("09:15", "12:30")]


def test_an_evening_that_opens_off_the_grid_of_the_morning_begins_its_own_candles() -> None:
    outage = date(2021, 2, 24)
    assert opened("NSE", outage, "60m") == [
        *(("09:15", "10:15"), ("10:15", "11:15"), ("11:15", "11:40")),
        *(("15:45", "16:45"), ("16:45", "17:00")),
    ]


@pytest.mark.parametrize(("exchange", "day"), DAYS)
@pytest.mark.parametrize("interval", MINUTES)
def test_the_candles_of_a_day_fill_its_sessions_and_nothing_else(
    exchange: str, day: date, interval: Interval
) -> None:
    made, sessions = spans(exchange, day, interval), CALENDAR.sessions(exchange, day)
    length_ms = MINUTES[interval] * MINUTE_MS
    for session in sessions:
        mine = [one for one in made if session.open_ms <= one[0] < session.close_ms]
        assert mine[0][0] == session.open_ms
        assert mine[-1][1] == session.close_ms
        assert all(one[1] == two[0] for one, two in pairwise(mine))
        assert {stop - start for start, stop in mine[:-1]} <= {length_ms}
        assert mine[-1][1] - mine[-1][0] <= length_ms
    times = np.array([one.open_ms + at for one in sessions for at in (0, 1, MINUTE_MS * 44)])
    opens = opens_of(times, length_ms, sessions)
    both = zip(opens.tolist(), closes_of(opens, length_ms, sessions).tolist(), strict=True)
    assert set(both) <= set(made)


@pytest.mark.parametrize(("exchange", "day"), DAYS)
@pytest.mark.parametrize("interval", MINUTES)
def test_the_check_of_gaps_counts_the_candles_that_the_service_makes(
    exchange: str, day: date, interval: Interval
) -> None:
    made = [candle(exchange, day, interval, *one) for one in spans(exchange, day, interval)]
    between_two = [missing_candles(between(*two), CALENDAR) for two in pairwise(made)]
    assert set(between_two) <= {0}
    for at in range(0, len(made), 7):
        gap = between(made[0], made[at])
        assert missing_candles(gap, CALENDAR) == max(0, at - 1)


@pytest.mark.parametrize(
    ("exchange", "day"), [one for one in DAYS if str(one.values[1]) < "2026-08-03"]
)
@pytest.mark.parametrize("interval", MINUTES)
def test_the_history_that_is_expected_has_as_many(
    exchange: str, day: date, interval: Interval
) -> None:
    later = CALENDAR.next_trading_day(exchange, day)
    window = Window(HistoryRules(), later, midnight_ms(later), CALENDAR)
    instrument = replace(listed(0).instrument(), segment=exchange)
    assert window.expected(instrument, interval, day) == len(spans(exchange, day, interval))


def candle(exchange: str, day: date, interval: Interval, start: int, stop: int) -> Candle:
    (made,) = make_candles([100.0], interval=interval)
    return made._replace(
        exchange=exchange, opened_ms=start, closes_ms=stop, trading_day=day, source="live"
    )
