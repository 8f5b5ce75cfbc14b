"""How partitions are spread over connections."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.instruments import partition_of
from services.ingest.domain.spread import ROOM, Spread, SpreadError, spread


def tokens(count: int) -> range:
    """As many tokens, which partitions share evenly."""
    return range(1, count << 8, 256)


def sizes(found: Spread, of: range) -> list[int]:
    on = [found.connection_of(token) for token in of]
    return [on.count(number) for number in range(found.connections)]


def test_few_instruments_are_on_one_connection() -> None:
    assert spread(tokens(500), 8, 3, 3000).connection_of_partition == (0,) * 8
    assert spread([], 8, 3, 3000).connections == 1


def test_nine_thousand_instruments_fill_three_connections() -> None:
    assert sizes(spread(tokens(9000), 9, 3, 3000), tokens(9000)) == [3000] * 3


def test_another_connection_is_taken_before_one_is_full() -> None:
    assert spread(tokens(3000 - ROOM), 8, 3, 3000).connections == 1
    assert spread(tokens(3000 - ROOM + 1), 8, 3, 3000).connections == 2


def test_more_than_the_connections_take_is_refused_by_number() -> None:
    with pytest.raises(SpreadError, match=r"9,001 instruments do not fit 3 connections of 3,000"):
        spread(tokens(9001), 9, 3, 3000)


def test_too_few_partitions_for_the_connections_are_named() -> None:
    said = r"the 8 partitions of ticks stay whole, so that one would have 3,375"
    with pytest.raises(SpreadError, match=said):
        spread(tokens(9000), 8, 3, 3000)


@given(
    st.lists(st.integers(0, 2**20), max_size=300),
    st.integers(1, 16),
    st.integers(1, 3),
    st.integers(1, 400),
)
def test_each_partition_is_on_one_connection_and_none_has_too_many(
    numbers: list[int], partitions: int, connections: int, most: int
) -> None:
    wanted = {(number << 8) + 1 for number in numbers}
    try:
        found = spread(wanted, partitions, connections, most)
    except SpreadError:
        assert len(wanted) > most - ROOM
        return
    assert found.connections <= connections
    of = {number: found.partitions_of(number) for number in range(found.connections)}
    assert sorted(p for own in of.values() for p in own) == list(range(partitions))
    for number, own in of.items():
        mine = [token for token in wanted if found.connection_of(token) == number]
        assert len(mine) <= most
        assert {partition_of(token, partitions) for token in mine} <= set(own)


@given(st.sets(st.integers(0, 2**16), max_size=200), st.integers(1, 16), st.integers(1, 3))
def test_the_same_instruments_are_spread_the_same_way(
    numbers: set[int], partitions: int, connections: int
) -> None:
    one, other = sorted(numbers), sorted(numbers, reverse=True)
    assert spread(one, partitions, connections, 300) == spread(other, partitions, connections, 300)
