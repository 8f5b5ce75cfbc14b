"""The connection's clock, and the cut of frames into partitions."""

from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.events.ticks import TickBatch, TickColumns
from libs.market.calendar import load_calendar
from services.ingest.domain.connection import Connection

DAY = date(2026, 6, 17)
OPEN = load_calendar().sessions("NSE", DAY)[0].open_ms
times = st.lists(
    st.one_of(
        st.integers(OPEN, OPEN + 60_000),
        st.just(0),
        st.integers(OPEN - 10**9, OPEN + 10**10),
    ),
    max_size=20,
)


def connection(partitions: int = 3) -> Connection:
    return Connection("test", DAY, OPEN, partitions)


def columns(at_ms: list[int]) -> TickColumns:
    tokens = [(1000 + number) * 256 + 1 for number in range(len(at_ms))]
    return TickColumns(
        instrument_token=np.array(tokens, np.uint32),
        exchange_timestamp=np.array(at_ms, np.int64),
        last_price=np.arange(len(at_ms), dtype=np.float64),
    )


def cut(one: Connection, at_ms: list[int], received_ms: int) -> list[TickBatch]:
    return list(one.cut(columns(at_ms), received_ms))


@given(st.lists(times, max_size=10))
def test_the_clock_never_goes_back_and_invalid_times_do_not_move_it(
    frames: list[list[int]],
) -> None:
    one = connection()
    before = 0
    for number, at_ms in enumerate(frames):
        received_ms = OPEN + number * 1000
        cut(one, at_ms, received_ms)
        assert before <= one.clock_ms <= received_ms + one.ahead_ms
        before = one.clock_ms


@given(times)
def test_every_row_comes_out_once_in_its_partition_and_in_order(at_ms: list[int]) -> None:
    batches = cut(connection(), at_ms, OPEN)
    rows = {price for batch in batches for price in batch.columns.last_price.tolist()}
    assert rows == set(map(float, range(len(at_ms))))
    for batch in batches:
        assert (np.diff(batch.columns.last_price) > 0).all()
        assert ((batch.columns.instrument_token >> 8) % 3 == batch.partition).all()


def test_partitions_without_ticks_get_the_clock_once_it_has_moved() -> None:
    one = connection()
    assert [batch.partition for batch in cut(one, [OPEN], OPEN)] == [0, 1, 2]
    assert [batch.partition for batch in cut(one, [OPEN + 999], OPEN + 999)] == [1]
    told = cut(one, [OPEN + 1000], OPEN + 1000)
    assert [batch.partition for batch in told] == [0, 1, 2]
    assert {batch.clock_ms for batch in told} == {OPEN + 1000}


def test_a_frame_without_rows_is_a_heartbeat_and_moves_the_clock_to_its_arrival() -> None:
    one = connection()
    (first, *_) = cut(one, [], OPEN + 5000)
    assert (first.clock_ms, len(first.columns)) == (OPEN + 5000, 0)


def test_ids_are_the_same_for_the_same_frames_and_differ_between_frames() -> None:
    def ids(one: Connection) -> list[object]:
        return [b.event_id for at in (OPEN, OPEN + 1000) for b in cut(one, [at], at)]

    assert ids(connection()) == ids(connection())
    assert len(set(ids(connection()))) == len(ids(connection()))


def test_the_time_of_the_last_trade_and_the_open_travel_with_their_ticks() -> None:
    frame = columns([OPEN, OPEN])
    told = replace(
        frame,
        last_trade_time=np.array([OPEN - 60_000, OPEN - 1000]),
        open_price=np.array([120.0, 98.5]),
    )
    batches = [batch.columns for batch in connection(2).cut(told, OPEN)]
    traded = [
        at for one in batches if one.last_trade_time is not None for at in one.last_trade_time
    ]
    opened = [at for one in batches if one.open_price is not None for at in one.open_price]
    assert sorted(traded) == [OPEN - 60_000, OPEN - 1000]
    assert sorted(opened) == [98.5, 120.0]


def test_a_connection_that_carries_some_partitions_stamps_those_alone() -> None:
    one = replace(connection(), own=(0, 2))
    batches = cut(one, [OPEN, OPEN, OPEN], OPEN)
    assert [batch.partition for batch in batches] == [0, 2]
    assert sum(len(batch.columns) for batch in batches) == 2, "the third is another connection's"
    assert [batch.partition for batch in cut(one, [], OPEN + 1000)] == [0, 2]


def test_ticks_without_the_exchanges_time_say_so() -> None:
    (batch,) = connection(1).cut(columns([OPEN]), OPEN, time_is_arrival=True)
    assert batch.time_is_arrival
