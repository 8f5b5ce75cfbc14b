"""A day of two sessions: what is traded in each, and nothing over the pause between them."""

from datetime import date

from libs.events.candles import Candle
from libs.events.ticks import TickBatch
from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from tests.unit.services.candle.frames import MINUTE, Tick, frame, listed, play

DAY = date(2024, 3, 2)
MORNING, NOON = load_calendar().sessions("NSE", DAY)
GRACE = 2000


def at(ticks: list[Tick], clock_ms: int) -> TickBatch:
    made = frame(ticks, clock_ms, received_ms=clock_ms)
    return made.model_copy(update={"trading_day": DAY})


def traded() -> CandleAggregator:
    made = CandleAggregator(load_calendar(), CandleRules(), ["NSE"])
    made.list_instrument(listed(0))
    return made


def of(candles: list[Candle], interval: str) -> list[tuple[int, int, float, float, int]]:
    return [
        (one.opened_ms, one.closes_ms, one.open, one.close, one.volume)
        for one in candles
        if one.interval == interval
    ]


def test_candles_end_with_their_session_and_the_next_ones_begin_with_theirs() -> None:
    made = traded()
    closed = play(
        made,
        at([(0, MORNING.open_ms, 100.0, 10)], MORNING.open_ms),
        at([(0, MORNING.close_ms, 101.0, 30)], MORNING.close_ms),
        at([], MORNING.close_ms + GRACE),
    )
    hour = (MORNING.open_ms, MORNING.close_ms, 100.0, 101.0, 20)
    assert of(closed, "60m") == [hour]
    assert of(closed, "day") == []
    closed = play(
        made,
        at([(0, NOON.open_ms - MINUTE, 50.0, 31)], NOON.open_ms - MINUTE),
        at([(0, NOON.open_ms + MINUTE, 102.0, 35)], NOON.open_ms + MINUTE),
        at([], NOON.close_ms + GRACE),
    )
    assert of(closed, "60m") == [(NOON.open_ms, NOON.close_ms, 102.0, 102.0, 5)]
    assert of(closed, "day") == [(MORNING.open_ms, NOON.close_ms, 100.0, 102.0, 25)]
    assert made.counts.rejected["outside_session"] == 1


def test_a_trade_of_the_morning_that_comes_in_the_pause_revises_the_morning_alone() -> None:
    made = traded()
    play(
        made,
        at([(0, MORNING.open_ms, 100.0, 10)], MORNING.open_ms),
        at([], MORNING.close_ms + GRACE),
    )
    late = at([(0, MORNING.close_ms - 1000, 105.0, 15)], MORNING.close_ms + MINUTE)
    revised = play(made, late)
    assert {one.interval for one in revised} == {"1m", "3m", "5m", "10m", "15m", "30m", "60m"}
    assert of(revised, "60m") == [(MORNING.open_ms, MORNING.close_ms, 100.0, 105.0, 5)]
    assert made.counts.rejected["late"] == 1
