"""When each hop had the data: stamps in a header, their ages, and the budget that is exceeded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.event import utc_from_ms
from libs.events.stamps import HEADER, Stamps, first_stamps, oldest
from libs.events.ticks import TickBatch, TickColumns
from tests.unit.libs.runtime.loops import DAY, NOW

HOPS = ("exchange", "ingest", "candle", "strategy", "signal", "executor", "position")
CHAIN = Stamps((("exchange", NOW), ("ingest", NOW + 40), ("candle", NOW + 2_100)))


def batch(*stamps: int, clock_ms: int = NOW, received_ms: int = NOW + 40) -> TickBatch:
    columns = TickColumns(
        np.full(len(stamps), 256, "<u4"), np.array(stamps, "<i8"), np.full(len(stamps), 100.0)
    )
    return TickBatch(
        **TickBatch.without_cause("t", occurred_at=utc_from_ms(clock_ms), trading_day=DAY),
        source="test",
        connection=0,
        sequence=1,
        partition=0,
        clock_ms=clock_ms,
        received_ms=received_ms,
        columns=columns,
    )


@given(st.lists(st.tuples(st.sampled_from(HOPS), st.integers(0, 10**13)), max_size=12))
def test_stamps_come_out_of_their_header_as_they_went_in(passed: list[tuple[str, int]]) -> None:
    stamps = Stamps()
    for hop, at_ms in passed:
        stamps = stamps.passed(hop, at_ms)
    assert Stamps.of((("type", b"x"), stamps.header())) == stamps
    assert dict(stamps.hops) == dict(passed)


def test_a_hop_that_had_it_again_bears_its_last_time_at_its_last_place() -> None:
    again = CHAIN.passed("position", NOW + 5_000).passed("ingest", NOW + 6_000)
    assert [hop for hop, _ in again.hops] == ["exchange", "candle", "position", "ingest"]
    assert again.ages(NOW + 7_000)["ingest"] == 1_000


@pytest.mark.parametrize(
    "headers",
    [(), (("type", b"OrderFilled"),), ((HEADER, b""),), ((HEADER, b"\xff=, exchange=soon"),)],
)
def test_a_record_without_readable_stamps_has_none(headers: tuple[tuple[str, bytes], ...]) -> None:
    assert Stamps.of(headers) == Stamps()


def test_the_header_can_be_read_by_a_person() -> None:
    assert CHAIN.header() == (
        "stamped",
        f"exchange={NOW} ingest={NOW + 40} candle={NOW + 2100}".encode(),
    )


def test_ages_are_by_the_clock_that_asks() -> None:
    assert CHAIN.ages(NOW + 2_500) == {"exchange": 2_500, "ingest": 2_460, "candle": 400}


def test_a_batch_is_as_old_as_its_newest_tick_not_as_the_connections_clock() -> None:
    stale = batch(NOW - 600_000, NOW - 700_000)
    assert first_stamps(stale).hops == (("exchange", NOW - 600_000), ("ingest", NOW + 40))


def test_a_tick_ahead_of_the_connections_clock_makes_no_batch_younger() -> None:
    assert first_stamps(batch(NOW - 9_000, NOW + 9_000)).hops[0] == ("exchange", NOW - 9_000)


def test_a_batch_without_ticks_is_as_old_as_its_clock() -> None:
    assert first_stamps(batch()).hops == (("exchange", NOW), ("ingest", NOW + 40))
    assert first_stamps(batch(NOW + 9_000)).hops[0] == ("exchange", NOW)


def test_within_every_budget_nothing_is_too_old() -> None:
    budgets = {"exchange": 2_500, "candle": 400, "signal": 1}
    assert oldest(CHAIN, NOW + 2_500, budgets) is None


def test_what_is_too_old_is_named_with_all_the_ages() -> None:
    found = oldest(CHAIN, NOW + 8_000, {"exchange": 5_000, "ingest": 7_900, "candle": 5_000})
    assert found is not None
    assert (found.hop, found.age_ms, found.budget_ms) == ("exchange", 8_000, 5_000)
    assert found.reason == (
        "exchange 8.0 s ago, 5.0 s at most (exchange 8.0 s, ingest 8.0 s, candle 5.9 s)"
    )
    assert found.numbers == {
        "hop": "exchange",
        "age_ms": 8_000,
        "budget_ms": 5_000,
        "exchange_age_ms": 8_000,
        "ingest_age_ms": 7_960,
        "candle_age_ms": 5_900,
    }


def test_of_several_that_are_too_old_the_one_furthest_beyond_its_budget_is_named() -> None:
    found = oldest(CHAIN, NOW + 60_000, {"exchange": 50_000, "candle": 1_000})
    assert found is not None
    assert found.hop == "candle"


def test_at_a_faster_market_a_budget_is_as_much_time_of_the_machine() -> None:
    assert oldest(CHAIN, NOW + 60_000, {"exchange": 5_000}, pace=60.0) is None
    assert oldest(CHAIN, NOW + 301_000, {"exchange": 5_000}, pace=60.0) is not None
    for slow in (0.0, 0.5, 1.0):
        assert oldest(CHAIN, NOW + 5_001, {"exchange": 5_000}, pace=slow) is not None


@given(st.integers(0, 10**7), st.dictionaries(st.sampled_from(HOPS), st.integers(0, 10**7)))
def test_something_is_too_old_exactly_when_one_age_is_beyond_its_budget(
    later: int, budgets: dict[str, int]
) -> None:
    ages = CHAIN.ages(NOW + later)
    beyond = {hop for hop, age in ages.items() if hop in budgets and age > budgets[hop]}
    found = oldest(CHAIN, NOW + later, budgets)
    assert (found is not None) == bool(beyond)
    assert found is None or found.hop in beyond


def test_ids_know_nothing_of_stamps() -> None:
    assert batch(NOW).event_id == batch(NOW, received_ms=NOW + 999).event_id
