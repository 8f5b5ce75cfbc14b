"""Exact repeats compared with a set of ticks seen, tick by tick."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.candle.domain.repeats import Repeats
from services.candle.domain.run import Source, Ticks
from tests.proofs import examples

ROWS = 3
One = tuple[int, int, int, int, int]
"""Row, time, price, volume, open interest."""

ones = st.tuples(
    st.integers(0, ROWS - 1),
    st.integers(0, 6),
    st.integers(1, 3),
    st.integers(-1, 2),
    st.integers(0, 1),
)
Batch = tuple[list[One], int]
"""Ticks, and by how much the time from which repeats are recognised advances before them."""
batch_lists = st.lists(st.tuples(st.lists(ones, max_size=5), st.integers(0, 1)), max_size=8)


def slowly(batches: Sequence[Batch]) -> list[One]:
    """Accepted ticks by the plain rule."""
    seen: set[One] = set()
    accepted: list[One] = []
    oldest = 0
    for ticks, forward in batches:
        oldest += forward
        for tick in ticks:
            if tick in seen and tick[1] >= oldest:
                continue
            seen.add(tick)
            accepted.append(tick)
    return accepted


def quickly(batches: Sequence[Batch], run: int) -> list[One]:
    """Accepted ticks of runs of so many batches."""
    repeats = Repeats()
    accepted: list[One] = []
    repeats.grow(ROWS)
    oldest = np.cumsum([forward for _, forward in batches])
    for at in range(0, len(batches), run):
        some = [ticks for ticks, _ in batches[at : at + run]]
        passed = repeats.without(by_row(some), oldest[at : at + run])
        accepted += zip(
            passed.row.tolist(),
            passed.at_ms.tolist(),
            passed.price.astype(int).tolist(),
            passed.volume.tolist(),
            passed.oi.tolist(),
            strict=True,
        )
    return accepted


def by_row(batches: Sequence[list[One]]) -> Ticks:
    arrived = [tick for ticks in batches for tick in ticks]
    numbered = [(*tick, place) for place, tick in enumerate(arrived)]
    ordered = sorted(numbered, key=lambda tick: tick[0])
    row, at_ms, price, volume, oi, place = np.array(ordered, np.int64).reshape(-1, 6).T
    source = Source((), [len(ticks) for ticks in batches])
    traded_ms = np.zeros_like(row)
    return Ticks(row, at_ms, price.astype(np.float64), volume, oi, traded_ms, place, source)


@examples(100)
@given(batch_lists, st.integers(1, 8))
def test_repeats_are_those_of_a_set_however_batches_are_joined(
    batches: list[Batch], run: int
) -> None:
    got, expected = quickly(batches, run), slowly(batches)
    for row in range(ROWS):
        assert [one for one in got if one[0] == row] == [one for one in expected if one[0] == row]


@pytest.mark.parametrize(
    "again",
    [(0, 5, 2, 7, 1), (0, 5, 3, 7, 1), (0, 4, 2, 6, 1), (1, 5, 2, 7, 1)],
    ids=["the latest", "the latest but one", "an earlier time", "another instrument"],
)
def test_any_earlier_tick_is_recognised(again: One) -> None:
    before: list[One] = [(0, 4, 2, 6, 1), (0, 5, 3, 7, 1), (0, 5, 2, 7, 1), (1, 5, 2, 7, 1)]
    assert quickly([(before, 0), ([again], 0)], 1) == quickly([(before, 0)], 1)


@pytest.mark.parametrize("at", [4, 5])
def test_newer_open_interest_alone_makes_another_tick(at: int) -> None:
    before: list[One] = [(0, 4, 2, 6, 1), (0, 5, 2, 6, 1)]
    newer: One = (0, at, 2, 6, 2)
    assert quickly([(before, 0), ([newer], 0), ([newer], 0)], 1) == [*before, newer]


def test_a_repeat_of_what_is_too_old_is_no_repeat() -> None:
    tick: One = (0, 3, 1, 1, 1)
    assert quickly([([tick], 0), ([tick], 4)], 1) == [tick, tick]
    assert quickly([([tick], 0), ([tick], 4)], 2) == [tick, tick]


def test_ticks_that_are_too_old_to_be_repeated_are_dropped() -> None:
    repeats = Repeats()
    repeats.grow(ROWS)
    for at in range(50):
        repeats.without(by_row([[(0, at, 1, at, 1)]]), np.array([at - 2]))
    assert len(repeats) == 3
