"""A session whose first tick comes when the partition's clock is already running."""

from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from tests.unit.services.candle.frames import MINUTE, OPEN, frame, listed, play


def running(until_ms: int) -> CandleAggregator:
    """Two segments with different hours; only the first has ticks, up to a time."""
    made = CandleAggregator(load_calendar(), CandleRules(), ["NSE", "MCX"])
    made.list_instrument(listed(0))
    made.list_instrument(listed(1, "MCX"))
    play(made, frame([(0, OPEN, 100.0, 1)], until_ms))
    return made


def test_its_first_tick_is_late_if_the_clock_of_the_partition_says_so() -> None:
    made = running(OPEN + 10 * MINUTE)
    assert play(made, frame([(1, OPEN + MINUTE, 50.0, 5)], OPEN + 10 * MINUTE)) == []
    assert made.counts.rejected["late"] == 1


def test_its_first_tick_in_time_makes_a_candle_as_any_other() -> None:
    made = running(OPEN + 10 * MINUTE)
    at_ms = OPEN + 10 * MINUTE + 1000
    assert play(made, frame([(1, at_ms, 50.0, 5)], at_ms)) == []
    closed = play(made, frame([], OPEN + 11 * MINUTE + 2000))
    mine = [(one.interval, one.revision) for one in closed if one.tradingsymbol == "S1"]
    assert mine[0] == ("1m", 0)
    assert made.counts.rejected["late"] == 0
