"""Which expiries of a future are followed on a day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import load_calendar
from services.ingest.domain.near_month import last_day, near_expiries

JUNE, JULY, AUGUST = date(2026, 6, 30), date(2026, 7, 28), date(2026, 8, 25)
LISTED = (AUGUST, JUNE, JULY)
CALENDAR = load_calendar()


def near(on: date, months: int = 1, roll_days: int = 0) -> tuple[date, ...]:
    return near_expiries(LISTED, on, months, roll_days, CALENDAR, "NFO")


@pytest.mark.parametrize(
    ("on", "roll_days", "expected"),
    [
        (date(2026, 6, 30), 0, JUNE),
        (date(2026, 7, 1), 0, JULY),
        (date(2026, 6, 29), 1, JUNE),
        (date(2026, 6, 30), 1, JULY),
        (date(2026, 6, 25), 2, JUNE),  # 2026-06-26 is a holiday, then a weekend
        (date(2026, 6, 29), 2, JULY),
        (date(2026, 8, 25), 5, AUGUST),  # nothing follows it
    ],
)
def test_the_near_month_changes_so_many_trading_days_before_its_expiry(
    on: date, roll_days: int, expected: date
) -> None:
    assert near(on, roll_days=roll_days) == (expected,)


def test_a_holiday_with_an_evening_is_a_trading_day_of_mcx() -> None:
    assert last_day(date(2026, 6, 29), 1, CALENDAR, "MCX") == date(2026, 6, 26)
    assert last_day(date(2026, 6, 29), 1, CALENDAR, "NFO") == date(2026, 6, 25)


def test_beyond_the_calendar_each_weekday_counts() -> None:
    assert last_day(date(2027, 1, 4), 2, CALENDAR, "NFO") == date(2026, 12, 31)


def test_several_months_are_followed_in_their_order() -> None:
    assert near(date(2026, 6, 30), months=2) == (JUNE, JULY)
    assert near(date(2026, 6, 30), months=2, roll_days=1) == (JULY, AUGUST)
    assert near(date(2026, 8, 1), months=3) == (AUGUST,)
    assert near(date(2026, 8, 26)) == ()


@given(
    on=st.dates(date(2026, 5, 1), AUGUST),
    roll_days=st.integers(0, 20),
    months=st.integers(1, 3),
)
def test_until_the_last_expiry_one_is_followed_and_none_ever_comes_back(
    on: date, roll_days: int, months: int
) -> None:
    today, tomorrow = near(on, months, roll_days), near(on + timedelta(days=1), months, roll_days)
    assert 1 <= len(today) <= months
    assert list(today) == sorted(today)
    assert all(expiry >= on for expiry in today)
    assert not tomorrow or tomorrow[0] >= today[0]
