"""Columns of decoded ticks are views of their bytes, made when they are asked for."""

import copy
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.codec import decode, encode
from libs.events.packed_columns import PackedColumns
from libs.events.ticks import COLUMN_TYPES, REQUIRED, TickBatch, TickColumns
from tests.unit.libs.events.samples import tick_batch

OPTIONAL = [name for name in COLUMN_TYPES if name not in REQUIRED]
frames = st.tuples(st.integers(1, 4), st.sets(st.sampled_from(OPTIONAL)))


def frame(rows: int, carried: set[str]) -> TickColumns:
    numbers = np.arange(1, rows + 1)
    return TickColumns(
        **{
            name: (numbers * (10 + at)).astype(kind)
            for at, (name, kind) in enumerate(COLUMN_TYPES.items())
            if name in carried or name in REQUIRED
        }
    )


def decoded(columns: TickColumns) -> TickColumns:
    got = decode("ticks", encode(tick_batch(columns=columns)))
    assert isinstance(got, TickBatch)
    return got.columns


def listed(columns: TickColumns) -> dict[str, list[float] | None]:
    return {
        name: None if column is None else column.tolist()
        for name, column in columns.columns().items()
    }


@given(st.lists(frames, min_size=1, max_size=12))
def test_batches_that_carry_other_columns_than_the_ones_before_are_read_as_they_are(
    drawn: list[tuple[int, set[str]]],
) -> None:
    for rows, carried in drawn:
        sent = frame(rows, carried)
        got = decoded(sent)
        assert isinstance(got, PackedColumns)
        assert len(got) == rows
        assert listed(got) == listed(sent)


def test_a_column_is_opened_once_and_only_when_it_is_asked_for() -> None:
    got = decoded(frame(3, {"oi"}))
    assert got.last_price is got.last_price
    assert got.bid_price is None
    assert got.oi is not None
    assert got.oi.tolist() == frame(3, {"oi"}).oi.tolist()  # type: ignore[union-attr]


def test_rows_taken_from_it_are_columns_of_their_own() -> None:
    got = decoded(frame(4, {"oi"}))
    assert listed(got.take(np.array([2, 0]))) == listed(frame(4, {"oi"}).take(np.array([2, 0])))


def test_a_copy_holds_the_same_columns() -> None:
    got = decoded(frame(3, {"oi", "bid_price"}))
    for same in (copy.deepcopy(got), pickle.loads(pickle.dumps(got))):
        assert len(same) == 3
        assert listed(same) == listed(frame(3, {"oi", "bid_price"}))


def test_nothing_can_be_changed_or_made_up() -> None:
    got = decoded(frame(3, set()))
    with pytest.raises(FrozenInstanceError):
        got.last_price = np.zeros(3)  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        got.last_price[0] = 1.0
    with pytest.raises(AttributeError, match="no_such_column"):
        _ = got.no_such_column  # type: ignore[attr-defined]
