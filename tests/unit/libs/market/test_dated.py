from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.dated import DatedSeries, Known, Span

JAN, MAR, MAY, JUL, SEP = (date(2025, month, 1) for month in (1, 3, 5, 7, 9))
SERIES = DatedSeries([Span(MAY, "b", JUL), Span(SEP, "c"), Span(JAN, "a")])


@pytest.mark.parametrize(
    ("on", "known"),
    [
        (date(2024, 12, 31), Known("a", False, JAN)),
        (JAN, Known("a", True, JAN)),
        (date(2025, 4, 30), Known("a", True, JAN)),
        (MAY, Known("b", True, MAY)),
        (JUL, Known("b", True, MAY)),
        (date(2025, 7, 5), Known("b", False, MAY)),
        (date(2025, 8, 28), Known("c", False, SEP)),
        (date(2030, 1, 1), Known("c", True, SEP)),
    ],
)
def test_a_value_holds_from_its_date_and_the_nearest_one_stands_in_elsewhere(
    on: date, known: Known[str]
) -> None:
    assert SERIES.at(on) == known


def test_an_unconfirmed_value_is_never_exact() -> None:
    series = DatedSeries([Span(JAN, 1, None, is_confirmed=False)])
    assert series.at(MAR) == Known(1, False, JAN)


def test_a_series_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        DatedSeries[int]([])


@given(
    st.lists(st.dates(date(2020, 1, 1), date(2026, 1, 1)), min_size=1, max_size=6, unique=True),
    st.dates(date(2019, 1, 1), date(2027, 1, 1)),
)
def test_open_ended_values_are_exact_from_the_first_date_on(starts: list[date], on: date) -> None:
    known = DatedSeries(Span(start, start) for start in starts).at(on)
    begun = [start for start in starts if start <= on]
    assert known.is_exact == bool(begun)
    assert known.value == known.source_date == (max(begun) if begun else min(starts))


@given(st.dates(date(2019, 1, 1), date(2027, 1, 1)), st.integers(0, 500))
def test_a_stated_time_has_no_distance_and_others_grow_with_the_days(on: date, days: int) -> None:
    span = Span(on, 0, on)
    assert span.distance(on + timedelta(days=days)) == days
    assert span.distance(on - timedelta(days=days)) == days
    assert span.covers(on)
