"""The vectorised fold compared with a slow one, tick by tick."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import MINUTES, Candle, CandleBatch, Interval
from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from tests.unit.services.candle.frames import (
    CLOSE,
    DAY,
    MINUTE,
    OPEN,
    Tick,
    aggregator,
    frame,
    listed,
    play,
    token,
)
from tests.unit.services.candle.reference import Update, plainly

COMPARED = ("open", "high", "low", "close", "volume", "ticks")


def slow_candles(ticks: list[Tick], minutes: int) -> dict[tuple[str, int], dict[str, float]]:
    """Return (symbol, open time) → candle, tick by tick."""
    plain = plainly(Update(*tick) for tick in ticks)
    return {
        (f"S{number}", opened): {name: candle[name] for name in COMPARED}
        for number, one in plain.items()
        for opened, candle in one.candles(minutes).items()
    }


ticks_of_five_minutes = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 5 * 60 - 1).map(lambda second: OPEN + second * 1000),
        st.integers(1, 40).map(lambda steps: 100 + steps * 0.05),
        st.integers(0, 30).map(lambda units: units * 10),
    ),
    min_size=1,
    max_size=60,
)
patient = CandleRules(grace_ms=10 * MINUTE, revision_ms=11 * MINUTE)


@given(ticks_of_five_minutes, st.integers(1, 7))
def test_candles_equal_those_folded_tick_by_tick_however_frames_are_cut(
    ticks: list[Tick], size: int
) -> None:
    made = aggregator(rules=patient)
    frames = [frame(ticks[at : at + size], OPEN) for at in range(0, len(ticks), size)]
    candles = play(made, *frames, frame([], CLOSE + 20 * MINUTE))
    for interval in ("1m", "3m", "5m"):
        ours = {
            (c.tradingsymbol, c.opened_ms): {name: getattr(c, name) for name in COMPARED}
            for c in candles
            if c.interval == interval
        }
        assert ours == slow_candles(ticks, MINUTES[interval])


@given(ticks_of_five_minutes)
def test_each_tick_is_accepted_or_counted_as_a_duplicate(ticks: list[Tick]) -> None:
    made = aggregator(rules=patient)
    play(made, frame(ticks, OPEN))
    assert made.counts.accepted == len(set(ticks))
    assert made.counts.rejected["duplicate"] == len(ticks) - len(set(ticks))


@pytest.mark.parametrize(
    ("tick", "reason"),
    [
        ((0, 0, 100.0, 1), "epoch_zero"),
        ((0, OPEN - 86_400_000, 100.0, 1), "other_day"),
        ((0, OPEN + 86_400_000, 100.0, 1), "other_day"),
        ((0, OPEN - 1, 100.0, 1), "outside_session"),
        ((0, CLOSE + 1, 100.0, 1), "outside_session"),
        ((0, OPEN, 0.0, 1), "bad_price"),
        ((0, OPEN, -1.0, 1), "bad_price"),
        ((0, OPEN, float("nan"), 1), "bad_price"),
        ((0, OPEN, float("inf"), 1), "bad_price"),
        ((9, OPEN, 100.0, 1), "unknown_instrument"),
    ],
)
def test_a_bad_tick_is_counted_once_under_its_reason_and_changes_nothing(
    tick: Tick, reason: str
) -> None:
    good = [(0, OPEN + 1000, 100.0, 10), (0, OPEN + 2000, 101.0, 20)]
    plain, disturbed = aggregator(), aggregator()
    end = frame([], CLOSE + 3000)
    expected = play(plain, frame(good, OPEN + 2000), end)
    assert play(disturbed, frame([good[0], tick, good[1]], OPEN + 2000), end) == expected
    assert {k: v for k, v in disturbed.counts.rejected.items() if v} == {reason: 1}


def test_a_tick_ahead_of_its_arrival_is_refused() -> None:
    made = aggregator()
    play(made, frame([(0, OPEN + 300_000, 100.0, 1)], OPEN, received_ms=OPEN))
    assert made.counts.rejected["ahead_of_clock"] == 1


def test_a_candle_closes_once_the_clock_is_past_its_end_by_the_grace_without_a_tick() -> None:
    made = aggregator()
    assert play(made, frame([(0, OPEN, 100.0, 5)], OPEN)) == []
    assert play(made, frame([], OPEN + MINUTE + 1999)) == []
    (candle,) = play(made, frame([], OPEN + MINUTE + 2000))
    assert (candle.interval, candle.opened_ms, candle.close) == ("1m", OPEN, 100.0)


def test_a_tick_within_the_grace_still_belongs_to_its_candle() -> None:
    made = aggregator()
    play(made, frame([(0, OPEN, 100.0, 5)], OPEN))
    late = frame([(0, OPEN + 59_000, 105.0, 9)], OPEN + MINUTE + 1000)
    assert play(made, late) == []
    (candle,) = play(made, frame([], OPEN + MINUTE + 2000))
    assert (candle.high, candle.close, candle.volume) == (105.0, 105.0, 4)
    assert made.counts.rejected["late"] == 0


def test_a_late_tick_that_changes_candles_publishes_each_of_them_again() -> None:
    made = aggregator()
    play(made, frame([(0, OPEN, 100.0, 5)], OPEN), frame([], OPEN + 3 * MINUTE + 2000))
    revised = play(made, frame([(0, OPEN + 1000, 90.0, 6)], OPEN + 3 * MINUTE + 3000))
    assert [(c.interval, c.revision, c.low) for c in revised] == [("1m", 1, 90.0), ("3m", 1, 90.0)]
    again = play(made, frame([(0, OPEN + 2000, 80.0, 7)], OPEN + 3 * MINUTE + 4000))
    assert [(c.interval, c.revision, c.low) for c in again] == [("1m", 2, 80.0), ("3m", 2, 80.0)]
    assert made.counts.rejected["late"] == 2


def test_a_late_tick_beyond_the_window_is_only_counted() -> None:
    made = aggregator()
    play(made, frame([(0, OPEN, 100.0, 5)], OPEN), frame([], OPEN + 7 * MINUTE))
    assert play(made, frame([(0, OPEN + 1000, 90.0, 6)], OPEN + 7 * MINUTE)) == []
    assert made.counts.rejected["late"] == 1


def test_an_interval_without_a_tick_gives_no_candle() -> None:
    made = aggregator()
    ticks = [(0, OPEN, 100.0, 5), (0, OPEN + 2 * MINUTE, 101.0, 9)]
    candles = play(made, frame(ticks, OPEN), frame([], OPEN + 3 * MINUTE + 2000))
    minutes = [c.opened_ms for c in candles if c.interval == "1m"]
    assert minutes == [OPEN, OPEN + 2 * MINUTE]


def test_the_first_tick_sets_the_base_and_a_gap_goes_to_the_candle_after_it() -> None:
    made = aggregator()
    ticks = [(0, OPEN, 100.0, 500), (0, OPEN + 1000, 100.0, 520), (0, OPEN + 3 * MINUTE, 99.0, 600)]
    candles = play(made, frame(ticks, OPEN), frame([], OPEN + 4 * MINUTE + 2000))
    assert [c.volume for c in candles if c.interval == "1m"] == [20, 80]
    assert [c.cumulative_volume for c in candles if c.interval == "1m"] == [520, 600]


def test_an_index_has_no_volume_and_no_vwap() -> None:
    made = CandleAggregator(load_calendar(), CandleRules(), ["INDICES"])
    made.list_instrument(listed(0, "INDICES"))
    (candle,) = play(made, frame([(0, OPEN, 100.0, 0)], OPEN), frame([], OPEN + MINUTE + 2000))
    assert (candle.volume, candle.vwap) == (0, None)


def test_the_vwap_weighs_prices_by_the_rise_of_the_volume() -> None:
    made = aggregator()
    ticks = [(0, OPEN, 99.0, 100), (0, OPEN + 1000, 100.0, 110), (0, OPEN + 2000, 104.0, 140)]
    candle = play(made, frame(ticks, OPEN), frame([], OPEN + MINUTE + 2000))[0]
    assert candle.vwap == pytest.approx((10 * 100 + 30 * 104) / 40)


def test_the_last_candles_of_the_day_close_and_the_hour_is_aligned_to_the_open() -> None:
    made = aggregator()
    ticks = [(0, OPEN + minute * MINUTE, 100.0 + minute, 1 + minute) for minute in range(375)]
    candles = play(made, *(frame([t], t[1]) for t in ticks), frame([], CLOSE + 2000))
    hours = [c for c in candles if c.interval == "60m"]
    assert [(c.opened_ms - OPEN) // MINUTE for c in hours] == [0, 60, 120, 180, 240, 300, 360]
    assert hours[-1].closes_ms == CLOSE
    (day,) = [c for c in candles if c.interval == "day"]
    assert (day.open, day.close, day.ticks) == (100.0, 474.0, 375)


def test_instruments_of_other_segments_make_no_candle_and_are_no_refusal() -> None:
    made = aggregator(instruments=0)
    made.list_instrument(listed(0, segment="NFO-OPT"))
    assert play(made, frame([(0, OPEN, 1.0, 1)], OPEN), frame([], CLOSE + 2000)) == []
    assert not any(made.counts.rejected.values())


def test_a_restart_goes_on_from_the_published_minutes() -> None:
    ticks = [(0, OPEN + second * 1000, 100.0 + second % 7, second) for second in range(0, 600, 7)]
    frames = [frame([tick], tick[1]) for tick in ticks]
    whole = play(aggregator(), *frames, frame([], CLOSE + 2000))
    first, second = aggregator(), aggregator()
    restart = OPEN + 4 * MINUTE
    head = [one for one in frames if one.clock_ms < restart]
    batches = [e for one in (*head, frame([], restart + 2000)) for e in first.on_ticks(one)]
    for batch in batches:
        second.restore(batch)
    rest = [one for one in frames if one.clock_ms >= restart]
    after = play(second, *rest, frame([], CLOSE + 2000))
    published = {(c.interval, c.opened_ms) for b in batches for c in b.candles()}
    expected = [c for c in whole if (c.interval, c.opened_ms) not in published]
    assert [without_vwap(c) for c in after] == [without_vwap(c) for c in expected]


def without_vwap(candle: Candle) -> dict[str, object]:
    values = candle._asdict()
    del values["vwap"]
    return values


def test_the_forming_candle_has_its_current_values() -> None:
    made = aggregator()
    play(made, frame([(0, OPEN, 100.0, 5), (0, OPEN + 61_000, 104.0, 9)], OPEN + 61_000))
    candle = made.forming("NSE", "S0", "5m", OPEN + 61_000)
    assert candle is not None
    assert (candle.high, candle.ticks) == (104.0, 2)
    assert made.forming("NSE", "S1", "5m", OPEN + 61_000) is None
    assert made.forming("BSE", "S0", "5m", OPEN + 61_000) is None


def test_right_at_a_boundary_the_forming_candle_is_the_one_that_is_not_published_yet() -> None:
    made = aggregator()
    play(made, frame([(0, OPEN, 100.0, 5), (0, OPEN + MINUTE - 1, 104.0, 9)], OPEN + MINUTE - 1))
    for at_ms in (OPEN + MINUTE - 1, OPEN + MINUTE, OPEN + MINUTE + 1999):
        forming = made.forming("NSE", "S0", "1m", at_ms)
        assert forming is not None
        assert (forming.opened_ms, forming.close) == (OPEN, 104.0)
    play(made, frame([(0, OPEN + MINUTE, 99.0, 12)], OPEN + MINUTE))
    for at_ms in (OPEN + MINUTE - 1, OPEN + MINUTE):  # a tick of the next one is there
        forming = made.forming("NSE", "S0", "1m", at_ms)
        assert forming is not None
        assert (forming.opened_ms, forming.close, forming.volume) == (OPEN + MINUTE, 99.0, 3)
    (closed,) = [c for c in play(made, frame([], OPEN + MINUTE + 2000)) if c.interval == "1m"]
    assert closed.opened_ms == OPEN
    assert made.forming("NSE", "S0", "1m", OPEN + 2 * MINUTE + 5000) == forming


@pytest.mark.parametrize("interval", [*MINUTES, "day"])
def test_the_last_candle_forms_until_it_is_published(interval: Interval) -> None:
    made = aggregator()
    play(made, frame([(0, CLOSE - 1, 100.0, 5)], CLOSE - 1), frame([], CLOSE + 1999))
    forming = made.forming("NSE", "S0", interval, CLOSE + 1999)
    assert forming is not None
    assert forming.closes_ms == CLOSE
    closed = [c for c in play(made, frame([], CLOSE + 2000)) if c.interval == interval]
    assert closed == [forming]
    assert made.forming("NSE", "S0", interval, CLOSE + 2000) is None


def test_many_instruments_get_rows_whatever_the_order_of_their_first_ticks() -> None:
    made = aggregator(instruments=50)
    shuffled = [(number * 7 % 50, OPEN, 100.0 + number * 7 % 50, 1) for number in range(50)]
    candles = play(made, frame(shuffled[:20], OPEN), frame(shuffled[20:], OPEN + 1000))
    candles += play(made, frame([], OPEN + MINUTE + 2000))
    assert {c.instrument_token: c.close for c in candles} == {
        token(number): 100.0 + number for number in range(50)
    }


def test_a_restart_publishes_candles_that_a_crash_left_unpublished() -> None:
    first, second = aggregator(), aggregator()
    frames = [frame([(0, OPEN + m * MINUTE, 100.0 + m, m)], OPEN + m * MINUTE) for m in range(3)]
    frames.append(frame([], OPEN + 3 * MINUTE + 2000))
    events = [event for one in frames for event in first.on_ticks(one)]
    batches = [event for event in events if isinstance(event, CandleBatch)]
    lost = [batch for batch in batches if batch.interval == "3m"]
    for batch in batches:
        if batch not in lost:
            second.restore(batch)
    assert second.unpublished() == lost
    assert len(lost) == 1


def test_a_restart_continues_revision_numbers_and_ignores_earlier_days() -> None:
    first, second = aggregator(), aggregator()
    frames = [frame([(0, OPEN, 100.0, 5)], OPEN), frame([], OPEN + MINUTE + 2000)]
    frames += [frame([(0, OPEN + 1000, 90.0, 6)], OPEN + MINUTE + 2000)]
    events = [event for one in frames for event in first.on_ticks(one)]
    for event in events:
        second.restore(event)
    yesterday = events[0].model_copy(update={"trading_day": DAY - timedelta(days=1)})
    second.restore(yesterday)
    (candle,) = play(second, frame([(0, OPEN + 2000, 80.0, 7)], OPEN + MINUTE + 3000))
    assert (candle.interval, candle.revision, candle.low) == ("1m", 2, 80.0)
