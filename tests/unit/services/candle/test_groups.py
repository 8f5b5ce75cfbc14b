"""Orders and groups compared with plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.candle.domain.groups import (
    group_ends,
    group_starts,
    previous,
    running_before,
    stable_order,
)

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 5)), min_size=1, max_size=30)
initials = st.lists(st.integers(-1, 5), min_size=4, max_size=4)


@given(pairs, initials)
def test_values_before_and_running_maxima_are_those_of_a_loop(
    drawn: list[tuple[int, int]], initial: list[int]
) -> None:
    drawn.sort(key=lambda pair: pair[0])
    group, values = np.array(drawn).T
    starts = group_starts(group)
    heads = np.array(initial)[group[starts]]
    last, highest = dict(enumerate(initial)), dict(enumerate(initial))
    before, running = [], []
    for of, value in drawn:
        before.append(last[of])
        running.append(highest[of])
        last[of], highest[of] = value, max(highest[of], value)
    assert previous(values, starts, heads).tolist() == before
    assert running_before(values, starts, heads).tolist() == running
    assert group[group_ends(starts, len(group))].tolist() == sorted({of for of, _ in drawn})


def test_an_empty_array_has_no_groups() -> None:
    nothing = np.empty(0, np.int64)
    assert len(group_starts(nothing)) == len(group_ends(nothing, 0)) == 0


@pytest.mark.parametrize("count", [4, 1 << 16, (1 << 16) + 1, 1 << 20])
def test_equal_values_keep_their_order_however_many_there_may_be(count: int) -> None:
    values = np.array([count - 1, 0, count - 1, 1, 0])
    assert stable_order(values, count).tolist() == [1, 4, 3, 0, 2]
