import csv
import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import (
    IST,
    Calendar,
    CalendarError,
    day_in_india,
    day_span_ms,
    load_calendar,
    midnight,
    midnight_ms,
)

SEGMENTS = ("NSE", "NFO", "BSE", "BFO", "MCX")
days = st.dates(date(2021, 1, 1), date(2026, 12, 31))


def hours(calendar: Calendar, segment: str, day: date) -> list[tuple[str, str]]:
    return [
        (f"{s.opens_at.astimezone(IST):%H:%M}", f"{s.closes_at.astimezone(IST):%H:%M}")
        for s in calendar.sessions(segment, day)
    ]


def test_a_session_carries_utc_times_and_epoch_milliseconds(calendar: Calendar) -> None:
    (session,) = calendar.sessions("NSE", date(2021, 6, 9))
    assert session.opens_at == datetime(2021, 6, 9, 3, 45, tzinfo=UTC)
    assert session.opens_at.tzinfo is UTC
    assert session.open_ms == 1_623_210_300_000
    assert session.close_ms - session.open_ms == 375 * 60_000


@pytest.mark.parametrize(
    ("segment", "day", "expected"),
    [
        ("NSE", date(2026, 8, 3), [("09:15", "15:30")]),
        ("NFO", date(2026, 7, 31), [("09:15", "15:30")]),
        ("NFO", date(2026, 8, 3), [("09:15", "15:40")]),
        ("NFO-OPT", date(2026, 8, 3), [("09:15", "15:40")]),
        ("BFO-FUT", date(2026, 8, 3), [("09:15", "15:40")]),
        ("INDICES", date(2026, 8, 3), [("09:15", "15:30")]),
        ("MCX", date(2025, 3, 7), [("09:00", "23:55")]),
        ("MCX-FUT", date(2025, 3, 10), [("09:00", "23:30")]),
        ("MCX", date(2025, 11, 3), [("09:00", "23:55")]),
        ("MCX", date(2025, 8, 27), [("17:00", "23:30")]),
        ("MCX", date(2026, 1, 1), [("09:00", "17:00")]),
        ("MCX", date(2026, 1, 15), [("17:00", "23:55")]),
        ("MCX", date(2026, 3, 3), [("17:00", "23:55")]),
        ("MCX", date(2026, 3, 26), [("17:00", "23:30")]),
        ("MCX", date(2026, 10, 20), [("17:00", "23:30")]),
        ("MCX", date(2026, 11, 10), [("17:00", "23:55")]),
        ("NSE", date(2026, 11, 8), []),
        ("NSE", date(2021, 11, 4), [("18:15", "19:15")]),
        ("NFO", date(2025, 10, 21), [("13:45", "14:45")]),
        ("MCX", date(2025, 10, 21), [("13:45", "14:45")]),
        ("NSE", date(2023, 11, 12), [("18:15", "19:15")]),
        ("NSE", date(2024, 1, 20), [("09:15", "15:30")]),
        ("NFO", date(2024, 3, 2), [("09:15", "10:00"), ("11:30", "12:30")]),
        ("NSE", date(2024, 5, 18), [("09:15", "10:00"), ("11:30", "12:30")]),
        ("NSE", date(2025, 2, 1), [("09:15", "15:30")]),
        ("NFO", date(2026, 2, 1), [("09:15", "15:30")]),
        ("MCX", date(2026, 2, 1), [("09:00", "17:00")]),
        ("NSE", date(2021, 2, 24), [("09:15", "11:40"), ("15:45", "17:00")]),
        ("NSE", date(2022, 9, 24), []),
        ("NSE", date(2022, 9, 25), []),
        ("MCX", date(2025, 1, 4), []),
        ("MCX", date(2024, 1, 26), []),
    ],
)
def test_hours_of_known_days(
    calendar: Calendar, segment: str, day: date, expected: list[tuple[str, str]]
) -> None:
    assert hours(calendar, segment, day) == expected


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2022, 9, 24), "Saturday"),
        (date(2022, 9, 25), "Sunday"),
        (date(2024, 1, 26), "holiday: Republic Day"),
        (date(2025, 8, 27), "holiday: Ganesh Chaturthi"),
        (date(2025, 8, 29), None),
        (date(2024, 1, 20), None),
    ],
)
def test_a_closed_day_says_why(calendar: Calendar, day: date, reason: str | None) -> None:
    assert calendar.closed_reason("NSE", day) == reason


@pytest.mark.parametrize(
    ("year", "count"), [(2021, 248), (2022, 248), (2023, 246), (2024, 249), (2025, 249)]
)
def test_nse_has_its_known_number_of_trading_days(
    calendar: Calendar, year: int, count: int
) -> None:
    length = (date(year + 1, 1, 1) - date(year, 1, 1)).days
    in_year = [date(year, 1, 1) + timedelta(days=i) for i in range(length)]
    assert sum(calendar.is_trading_day("NSE", day) for day in in_year) == count


def test_the_neighbouring_trading_days_leave_out_weekends_and_holidays(calendar: Calendar) -> None:
    assert calendar.next_trading_day("NSE", date(2025, 8, 14)) == date(2025, 8, 18)
    assert calendar.previous_trading_day("NSE", date(2025, 8, 18)) == date(2025, 8, 14)


def test_contracts_do_not_expire_on_muhurat_days(calendar: Calendar) -> None:
    assert calendar.is_trading_day("NFO", date(2025, 10, 21))
    assert not calendar.is_settlement_day("NFO", date(2025, 10, 21))
    assert not calendar.is_settlement_day("NFO", date(2025, 10, 19))
    assert calendar.is_settlement_day("NFO", date(2025, 10, 20))


@pytest.mark.parametrize("day", [date(2020, 12, 31), date(2027, 1, 1)])
def test_a_day_outside_the_known_years_is_refused_by_name(calendar: Calendar, day: date) -> None:
    assert not calendar.covers(day)
    with pytest.raises(CalendarError, match=f"no calendar for {day}"):
        calendar.sessions("NSE", day)
    with pytest.raises(CalendarError, match=str(day)):
        calendar.is_settlement_day("NSE", day)


def test_looking_past_the_last_known_year_is_refused(calendar: Calendar) -> None:
    with pytest.raises(CalendarError, match="2027-01-01"):
        calendar.next_trading_day("NSE", date(2026, 12, 31))


def test_an_unknown_segment_is_refused(calendar: Calendar) -> None:
    with pytest.raises(CalendarError, match="segment CDS-FUT"):
        calendar.sessions("CDS-FUT", date(2025, 1, 1))


def test_every_recorded_fifteen_minute_bar_lies_in_a_session(
    calendar: Calendar, recorded: Callable[[str], Path]
) -> None:
    with gzip.open(recorded("nse_15min/RELIANCE_2024-04_2025-03.csv.gz"), "rt") as lines:
        stamps = [datetime.fromisoformat(row["timestamp"]) for row in csv.DictReader(lines)]
    outside = [f"{at}" for at in stamps if not is_open(calendar, at.replace(tzinfo=IST))]
    assert outside == ["2025-03-25 15:30:00"]  # a bar of the vendor's after the close


def is_open(calendar: Calendar, at: datetime) -> bool:
    return any(s.opens_at <= at < s.closes_at for s in calendar.sessions("NSE", at.date()))


def test_no_recorded_index_day_is_a_closed_day(
    calendar: Calendar, recorded: Callable[[str], Path]
) -> None:
    with gzip.open(
        recorded("nse_1min_index/2024-01_2024-04_NIFTY50_startlabel.csv.gz"), "rt"
    ) as lines:
        recorded_days = {row["Date"] for row in csv.DictReader(lines)}
    assert len(recorded_days) == 79
    assert all(calendar.is_trading_day("NSE", date.fromisoformat(day)) for day in recorded_days)


@given(st.sampled_from(SEGMENTS), days)
def test_sessions_are_ordered_apart_and_within_their_day(segment: str, day: date) -> None:
    sessions = load_calendar().sessions(segment, day)
    edges = [edge for s in sessions for edge in (s.open_ms, s.close_ms)]
    assert edges == sorted(set(edges))
    assert all(s.day == s.opens_at.astimezone(IST).date() == day for s in sessions)


@given(st.sampled_from(SEGMENTS), days)
def test_a_day_is_open_or_says_why_not(segment: str, day: date) -> None:
    calendar = load_calendar()
    is_trading = calendar.is_trading_day(segment, day)
    assert is_trading == bool(calendar.sessions(segment, day))
    assert is_trading == (calendar.closed_reason(segment, day) is None)


@given(st.sampled_from(SEGMENTS), st.dates(date(2021, 2, 1), date(2026, 11, 30)))
def test_next_and_previous_trading_days_undo_each_other(segment: str, day: date) -> None:
    calendar = load_calendar()
    later = calendar.next_trading_day(segment, day)
    assert day < later
    assert calendar.previous_trading_day(segment, later) <= day
    assert (
        calendar.next_trading_day(segment, calendar.previous_trading_day(segment, later)) == later
    )


def test_a_time_is_in_session_from_the_open_to_just_before_the_close(calendar: Calendar) -> None:
    (session,) = calendar.sessions("NSE", date(2026, 6, 17))
    assert calendar.is_in_session("NSE", session.open_ms)
    assert not calendar.is_in_session("NSE", session.open_ms - 1)
    assert calendar.is_in_session("NSE", session.close_ms - 1)
    assert not calendar.is_in_session("NSE", session.close_ms)


def test_a_time_without_data_or_on_a_holiday_is_in_no_session(calendar: Calendar) -> None:
    assert not calendar.is_in_session("NSE", 0)
    noon = datetime(2026, 1, 26, 12, tzinfo=IST)
    assert not calendar.is_in_session("NSE", int(noon.timestamp() * 1000))


@given(days)
def test_each_time_is_of_one_day_in_india(day: date) -> None:
    begins_ms, ends_ms = day_span_ms(day)
    found = [day_in_india(at_ms) for at_ms in (begins_ms - 1, begins_ms, ends_ms - 1, ends_ms)]
    assert found == [day - timedelta(days=1), day, day, day + timedelta(days=1)]


@given(days)
def test_a_day_of_india_begins_at_its_midnight_and_ends_at_the_next(day: date) -> None:
    begins_ms, ends_ms = day_span_ms(day)
    assert begins_ms == midnight_ms(day)
    assert f"{midnight(day):%Y-%m-%d %H:%M:%S %z}" == f"{day} 00:00:00 +0530"
    ends_at = datetime.fromtimestamp(ends_ms / 1000, UTC)
    assert ends_at == midnight(day + timedelta(days=1))
    assert ends_ms - begins_ms == 24 * 3600 * 1000
