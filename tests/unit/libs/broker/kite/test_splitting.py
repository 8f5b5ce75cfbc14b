from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.kite.splitting import portions, spans

FROM = datetime(2026, 1, 1, 3, 45, tzinfo=UTC)


@given(st.lists(st.text(max_size=3), unique=True, max_size=40), st.integers(1, 12))
def test_portions_are_all_keys_in_order_and_none_too_large(keys: list[str], size: int) -> None:
    cut = list(portions(keys, size))
    assert [key for portion in cut for key in portion] == keys
    assert all(0 < len(portion) <= size for portion in cut)


@given(st.integers(0, 300 * 86_400), st.integers(1, 100))
def test_spans_cover_every_second_once(seconds: int, days: int) -> None:
    to_at = FROM + timedelta(seconds=seconds)
    cut = list(spans(FROM, to_at, days))
    assert (cut[0][0], cut[-1][1]) == (FROM, to_at)
    for (_, last), (first, _) in pairwise(cut):
        assert first - last == timedelta(seconds=1)
    assert all(last - first < timedelta(days=days) for first, last in cut)


def test_a_span_that_ends_before_it_begins_asks_for_nothing() -> None:
    assert list(spans(FROM, FROM - timedelta(seconds=1), 60)) == []


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        list(spans(FROM.replace(tzinfo=None), FROM, 60))
