"""Candles from which ticks are missing say so: after a late start, and after an outage."""

from collections.abc import Iterable, Sequence

import pytest

from libs.events.candles import CandleBatch, Interval
from libs.events.outages import OUTAGE_MS, RECORDED, Outages
from libs.events.ticks import TickBatch
from services.candle.domain.aggregator import CandleAggregator
from tests.unit.services.candle.frames import MINUTE, OPEN, aggregator, frame

SECOND = 1000


def feed(first: int, stop: int) -> list[TickBatch]:
    """A frame a second of the day, from one second to another, each with a trade."""
    return [
        frame(
            [(0, OPEN + at * SECOND, 100.0, 1000 + at)],
            OPEN + at * SECOND,
            received_ms=OPEN + at * SECOND,
        )
        for at in range(first, stop)
    ]


def made(one: CandleAggregator, batches: Iterable[TickBatch]) -> list[CandleBatch]:
    return [candles for batch in batches for candles in one.on_ticks(batch)]


def partial(batches: Sequence[CandleBatch], interval: Interval) -> list[int]:
    """The minutes of the day at which candles opened that are partial."""
    return [
        (batch.columns.opened_ms[0] - OPEN) // MINUTE
        for batch in batches
        if batch.is_partial and batch.interval == interval
    ]


def test_a_feed_that_is_there_from_the_open_makes_whole_candles() -> None:
    closed = made(aggregator(), feed(OUTAGE_MS // SECOND, 20 * 60))
    assert closed
    assert not any(batch.is_partial for batch in closed)


def test_after_a_late_start_the_running_candles_are_partial_and_the_next_ones_whole() -> None:
    closed = made(aggregator(), feed(7 * 60 + 20, 32 * 60))
    assert partial(closed, "1m") == [7]
    assert partial(closed, "5m") == [5]
    assert partial(closed, "15m") == [0]


def test_the_candles_of_an_outage_are_partial() -> None:
    one = aggregator()
    closed = made(one, [*feed(0, 6 * 60 + 10), *feed(8 * 60 + 30, 32 * 60)])
    assert partial(closed, "1m") == [6, 8]
    assert partial(closed, "5m") == [5]
    assert partial(closed, "15m") == [0]


def test_candles_of_quotes_that_were_asked_for_are_partial_too() -> None:
    asked = [batch.model_copy(update={"time_is_arrival": True}) for batch in feed(370, 510)[::5]]
    closed = made(aggregator(), [*feed(0, 370), *asked, *feed(510, 32 * 60)])
    assert partial(closed, "1m") == [6, 7, 8]
    assert partial(closed, "5m") == [5]


def test_an_outage_within_a_run_of_batches_is_seen_too() -> None:
    one = aggregator()
    made(one, feed(0, 3))
    run = [*feed(3, 20), *feed(40, 64)]
    assert partial(one.on_run(run), "1m") == [0]


def test_a_recording_is_taken_as_it_is() -> None:
    ticks = [batch.model_copy(update={"source": RECORDED}) for batch in feed(7 * 60 + 20, 32 * 60)]
    assert not any(batch.is_partial for batch in made(aggregator(), ticks))


@pytest.mark.parametrize("restart", [9 * 60 + 30, 13 * 60])
def test_a_restart_knows_the_outages_before_it(restart: int) -> None:
    before = [*feed(0, 6 * 60 + 10), *feed(8 * 60 + 30, restart)]
    first, second = aggregator(), aggregator()
    closed = made(first, before)
    last = before[-1]
    since_ms = second.resume_after(last)
    for candles in closed:
        second.restore(candles)
    for batch in before:
        if batch.clock_ms >= since_ms:
            second.replay(batch)
    after = feed(restart, 32 * 60)
    assert [one.is_partial for one in made(second, after)] == [
        one.is_partial for one in made(first, after)
    ]
    assert partial(closed, "15m") == []


def test_a_start_without_kept_ticks_goes_on_from_the_last_candle() -> None:
    closed = made(aggregator(), feed(0, 10 * 60 + 3))
    one, late = aggregator(), aggregator()
    for candles in closed:
        one.restore(candles)
        late.restore(candles)
    assert partial(made(one, feed(10 * 60 + 3, 32 * 60)), "5m") == []
    assert partial(made(late, feed(10 * 60 + 40, 32 * 60)), "5m") == [10]


def test_times_are_compared_with_outages_end_excluded() -> None:
    one = Outages()
    one.was_there(OPEN)
    assert one.on_clock(OPEN + OUTAGE_MS) is None
    assert one.on_clock(OPEN + 60_000) == (OPEN + OUTAGE_MS, OPEN + 60_000)
    assert one.on_clock(OPEN) is None, "a clock that goes back"
    assert [one.on_clock(OPEN + second * SECOND) for second in (61, 66, 70)] == [None] * 3
    assert one.touch(OPEN + 59_999, OPEN + 70_000)
    assert not one.touch(OPEN + 60_000, OPEN + 70_000)
    assert not one.touch(OPEN, OPEN + OUTAGE_MS)


def clocks(first: int, stop: int) -> list[TickBatch]:
    """A heartbeat a second, without a trade."""
    return [
        frame([], OPEN + at * SECOND, received_ms=OPEN + at * SECOND) for at in range(first, stop)
    ]


def trade(at: int) -> TickBatch:
    return frame([(0, OPEN + at * SECOND, 100.0, 1000 + at)], OPEN + at * SECOND)


def quiet(batches: Sequence[CandleBatch], interval: Interval) -> list[tuple[int, int]]:
    """Minute of the open, and how many candles before it are not there for lack of a trade."""
    return [
        ((batch.columns.opened_ms[0] - OPEN) // MINUTE, (batch.quiet or (0,))[0])
        for batch in batches
        if batch.interval == interval
    ]


TRADED = [
    *clocks(0, 10),
    trade(10),
    *clocks(11, 4 * 60 + 20),
    trade(4 * 60 + 20),
    *clocks(4 * 60 + 21, 21 * 60),
    trade(21 * 60),
    *clocks(21 * 60 + 1, 32 * 60),
]


def test_a_candle_says_how_many_before_it_are_not_there_since_nothing_was_traded() -> None:
    closed = made(aggregator(), TRADED)
    assert quiet(closed, "1m") == [(0, 0), (4, 3), (21, 16)]
    assert quiet(closed, "5m") == [(0, 0), (20, 3)]
    assert quiet(closed, "15m") == [(0, 0), (15, 0)]


def test_before_the_first_trade_of_a_day_it_is_quiet_too() -> None:
    assert quiet(made(aggregator(), TRADED[11:]), "1m") == [(4, 0), (21, 16)], "a late start"
    assert quiet(made(aggregator(), [*clocks(0, 260), *TRADED[260:]]), "1m") == [(4, 4), (21, 16)]


def test_what_was_traded_in_an_outage_nobody_knows() -> None:
    closed = made(aggregator(), [*TRADED[: 5 * 60], *TRADED[6 * 60 :]])
    assert quiet(closed, "1m") == [(0, 0), (4, 3), (21, 0)]


def test_a_recording_may_be_silent_for_a_minute() -> None:
    def of(gap: int) -> list[tuple[int, int]]:
        kept = [*TRADED[: 5 * 60], *TRADED[5 * 60 + gap :]]
        ticks = [batch.model_copy(update={"source": RECORDED}) for batch in kept]
        return quiet(made(aggregator(), ticks), "1m")

    assert of(50)[-1] == (21, 16)
    assert of(120)[-1] == (21, 0)


def test_a_restart_knows_the_candles_before_it() -> None:
    first, second = aggregator(), aggregator()
    before, after = TRADED[: 15 * 60], TRADED[15 * 60 :]
    closed = made(first, before)
    since_ms = second.resume_after(before[-1])
    for candles in closed:
        second.restore(candles)
    for batch in before:
        if batch.clock_ms >= since_ms:
            second.replay(batch)
    assert quiet(made(second, after), "1m") == quiet(made(first, after), "1m") == [(21, 16)]
