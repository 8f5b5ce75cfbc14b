from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import IST, Session, load_calendar
from services.simulator.domain.errors import InputError
from services.simulator.domain.market.candles import Candles
from services.simulator.domain.rest.candle_replies import (
    DAY,
    MINUTES,
    DayMinutes,
    Span,
    candles_reply,
)

TODAY = date(2026, 6, 10)
TWO_SESSIONS = date(2024, 3, 2)
MINUTE_MS = 60_000
COLUMNS = ("open", "high", "low", "close", "volume", "oi")
AGGREGATES = ("first", "max", "min", "last", "sum", "last")


def at(day: date, hour: int, minute: int) -> int:
    return (
        round(datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST).timestamp()) * 1000
    )


def candles(opened_at_ms: list[int], seed: int) -> Candles:
    """Random candles at the given times."""
    rng = np.random.default_rng(seed)
    count = len(opened_at_ms)
    start, end = rng.integers(100, 200, (2, count)).astype(float)
    return Candles(
        opened_at_ms=np.array(opened_at_ms, np.int64),
        open=start,
        high=np.maximum(start, end) + 1,
        low=np.minimum(start, end) - 1,
        close=end,
        volume=rng.integers(0, 1000, count),
        oi=rng.integers(0, 1000, count),
    )


def minutes_of(sessions: tuple[Session, ...]) -> list[int]:
    return [at_ms for one in sessions for at_ms in range(one.open_ms, one.close_ms, MINUTE_MS)]


def whole(day: date, interval: str) -> Span:
    return Span(interval, at(day, 0, 0), at(day, 23, 59))


def resampled(minutes: Candles, sessions: tuple[Session, ...], length: int) -> list[list[Any]]:
    """What pandas makes of the minutes of each session."""
    index = pd.to_datetime(minutes.opened_at_ms, unit="ms", utc=True)
    frame = pd.DataFrame({name: getattr(minutes, name) for name in COLUMNS}, index=index)
    rows = []
    for session in sessions:
        opens, closes = pd.Timestamp(session.opens_at), pd.Timestamp(session.closes_at)
        grouped = frame[(index >= opens) & (index < closes)].resample(f"{length}min", origin=opens)
        folded = grouped.agg(dict(zip(COLUMNS, AGGREGATES, strict=True)))
        folded = folded[grouped.size() > 0]
        rows += [[stamp(opened), *map(float, row)] for opened, *row in folded.itertuples()]
    return rows


def stamp(opened: datetime) -> str:
    return f"{opened.astimezone(IST):%Y-%m-%dT%H:%M:%S%z}"


@given(
    day=st.sampled_from([TODAY, TWO_SESSIONS]),
    interval=st.sampled_from(sorted(MINUTES)),
    present=st.sets(st.integers(0, 374)),
    seed=st.integers(0, 100),
)
def test_longer_candles_are_what_pandas_resamples_from_the_minutes(
    day: date, interval: str, present: set[int], seed: int
) -> None:
    sessions = load_calendar().sessions("NSE", day)
    times = minutes_of(sessions)
    minutes = candles([times[n] for n in sorted(present) if n < len(times)], seed)
    reply = candles_reply(whole(day, interval), [DayMinutes(day, sessions, minutes)], oi=True)
    assert reply["candles"] == resampled(minutes, sessions, MINUTES[interval])


def test_hours_are_counted_from_the_open_and_the_last_may_be_short() -> None:
    sessions = load_calendar().sessions("NSE", TODAY)
    day = DayMinutes(TODAY, sessions, candles(minutes_of(sessions), 1))
    opened = [
        row[0][11:16] for row in candles_reply(whole(TODAY, "60minute"), [day], False)["candles"]
    ]
    assert opened == ["09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15"]


def test_a_day_is_one_candle_stamped_midnight() -> None:
    sessions = load_calendar().sessions("NSE", TODAY)
    minutes = candles(minutes_of(sessions), 1)
    (row,) = candles_reply(whole(TODAY, DAY), [DayMinutes(TODAY, sessions, minutes)], False)[
        "candles"
    ]
    assert row == [
        "2026-06-10T00:00:00+0530",
        minutes.open[0],
        minutes.high.max(),
        minutes.low.min(),
        minutes.close[-1],
        minutes.volume.sum(),
    ]


def test_candles_have_the_types_of_kites_own() -> None:
    sessions = load_calendar().sessions("NSE", TODAY)
    day = DayMinutes(TODAY, sessions, candles(minutes_of(sessions)[:2], 1))
    reply = candles_reply(whole(TODAY, "minute"), [day], oi=True)
    kinds = [str, float, float, float, float, int, int]
    assert [[type(value) for value in row] for row in reply["candles"]] == [kinds, kinds]
    assert reply["candles"][1][0] == "2026-06-10T09:16:00+0530"


@given(first=st.integers(0, 374), last=st.integers(0, 374))
def test_both_ends_of_a_span_belong_to_it(first: int, last: int) -> None:
    sessions = load_calendar().sessions("NSE", TODAY)
    times = minutes_of(sessions)
    first, last = min(first, last), max(first, last)
    day = DayMinutes(TODAY, sessions, candles(times, 1))
    reply = candles_reply(Span("minute", times[first], times[last]), [day], False)
    assert len(reply["candles"]) == last - first + 1


def test_days_follow_one_another_and_those_outside_are_left_out() -> None:
    calendar = load_calendar()
    days = [TODAY - timedelta(days=back) for back in (5, 2, 1, 0)]
    given_ = [
        DayMinutes(day, sessions, candles(minutes_of(sessions), 1))
        for day in days
        if (sessions := calendar.sessions("NSE", day))
    ]
    span = Span(DAY, at(days[1], 12, 0), at(days[2], 0, 0))
    opened = [row[0][:10] for row in candles_reply(span, given_, False)["candles"]]
    assert opened == ["2026-06-08", "2026-06-09"]
    assert candles_reply(whole(date(2026, 1, 1), "minute"), given_, False) == {"candles": []}


def test_a_span_beyond_the_intervals_maximum_is_refused() -> None:
    span = Span("minute", at(TODAY, 9, 15), at(TODAY + timedelta(days=60), 9, 15))
    span.check_length({"minute": 60})
    with pytest.raises(InputError, match=r"^interval exceeds max limit: 60 days$"):
        Span("minute", span.from_ms, span.to_ms + 1000).check_length({"minute": 60})
    Span("day", span.from_ms, span.to_ms + 1000).check_length({"minute": 60})


def test_an_unknown_interval_and_a_span_turned_round_are_refused() -> None:
    with pytest.raises(InputError, match="invalid interval"):
        Span("2minute", 0, 1)
    with pytest.raises(InputError, match="from date"):
        Span("minute", 1, 0)
