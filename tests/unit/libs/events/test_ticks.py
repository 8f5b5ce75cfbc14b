"""Frames of ticks put together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.codec import decode, encode
from libs.events.ticks import COLUMN_TYPES, REQUIRED, TickBatch, TickColumns
from tests.unit.libs.events.samples import tick_batch

OPTIONAL = [name for name in COLUMN_TYPES if name not in REQUIRED]
parts = st.lists(
    st.tuples(st.integers(0, 5), st.sets(st.sampled_from(OPTIONAL)), st.booleans()), min_size=1
)


def frame(first: int, rows: int, carried: set[str], is_decoded: bool) -> TickColumns:
    numbers = np.arange(first, first + rows)
    made = TickColumns(
        **{
            name: numbers.astype(kind)
            for name, kind in COLUMN_TYPES.items()
            if name in carried or name in REQUIRED
        }
    )
    if not is_decoded:
        return made
    got = decode("ticks", encode(tick_batch(columns=made)))
    assert isinstance(got, TickBatch)
    return got.columns


@given(parts)
def test_frames_are_joined_column_by_column_and_what_one_lacks_is_0(
    drawn: list[tuple[int, set[str], bool]],
) -> None:
    frames = [frame(10 * at, *one) for at, one in enumerate(drawn, 1)]
    joined = TickColumns.concat(frames).columns()
    for name, column in joined.items():
        carrying = [getattr(one, name) is not None for one in frames]
        expected = [
            number if has else 0
            for at, ((rows, _, _), has) in enumerate(zip(drawn, carrying, strict=True), 1)
            for number in range(10 * at, 10 * at + rows)
        ]
        if column is None:
            assert not any(carrying) or not expected
        else:
            assert column.tolist() == expected


@pytest.mark.parametrize("is_writable", [True, False])
def test_columns_with_gaps_are_joined_too(is_writable: bool) -> None:
    numbers = np.arange(6, dtype="<i8")
    numbers.flags.writeable = is_writable
    part = TickColumns(numbers[::2], numbers[::2], numbers[::2])
    assert TickColumns.concat([part, part]).last_price.tolist() == [0, 2, 4] * 2
