"""A start within the session, or an outage: the broker's candles take the place of the missing."""

from collections.abc import Sequence
from datetime import date, datetime, time
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import Candle, CandleBatch, CandleColumns, HistoryFetched
from libs.events.event import Event, identity, ms_from_utc, utc_from_ms
from libs.events.signals import StrategySignal
from libs.market.calendar import IST
from libs.strategy.harness import make_candles
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.series import Cold
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from tests.unit.services.strategy.test_host import batch

KEY = "NSE:RELIANCE"
BEFORE = [100.0] * 60 + [99.0] * 3
TODAY = [104.0, 105.0, 106.0, 107.0, 107.0, 108.0, 108.0, 109.0, *[110.0] * 6]
"""The averages cross at 09:15; 11:15 is the ninth candle."""
CANDLES = make_candles([*BEFORE, *[99.0] * 12, *TODAY], first_day=date(2026, 6, 10))
DAY = CANDLES[-1].trading_day
TODAYS = [one for one in CANDLES if one.trading_day == DAY]
HISTORY = [one._replace(source="backfill") for one in CANDLES if one.trading_day < DAY]
AT_1115 = next(
    n
    for n, one in enumerate(TODAYS)
    if utc_from_ms(one.opened_ms).astimezone(IST).time() == time(11, 15)
)


def maker() -> MaCrossover:
    return MaCrossover(history_needed=30)


def host(*, is_patched: bool = True, history: Sequence[Candle] = HISTORY) -> StrategyHost:
    made = StrategyHost((maker,))
    made.warm(history)
    made.patches.begin(DAY)
    made.patches.intervals = frozenset({"15m"} if is_patched else ())
    return made


def live(candle: Candle, *, is_partial: bool = False) -> CandleBatch:
    return batch([candle]).model_copy(update={"is_partial": is_partial})


def brokers(candles: Sequence[Candle], since_ms: int, until_ms: int) -> list[Event]:
    """What ingest publishes: the candles, then up to when they were asked for."""
    rows = [one._replace(source="backfill") for one in candles]
    batches = [CandleBatch.backfill(0, "15m", DAY, CandleColumns.of(rows))] if rows else []
    event_id = identity("fetched", since_ms, until_ms)
    asked = HistoryFetched(
        event_id=event_id,
        occurred_at=utc_from_ms(since_ms),
        trading_day=DAY,
        correlation_id=event_id,
        partition=0,
        origin="kite",
        exchange="NSE",
        tradingsymbol="RELIANCE",
        interval="15m",
        since_ms=since_ms,
        until_ms=until_ms,
        days=(DAY,),
        candles=(len(rows),),
        expected=(len(rows),),
    )
    return [*batches, asked]


def fed(one: StrategyHost, events: Sequence[Event]) -> list[StrategySignal]:
    """Feed live candles and the broker's as the service does; return the signals."""
    made: list[Event] = []
    for event in events:
        if isinstance(event, CandleBatch) and event.source == "live":
            made += one.on_event(event)
        else:
            made += chain(*(run.patch(one.patched(event)) for run in one.runs))
    return [event for event in made if isinstance(event, StrategySignal)]


def opened(signals: Sequence[StrategySignal]) -> list[time]:
    return [one.candle_opened_at.astimezone(IST).time() for one in signals]


WHOLE = fed(host(), [live(one) for one in TODAYS])
"""The signals of a run that was never interrupted."""


def ms(hour: int, minute: int) -> int:
    return ms_from_utc(datetime.combine(DAY, time(hour, minute), IST))


def test_the_uninterrupted_run_crosses_at_the_open_only() -> None:
    assert opened(WHOLE) == [time(9, 15)]


def test_a_start_at_1115_gives_no_signal_on_the_first_candle_once_todays_are_fetched() -> None:
    one = host()
    assert fed(one, brokers(TODAYS[:AT_1115], ms(0, 0), ms(11, 15))) == []
    assert fed(one, [live(candle) for candle in TODAYS[AT_1115:]]) == []
    (series,) = one.runs[0]._series.values()
    assert series.instance.seen == len(HISTORY) + len(TODAYS)
    assert one.runs[0].cold() == []


def test_without_todays_candles_a_start_at_1115_is_silent_and_says_why() -> None:
    one = host()
    assert fed(one, [live(candle) for candle in TODAYS[AT_1115 : AT_1115 + 2]]) == []
    waiting = "candles that the feed missed are awaited from the broker"
    assert one.runs[0].cold() == [Cold(KEY, 0, TODAYS[AT_1115].opened_ms, waiting)]
    later = TODAYS[AT_1115 + 2 : AT_1115 + 4]
    assert fed(one, [live(candle) for candle in later]) == []
    (cold,) = one.runs[0].cold()
    assert (cold.instrument, cold.reason[:10]) == (KEY, "8 missing ")


def test_a_partial_candle_gives_no_signal_and_the_brokers_stands_in_its_place() -> None:
    one, half = host(), TODAYS[2]._replace(open=90.0, low=90.0, close=90.0)
    events = [live(TODAYS[0]), live(TODAYS[1]), live(half, is_partial=True)]
    assert opened(fed(one, events)) == [time(9, 15)]
    assert fed(one, [live(TODAYS[3])]) == [], "it waits for the one before it"
    assert fed(one, brokers([TODAYS[2]], TODAYS[2].opened_ms, TODAYS[2].closes_ms)) == []
    assert fed(one, [live(candle) for candle in TODAYS[4:]]) == []
    (series,) = one.runs[0]._series.values()
    assert series.last["15m"] == TODAYS[-1]
    assert series.instance.seen == len(HISTORY) + len(TODAYS)


def test_a_signal_on_a_candle_that_had_to_wait_is_given_when_the_missing_one_has_come() -> None:
    one = host()
    half = TODAYS[0]._replace(open=98.0, high=98.0, low=98.0, close=98.0)
    still = TODAYS[0]._replace(open=99.0, high=99.0, low=99.0, close=99.0)
    assert fed(one, [live(half, is_partial=True), live(TODAYS[1])]) == []
    signals = fed(one, brokers([still], still.opened_ms, still.closes_ms))
    assert opened(signals) == [time(9, 30)]


@pytest.mark.parametrize("has", [slice(3, 3), slice(3, 4), slice(4, 5)])
def test_what_the_broker_does_not_have_either_is_a_gap_that_nothing_is_traded_over(
    has: slice,
) -> None:
    one = host()
    fed(one, [live(candle) for candle in TODAYS[:3]])
    fed(one, brokers(TODAYS[has], TODAYS[3].opened_ms, TODAYS[4].closes_ms))
    fed(one, [live(TODAYS[5]), live(TODAYS[6])])
    assert one.is_waiting
    fed(one, [live(TODAYS[7])])
    assert not one.is_waiting
    (cold,) = one.runs[0].cold()
    assert (cold.missing, cold.since_ms) == (27, TODAYS[5].opened_ms)


@pytest.mark.parametrize(("quiet", "seen"), [(1, 1), (2, 5)])
def test_candles_that_are_not_there_since_nothing_was_traded_are_no_gap(
    quiet: int, seen: int
) -> None:
    one = host(is_patched=False)
    fed(one, [live(candle) for candle in TODAYS[:4]])
    fed(one, [live(TODAYS[6]).model_copy(update={"quiet": (quiet,)})])
    (series,) = one.runs[0]._series.values()
    assert series.instance.seen == (seen if seen == 1 else len(HISTORY) + seen)


def test_where_nothing_is_asked_for_a_gap_begins_without_history_at_once() -> None:
    one = host(is_patched=False)
    fed(one, [live(candle) for candle in TODAYS[:3]])
    fed(one, [live(TODAYS[5])])
    (cold,) = one.runs[0].cold()
    assert cold.missing == 29


def test_a_partial_candle_of_an_interval_that_is_not_asked_for_gives_no_signal() -> None:
    assert fed(host(is_patched=False), [live(TODAYS[0], is_partial=True)]) == []
    assert opened(fed(host(is_patched=False), [live(TODAYS[0])])) == [time(9, 15)]


def test_what_is_repeated_does_not_wait() -> None:
    one = host()
    fed(one, [live(candle) for candle in TODAYS[:4]])
    assert fed(one, [live(TODAYS[1], is_partial=True), live(TODAYS[0])]) == []
    assert one.runs[0].cold() == []


@pytest.mark.parametrize("is_early", [True, False])
@given(
    prices=st.lists(st.integers(80, 120), min_size=12, max_size=25),
    first=st.integers(1, 10),
    length=st.integers(1, 4),
    late=st.integers(0, 1),
)
def test_after_an_outage_the_signals_are_those_of_a_run_without_one(
    is_early: bool, prices: list[int], first: int, length: int, late: int
) -> None:
    """The first and the last candle of an outage are partial, those between them are missing."""
    numbers = [*BEFORE, *[99.0] * 12, *map(float, prices)]
    todays = [
        one for one in make_candles(numbers, first_day=date(2026, 6, 10)) if one.trading_day == DAY
    ]
    stop = min(first + length, len(todays))
    gone = todays[first:stop]
    ends = {gone[0].opened_ms, gone[-1].opened_ms}
    halves = [
        live(one._replace(close=one.close + 9), is_partial=True)
        for one in gone
        if one.opened_ms in ends
    ]
    after = [live(one) for one in todays[stop:]]
    patches = brokers(gone, gone[0].opened_ms, gone[-1].closes_ms)
    behind: list[Event] = [*after[:late], *patches, *after[late:]]
    events: list[Event] = [live(one) for one in todays[:first]]
    events += [*patches, *halves, *after] if is_early else [*halves, *behind]
    whole = fed(host(), [live(one) for one in todays])
    missed = {one.opened_ms for one in gone}
    assert [one.event_id for one in fed(host(), events)] == [
        one.event_id for one in whole if ms_from_utc(one.candle_opened_at) not in missed
    ]
