"""What the data files say of a day, and what speaks against relying on it."""

from datetime import date

import pytest

from libs.market.calendar import Calendar
from libs.market.facts import Fact, facts_of, values_of
from libs.market.rulebook import Rulebook


def fact(on: date, title: tuple[str, str], calendar: Calendar, rulebook: Rulebook) -> Fact:
    facts = facts_of(on, calendar, rulebook)
    return next(one for one in facts if (one.topic, one.name) == title)


@pytest.mark.parametrize(
    ("on", "value"), [(date(2026, 7, 31), "09:15–15:30"), (date(2026, 8, 3), "09:15–15:40")]
)
def test_the_hours_of_a_day_are_shown(
    on: date, value: str, calendar: Calendar, rulebook: Rulebook
) -> None:
    shown = fact(on, ("sessions", "NFO"), calendar, rulebook)
    assert (shown.value, shown.until) == (value, date(2026, 12, 31))
    assert ("NSE/FAOP/74467" in shown.source) == (on >= date(2026, 8, 3))


def test_a_day_beyond_the_calendar_is_told(calendar: Calendar, rulebook: Rulebook) -> None:
    day = date(2027, 1, 5)
    shown = fact(day, ("sessions", "NSE"), calendar, rulebook)
    assert shown.doubt(day) == "sessions, NSE: known until 2026-12-31, not since"


@pytest.mark.parametrize(
    ("on", "doubt"),
    [
        (date(2026, 7, 31), None),
        (date(2026, 8, 1), "freeze quantity, NIFTY: known until 2026-08-31 only"),
        (date(2026, 8, 31), "freeze quantity, NIFTY: known until 2026-08-31 only"),
        (date(2026, 9, 1), "freeze quantity, NIFTY: known until 2026-08-31, not since"),
        (date(2025, 10, 8), "freeze quantity, NIFTY: 1800 units is not confirmed (NSE/FAOP/70530)"),
    ],
)
def test_what_ends_within_30_days_or_is_not_confirmed_is_doubted(
    on: date, doubt: str | None, calendar: Calendar, rulebook: Rulebook
) -> None:
    assert fact(on, ("freeze quantity", "NIFTY"), calendar, rulebook).doubt(on) == doubt


def test_what_was_never_stated_does_not_end(rulebook: Rulebook) -> None:
    day = date(2021, 6, 9)
    assert not [one for one in values_of(day, rulebook) if one.ends_within(day)]


def test_an_index_that_is_not_listed_yet_is_left_out(rulebook: Rulebook) -> None:
    names = {one.name for one in values_of(date(2026, 8, 11), rulebook) if one.topic == "lot"}
    later = {one.name for one in values_of(date(2026, 8, 12), rulebook) if one.topic == "lot"}
    assert later - names == {"NIFTYFPI"}


def test_a_session_without_hours_is_told_a_month_ahead(
    calendar: Calendar, rulebook: Rulebook
) -> None:
    for on, is_told in ((date(2026, 10, 8), False), (date(2026, 10, 9), True)):
        facts = facts_of(on, calendar, rulebook)
        assert any("Muhurat" in (one.doubt(on) or "") for one in facts) == is_told
