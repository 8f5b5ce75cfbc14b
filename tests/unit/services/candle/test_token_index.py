"""All tokens are found, also those that share a slot."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.candle.domain.token_index import TokenIndex
from tests.unit.services.candle.frames import DAY

tokens = st.integers(0, 2**32 - 1) | st.integers(0, 40).map(lambda number: number * 256 + 1)


@given(st.lists(st.sets(tokens, max_size=200), max_size=4), st.lists(tokens, max_size=20))
def test_inserted_tokens_are_found_and_others_are_not(
    parts: list[set[int]], others: list[int]
) -> None:
    index, rows = TokenIndex(DAY), dict[int, int]()
    for part in parts:
        added = sorted(part - rows.keys())
        if added:
            index.insert(added, 0, range(len(rows), len(rows) + len(added)))
            rows |= {token: len(rows) + at for at, token in enumerate(added)}
    asked = [*rows, *others]
    for kind in (np.uint32, np.int64):
        found = index.find(np.array(asked, kind))
        assert [at >= 0 for at in found.tolist()] == [token in rows for token in asked]
        assert index.row[found[: len(rows)]].tolist() == list(rows.values())


def test_all_tokens_of_one_exchange_are_found_among_many() -> None:
    index, many = TokenIndex(DAY), np.arange(9000, dtype=np.uint32) * 256 + 5
    index.insert(many.tolist(), 0, range(len(many)))
    assert (index.row[index.find(many)] == np.arange(len(many))).all()
    assert (index.find(many + 1) == -1).all()
