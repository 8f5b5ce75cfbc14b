"""Batches handled together give the same result as one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import CandleBatch
from libs.events.event import identity
from libs.events.ticks import TickBatch
from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from tests.proofs import examples
from tests.unit.services.candle.frames import (
    CLOSE,
    DAY,
    MINUTE,
    OPEN,
    Tick,
    aggregator,
    frame,
    listed,
)

SEGMENTS = ("NSE", "NSE", "NSE", "MCX", "MCX", "NFO-OPT")
"""By number; an instrument beyond them is not listed."""


@dataclass(frozen=True)
class Drawn:
    """A tick: what it is, how many seconds it is behind, and how much was traded until then."""

    number: int
    kind: str
    behind: int
    price: int
    volume: int
    earlier: int


kinds = (
    ["plain"] * 12
    + ["again"] * 4
    + ["zero", "bad price", "bad volume", "no volume", "tomorrow"]
    + ["leap", "leap", "huge"]
)
drawn_ticks = st.builds(
    Drawn,
    number=st.sampled_from([0, 0, 0, 1, 1, 2, 3, 3, 4, 5]) | st.integers(0, 6),
    kind=st.sampled_from(kinds),
    behind=st.sampled_from([0, 0, 0, 0, 0, 1, 2, 3, 65, 500]),
    price=st.integers(1, 3),
    volume=st.integers(0, 3),
    earlier=st.integers(0, 30),
)
drawn_batches = st.tuples(
    st.lists(drawn_ticks, max_size=6),
    st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 20, 61]),
    st.sampled_from([0, 0, 0, 0, 1, 3, -62]),
)
starts = st.sampled_from([OPEN - 30_000, OPEN, OPEN, OPEN + 7 * MINUTE])
streams = st.lists(drawn_batches, min_size=1, max_size=40)
rules = st.sampled_from(
    [CandleRules(), CandleRules(grace_ms=0), CandleRules(grace_ms=70_000, revision_ms=71_000)]
)


def fresh(candle_rules: CandleRules) -> CandleAggregator:
    made = CandleAggregator(load_calendar(), candle_rules, ["NSE", "MCX"])
    for number, segment in enumerate(SEGMENTS):
        made.list_instrument(listed(number, segment))
    return made


def batches_of(stream: Sequence[tuple[list[Drawn], int, int]], start_ms: int) -> list[TickBatch]:
    """Batches whose clock does not go back; the last ones carry nothing but a clock."""
    made: list[TickBatch] = []
    seen: list[Tick] = []
    now_ms = clock_ms = start_ms
    for drawn, forward, lag in stream:
        now_ms += forward * 1000
        ticks = [_tick(one, now_ms, seen) for one in drawn]
        clock_ms = max(clock_ms, now_ms - abs(lag) * 1000)
        one = frame(ticks, clock_ms, received_ms=now_ms + min(lag, 0) * 1000)
        made.append(_numbered(one, len(made)))
    ends = [frame([], now_ms + 5 * MINUTE), frame([], now_ms + 12 * MINUTE)]
    return [*made, *(_numbered(one, len(made) + at) for at, one in enumerate(ends))]


def _tick(one: Drawn, now_ms: int, seen: list[Tick]) -> Tick:
    at_ms, price, volume = now_ms - one.behind * 1000, 100 + one.price * 0.05, one.volume * 5
    match one.kind:
        case "again" if seen:
            return seen[-1 - one.earlier % len(seen)]
        case "zero":
            at_ms = 0
        case "tomorrow":
            at_ms += 86_400_000
        case "bad price":
            price = (float("nan"), -1.0, 0.0)[one.price - 1]
        case "bad volume":
            volume = -5
        case "no volume":
            volume = -1
        case "leap":
            price *= 50
        case "huge":
            volume = 4_294_967_295 + one.volume
    seen.append((one.number, at_ms, price, volume))
    return seen[-1]


def _numbered(one: TickBatch, number: int) -> TickBatch:
    return one.model_copy(update={"event_id": identity("batch", number), "sequence": number})


def one_by_one(made: CandleAggregator, batches: Sequence[TickBatch]) -> list[CandleBatch]:
    return [event for batch in batches for event in _alone(made, batch)]


def in_runs(
    made: CandleAggregator, batches: Sequence[TickBatch], fetched: int
) -> list[CandleBatch]:
    """Candles and counts when so many batches are available at each time."""
    events: list[CandleBatch] = []
    for first in range(0, len(batches), fetched):
        rest = batches[first : first + fetched]
        while rest:
            length = made.run_length(rest)
            assert 1 <= length <= len(rest)
            events += made.on_run(rest[:length]) if length > 1 else _alone(made, rest[0])
            rest = rest[length:]
    return events


def _alone(made: CandleAggregator, batch: TickBatch) -> list[CandleBatch]:
    made.needs_instruments(batch)
    return made.on_ticks(batch)


def told(made: CandleAggregator) -> dict[str, int]:
    counts = made.counts
    named = {**counts.rejected, **counts.flagged, "accepted": counts.accepted}
    return {name: count for name, count in named.items() if count}


@examples(40)
@given(streams, starts, rules, st.sampled_from([2, 3, 7, 50]))
def test_runs_make_the_candles_and_the_counts_of_single_batches(
    stream: list[tuple[list[Drawn], int, int]],
    start_ms: int,
    candle_rules: CandleRules,
    fetched: int,
) -> None:
    batches = batches_of(stream, start_ms)
    alone, together = fresh(candle_rules), fresh(candle_rules)
    assert in_runs(together, batches, fetched) == one_by_one(alone, batches)
    assert told(together) == told(alone)


@examples(25)
@given(streams, starts, st.integers(0, 40), st.sampled_from([3, 50]))
def test_runs_after_a_replay_make_the_candles_of_single_batches(
    stream: list[tuple[list[Drawn], int, int]], start_ms: int, handled: int, fetched: int
) -> None:
    batches = batches_of(stream, start_ms)
    alone, together = fresh(CandleRules()), fresh(CandleRules())
    for made in (alone, together):
        for batch in batches[:handled]:
            made.replay(batch)
    rest = batches[handled:]
    assert in_runs(together, rest, fetched) == one_by_one(alone, rest)
    assert told(together) == told(alone)


@examples(25)
@given(streams, starts, st.data())
def test_a_feed_that_knows_no_volume_makes_the_same_candles_in_runs(
    stream: list[tuple[list[Drawn], int, int]], start_ms: int, data: st.DataObject
) -> None:
    batches = [
        replaced_volume(batch) if data.draw(st.booleans()) else batch
        for batch in batches_of(stream, start_ms)
    ]
    alone, together = fresh(CandleRules()), fresh(CandleRules())
    assert in_runs(together, batches, 50) == one_by_one(alone, batches)
    assert told(together) == told(alone)


def replaced_volume(batch: TickBatch) -> TickBatch:
    return batch.model_copy(update={"columns": replace(batch.columns, volume_traded=None)})


def put_off(
    made: CandleAggregator, batches: Sequence[TickBatch], asked: Sequence[bool]
) -> Iterator[tuple[int, list[CandleBatch]]]:
    """Candles, and after which batch they come, when batches wait as long as they may.

    `asked`: after which batches those that wait are handled all the same.
    """
    waiting: list[TickBatch] = []
    for number, batch in enumerate(batches):
        waiting.append(batch)
        if not made.may_wait(batch) or asked[number % len(asked)]:
            yield number, in_runs(made, waiting, len(waiting))
            waiting = []
    yield len(batches), in_runs(made, waiting, len(waiting) or 1)


@examples(60)
@given(streams, starts, rules, st.lists(st.booleans(), min_size=1, max_size=7))
def test_batches_that_wait_make_the_same_candles_at_the_same_batch(
    stream: list[tuple[list[Drawn], int, int]],
    start_ms: int,
    candle_rules: CandleRules,
    asked: list[bool],
) -> None:
    batches = batches_of(stream, start_ms)
    alone, waiting = fresh(candle_rules), fresh(candle_rules)
    expected = [(number, _alone(alone, batch)) for number, batch in enumerate(batches)]
    found = list(put_off(waiting, batches, asked))
    assert [one for one in found if one[1]] == [one for one in expected if one[1]]
    assert told(waiting) == told(alone)


def seconds(*of: int, numbers: Sequence[int] = (0, 1)) -> list[TickBatch]:
    """A batch a second, in which each instrument ticks."""
    return [
        frame([(n, OPEN + s * 1000, 100.0, s + 1) for n in numbers], OPEN + s * 1000) for s in of
    ]


def begun(instruments: int = 4) -> CandleAggregator:
    made = aggregator(instruments)
    _alone(made, seconds(0, numbers=range(instruments))[0])
    return made


def test_quiet_seconds_are_one_run_and_no_batch_is_no_run() -> None:
    made = begun()
    assert made.run_length([]) == 0
    assert made.on_run([]) == []
    assert made.run_length(seconds(*range(1, 31))) == 30


def test_a_run_ends_with_the_clock_that_closes_a_minute() -> None:
    made = begun()
    batches = seconds(60, 61, 62, 63)
    assert made.run_length(batches) == 3
    assert [event.interval for event in made.on_run(batches[:3])] == ["1m"]
    assert made.run_length(batches[3:]) == 1


@pytest.mark.parametrize("fetched", [2, 50])
def test_runs_over_the_close_of_one_session_make_the_candles_of_single_batches(
    fetched: int,
) -> None:
    batches = [
        frame([(n, at_ms, 100.0 + n, at_ms // 1000 - CLOSE // 1000 + 70) for n in (0, 1, 3)], at_ms)
        for at_ms in range(CLOSE - 70_000, CLOSE + 70_000, 1000)
    ]
    alone, together = fresh(CandleRules()), fresh(CandleRules())
    assert in_runs(together, batches, fetched) == one_by_one(alone, batches)
    assert told(together) == told(alone)
    assert told(alone)["outside_session"] == 2 * 69


def test_the_first_volume_that_is_known_is_the_base_also_within_a_run() -> None:
    volumes = [-1, -1, 500, 510, -1, 520]
    batches = [frame([(0, OPEN + 1000 * s, 9.0, v)], OPEN) for s, v in enumerate(volumes)]
    made = begun(0)
    made.list_instrument(listed(0))
    one_by_one(made, batches[:1])
    assert made.run_length(batches[1:]) == 5
    made.on_run(batches[1:])
    (minute,) = made.on_ticks(frame([], OPEN + MINUTE + 2000))
    assert (minute.columns.volume, minute.columns.ticks) == ((20,), (6,))
    assert told(made) == {"accepted": 6, "volume_back": 1}


def test_a_run_ends_before_an_unknown_instrument() -> None:
    made = begun(2)
    batches = [*seconds(1, 2), *seconds(3, numbers=(0, 3)), *seconds(4)]
    assert made.run_length(batches) == 2
    assert made.run_length(batches[2:]) == 1


def test_a_run_ends_before_a_late_tick() -> None:
    made = begun()
    one_by_one(made, seconds(65))
    late = frame([(0, OPEN + 50_000, 90.0, 1)], OPEN + 67_000)
    assert made.run_length([*seconds(66, 67), late, *seconds(68)]) == 2
    assert made.run_length([late, *seconds(68)]) == 1


@pytest.mark.parametrize("at_ms", [0, OPEN - 1000])
def test_ticks_of_no_session_do_not_end_a_run(at_ms: int) -> None:
    made = begun()
    one_by_one(made, seconds(65))
    never = frame([(0, at_ms, 90.0, 1)], OPEN + 67_000)
    assert made.run_length([*seconds(66, 67), never, *seconds(68)]) == 4


def test_a_run_ends_before_another_day() -> None:
    made = begun()
    batches = seconds(1, 2, 3)
    batches[2] = batches[2].model_copy(update={"trading_day": DAY + timedelta(days=1)})
    assert made.run_length(batches) == 2
    assert made.run_length(batches[2:] * 2) == 1


def test_the_first_batch_of_a_partition_is_handled_alone() -> None:
    made = aggregator()
    batches = seconds(1, 2, 3)
    assert made.run_length(batches) == 1
    made.on_ticks(batches[0])
    assert made.run_length(batches[1:]) == 1, "nobody asked for the day's instruments yet"
    made.needs_instruments(batches[1])
    assert made.run_length(batches[1:]) == 2
