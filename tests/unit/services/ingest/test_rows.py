"""The rows of `market_data` that tick batches make."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.ticks import TickBatch, TickColumns
from libs.market.calendar import load_calendar
from services.ingest.domain import rows
from services.ingest.domain.connection import Connection
from services.ingest.domain.listing import listed
from services.ingest.domain.rows import MarketDataRows
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE

DAY = date(2026, 6, 17)
OPEN_MS = load_calendar().sessions("NSE", DAY)[0].open_ms
UNLISTED = 77 * 256 + 1
SHARES = {spec.tradingsymbol: spec for spec in DEFAULT_UNIVERSE if not spec.is_index}
INSTRUMENTS = [SHARES[name].instrument() for name in ("TCS", "INFY", "SBIN")]
TOKENS = [one.instrument_token for one in INSTRUMENTS]
KEY = ("tradingsymbol", "exchange_timestamp", "row", "batch")
frames = st.lists(
    st.lists(st.tuples(st.sampled_from([*TOKENS, UNLISTED]), st.integers(0, 2)), max_size=6),
    max_size=8,
)


def rows_maker() -> MarketDataRows:
    made = MarketDataRows()
    for instrument in INSTRUMENTS:
        assert made.add(listed(instrument, DAY, OPEN_MS)) == 0
    return made


def batches(
    seconds: Iterable[list[tuple[int, int]]], started_ms: int = OPEN_MS, number: int = 0
) -> list[TickBatch]:
    """Frames of (token, second of the stamp), each price its own, cut into three partitions."""
    connection = Connection("test", DAY, started_ms, 3, number)
    price = 0
    found: list[TickBatch] = []
    for second, ticks in enumerate(seconds):
        columns = TickColumns(
            instrument_token=np.array([token for token, _ in ticks], np.uint32),
            exchange_timestamp=np.array([OPEN_MS + at * 1000 for _, at in ticks], np.int64),
            last_price=np.arange(price, price + len(ticks), dtype=np.float64),
        )
        price += len(ticks)
        found += connection.cut(columns, OPEN_MS + second * 1000)
    return found


def batch_of(*ticks: tuple[int, int]) -> TickBatch:
    """The batch of one frame whose ticks are of one partition."""
    (batch,) = (one for one in batches([list(ticks)]) if len(one.columns))
    return batch


def rows_of(found: Iterable[TickBatch], at_once: bool = True) -> list[tuple[Any, ...]]:
    """The rows by key and price, made at once or batch by batch."""
    made, rows = rows_maker(), []
    for batch in found:
        assert made.add(batch) == len(batch.columns)
        if not at_once:
            rows += listed_rows(made.take()())
    return rows + listed_rows(made.take()())


def listed_rows(columns: dict[str, Any]) -> list[tuple[Any, ...]]:
    return (
        list(zip(*(list(columns[name]) for name in (*KEY, "last_price")), strict=True))
        if columns
        else []
    )


@given(frames)
def test_every_tick_is_a_row_of_its_own(seconds: list[list[tuple[int, int]]]) -> None:
    rows = rows_of(batches(seconds))
    assert len({row[:-1] for row in rows}) == len(rows)
    assert sorted(row[-1] for row in rows) == list(range(sum(map(len, seconds))))


@given(frames)
def test_a_batch_makes_the_same_rows_whatever_is_gathered_with_it(
    seconds: list[list[tuple[int, int]]],
) -> None:
    found = batches(seconds)
    assert sorted(rows_of(found)) == sorted(rows_of(found, at_once=False))


def test_batches_that_are_folded_early_make_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [[(TOKENS[n % 3], n % 2), (TOKENS[0], 1), (UNLISTED, 2)] for n in range(9)]
    at_once = rows_of(batches(seconds))
    monkeypatch.setattr(rows, "FOLDED", 2)
    assert rows_of(batches(seconds)) == at_once


@given(frames)
def test_rows_come_in_the_order_of_the_table(seconds: list[list[tuple[int, int]]]) -> None:
    keys = [row[:2] for row in rows_of(batches(seconds))]
    assert keys == sorted(keys)


def test_a_row_has_the_instruments_names_and_what_holds_for_its_batch() -> None:
    made = rows_maker()
    for batch in batches([[(TOKENS[0], 0), (UNLISTED, 1)]]):
        made.add(batch)
    columns = {name: list(column) for name, column in made.take()().items()}
    assert columns["tradingsymbol"] == ["", "TCS"]
    assert columns["exchange"] == ["", "NSE"]
    assert columns["instrument_token"] == [UNLISTED, TOKENS[0]]
    assert columns["trading_day"] == [DAY] * 2
    assert columns["received_at"] == [OPEN_MS] * 2
    assert columns["time_is_arrival"] == [0] * 2
    assert "bid_price" not in columns
    assert "batch_id" not in columns


def test_numbers_rise_with_the_frames_and_with_another_start() -> None:
    tick = [(TOKENS[0], 0)]
    rows = rows_of([*batches([tick, tick]), *batches([tick], OPEN_MS + 1)])
    numbers = [row[KEY.index("batch")] for row in rows]
    assert numbers == sorted(set(numbers))


def test_equal_frames_of_two_connections_are_rows_of_their_own() -> None:
    tick = [(TOKENS[0], 0)]
    rows = rows_of([*batches([tick]), *batches([tick], number=1)])
    assert len({row[:-1] for row in rows}) == 2


@pytest.mark.parametrize("beside", [0, 1])
def test_a_batch_of_a_former_version_keeps_its_former_id_and_rows(beside: int) -> None:
    """Read again after an upgrade, it makes the rows that are stored."""
    now = batch_of((TOKENS[1], 1), (TOKENS[1], 0), (TOKENS[1], 1))
    former = now.model_copy(update={"started_ms": 0})
    made = rows_maker()
    for batch in [former, *[now] * beside]:
        made.add(batch)
    columns = made.take()()
    kept = [at for at, one in enumerate(columns["batch_id"]) if one == former.event_id]
    assert [columns["row"][at] for at in kept] == [1, 0, 2]
    assert [columns["batch"][at] for at in kept] == [0, 0, 0]
    others = [at for at in range(len(columns["row"])) if at not in kept]
    assert [columns["batch_id"][at] for at in others] == [UUID(int=0)] * 3 * beside
    assert all(columns["batch"][at] > 0 for at in others)


def test_a_name_listed_later_holds_for_the_ticks_after_it() -> None:
    made = MarketDataRows()
    batch = batch_of((TOKENS[0], 0))
    made.add(batch)
    assert list(made.take()()["tradingsymbol"]) == [""]
    made.add(listed(INSTRUMENTS[0], DAY, OPEN_MS))
    made.add(batch)
    assert list(made.take()()["tradingsymbol"]) == ["TCS"]


def test_after_a_restart_the_names_are_those_of_the_past_listing() -> None:
    batch, made = batch_of((TOKENS[0], 0)), MarketDataRows()
    assert made.restore_topics == ("instruments",)
    made.restore(listed(INSTRUMENTS[0], DAY, OPEN_MS))
    made.restore(batch)
    assert made.take()() == {}
    made.add(batch)
    assert listed_rows(made.take()()) == rows_of([batch])


def test_without_ticks_there_are_no_rows() -> None:
    made = rows_maker()
    assert made.take()() == {}
    assert made.add(batches([[]])[0]) == 0
    assert made.take()() == {}
