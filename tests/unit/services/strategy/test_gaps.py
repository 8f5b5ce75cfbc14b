"""Which candles the calendar says are missing, and that nothing is signalled across them."""

from datetime import date
from itertools import pairwise

import pytest

from libs.events.candles import Candle, Interval, Source
from libs.events.signals import StrategySignal
from libs.market.calendar import load_calendar
from libs.strategy.harness import make_candles
from services.strategy.domain.gaps import between, gap_rule, missing_candles
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from tests.unit.services.strategy.test_host import batch

CALENDAR = load_calendar()
FRIDAY = date(2026, 6, 12)


def missing(one: Candle, two: Candle) -> int:
    """Return how many candles are missing between two."""
    return missing_candles(between(one, two), CALENDAR)


def candles(interval: Interval = "15m", count: int = 80, source: Source = "live") -> list[Candle]:
    """Candles from a Friday on, without a gap."""
    made = make_candles([100.0] * count, interval=interval, first_day=FRIDAY)
    return [candle._replace(source=source) for candle in made]


@pytest.mark.parametrize("interval", ["5m", "15m", "60m", "day"])
def test_candles_that_follow_each_other_have_none_missing_also_over_a_weekend(
    interval: Interval,
) -> None:
    made = candles(interval, 12 if interval == "day" else 80)
    assert {missing(one, two) for one, two in pairwise(made)} == {0}


@pytest.mark.parametrize("interval", ["5m", "15m", "60m", "day"])
@pytest.mark.parametrize("away", [1, 2, 7])
def test_each_candle_that_is_left_out_is_counted(interval: Interval, away: int) -> None:
    made = candles(interval, 9 if interval == "day" else 80)
    for number in range(len(made) - away - 1):
        assert missing(made[number], made[number + away + 1]) == away


def test_earlier_days_of_a_history_are_taken_as_they_were_recorded() -> None:
    history, live = candles(source="backfill"), candles()
    assert history[20].trading_day < live[25].trading_day
    assert missing(history[20], live[25]) == 0
    assert missing(history[24], live[33]) == 8


def test_a_year_that_the_calendar_lacks_and_an_unknown_exchange_have_no_gap() -> None:
    first, _, third = candles(count=3)
    assert missing(first, third) == 1
    for changes in ({"exchange": "LSE"}, {"trading_day": date(1999, 3, 1)}):
        one, two = first._replace(**changes), third._replace(**changes)
        assert missing(one, two) == 0


def test_after_more_than_fifteen_days_something_is_missing() -> None:
    made = candles("day", 30)
    assert missing(made[0], made[20]._replace(exchange="LSE")) == 0
    assert missing(made[0]._replace(source="backfill"), made[20]) == 1


def test_a_start_in_mid_session_gives_no_signal_until_it_has_its_history_again() -> None:
    # The averages crossed at 09:15, which a start at 11:15 has not seen.
    before = make_candles([100.0] * 60 + [99.0] * 15, first_day=FRIDAY)
    history = [candle._replace(source="backfill") for candle in before]
    opened = make_candles([104.0, 105.0, 106.0] + [106.0] * 22, first_day=date(2026, 6, 17))
    assert before[-1].trading_day < opened[0].trading_day
    whole, late = StrategyHost((MaCrossover,)), StrategyHost((MaCrossover,))
    for host in (whole, late):
        host.warm(history)
    assert _signalled(whole, opened) == [opened[0].closes_ms]
    assert _signalled(late, opened[8:]) == []


def _signalled(host: StrategyHost, live: tuple[Candle, ...]) -> list[int]:
    """Return the closes at which a strategy signalled, epoch ms."""
    events = [event for candle in live for event in host.on_event(batch([candle]))]
    return [event.occurred_ms for event in events if isinstance(event, StrategySignal)]


def test_some_missing_candles_may_be_tolerated() -> None:
    made = candles()
    rule = gap_rule(CALENDAR, tolerated=2)
    assert [rule(made[0], made[number]) for number in (1, 2, 3, 4, 5)] == [0, 0, 0, 3, 4]
