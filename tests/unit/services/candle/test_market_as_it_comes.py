"""What a real feed shows beside trades: each situation, and all of them against plain words."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import MINUTES, Candle
from libs.events.event import identity
from libs.events.ticks import TickBatch
from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from tests.proofs import examples
from tests.unit.services.candle.frames import (
    CLOSE,
    MINUTE,
    OPEN,
    candles_of,
    frame,
    listed,
    play,
)
from tests.unit.services.candle.reference import Plain, Update, plainly

SHARE, OPTION, INDEX = 0, 1, 2
COMPARED = ("open", "high", "low", "close", "volume", "ticks", "oi")
PATIENT = CandleRules(grace_ms=10 * MINUTE, revision_ms=11 * MINUTE)
GARBAGE = 4_294_967_295
TOLD = (
    "duplicate",
    "outside_session",
    "confirmed",
    "untraded",
    "implausible_price",
    "implausible_volume",
)


def second(number: float) -> int:
    """Epoch ms of a second after the open."""
    return OPEN + int(number * 1000)


def market(rules: CandleRules | None = None) -> CandleAggregator:
    made = CandleAggregator(load_calendar(), rules or CandleRules(), ["NSE", "INDICES"])
    made.list_instrument(listed(SHARE))
    made.list_instrument(listed(OPTION).model_copy(update={"instrument_type": "CE"}))
    made.list_instrument(listed(INDEX, "INDICES"))
    return made


def full(updates: Sequence[Update], clock_ms: int, number: int = 0) -> TickBatch:
    """A frame with the columns that full mode has."""
    plain = frame([(u.number, u.at, u.price, u.volume) for u in updates], clock_ms)
    columns = {
        "oi": np.array([u.oi for u in updates], np.int64),
        "last_trade_time": np.array([u.traded for u in updates], np.int64),
        "bid_price": np.array([u.bid for u in updates], np.float64),
        "ask_price": np.array([u.ask for u in updates], np.float64),
    }
    for name, column in columns.items():
        object.__setattr__(plain.columns, name, column)
    return plain.model_copy(update={"event_id": identity("full", number, clock_ms)})


def one_by_one(*updates: Update, made: CandleAggregator | None = None) -> list[Candle]:
    """One-minute candles of a day of these updates, each in its own frame."""
    made = market() if made is None else made
    frames = [full([update], update.at, number) for number, update in enumerate(updates)]
    candles = play(made, *frames, frame([], CLOSE + 5000))
    return [candle for candle in candles if candle.interval == "1m"]


def refused(made: CandleAggregator) -> dict[str, int]:
    return {reason: count for reason, count in made.counts.rejected.items() if count}


def prices(candle: Candle) -> tuple[float, ...]:
    return candle.open, candle.high, candle.low, candle.close


def test_yesterdays_close_shown_at_the_open_is_no_price() -> None:
    rows = [(0, 100.0, 0), (4, 105.0, 500), (30, 106.0, 900), (50, 105.5, 1000)]
    made = market()
    (minute,) = one_by_one(*(Update(SHARE, second(s), p, v) for s, p, v in rows), made=made)
    assert prices(minute) == (105.0, 106.0, 105.0, 105.5)
    assert (minute.volume, minute.ticks) == (1000, 3)
    assert (made.counts.accepted, made.counts.flagged["untraded"]) == (4, 1)


def test_a_last_trade_of_before_the_open_is_no_price_whatever_the_volume() -> None:
    auction = Update(SHARE, second(0), 100.0, 700, traded=OPEN - 7 * MINUTE)
    trade = Update(SHARE, second(4), 105.0, 900, traded=second(3))
    (minute,) = one_by_one(auction, trade)
    assert prices(minute) == (105.0,) * 4
    assert minute.volume == 200


def test_one_wrong_volume_is_refused_and_silences_nothing() -> None:
    rows = [(1, 1000), (59, 1200), (90, 1400), (100, GARBAGE), (150, 1600), (210, 1800)]
    made = market()
    minutes = one_by_one(*(Update(SHARE, second(s), 105.0, v) for s, v in rows), made=made)
    assert [minute.volume for minute in minutes] == [200, 200, 200, 200]
    assert refused(made) == {"implausible_volume": 1}


def test_a_wrong_first_volume_is_refused_too() -> None:
    rows = [(1, GARBAGE), (30, 1000), (59, 1200), (90, 1400)]
    made = market()
    minutes = one_by_one(*(Update(SHARE, second(s), 105.0, v) for s, v in rows), made=made)
    assert [minute.volume for minute in minutes] == [200, 200]
    assert refused(made) == {"implausible_volume": 1}


WRONG = [(1, 105.0, 1000), (70, 105.0, 1400), (80, 24150.0, 1400), (90, 105.0, 1500)]


@pytest.mark.parametrize("number", [SHARE, OPTION])
@pytest.mark.parametrize("volume", [1400, 1450], ids=["no trade", "a trade"])
def test_one_wrong_price_is_refused_and_silences_nothing(number: int, volume: int) -> None:
    made = market()
    rows = [(s, p, volume if p > 1000 else v) for s, p, v in WRONG]
    _, minute = one_by_one(*(Update(number, second(s), p, v) for s, p, v in rows), made=made)
    assert prices(minute) == (105.0,) * 4
    assert minute.volume == 500
    assert refused(made) == {"implausible_price": 1}


def test_wrong_prices_between_right_ones_never_become_right() -> None:
    made = market()
    updates = [
        Update(SHARE, second(s), 105.0 if s % 2 else 24150.0 + s, 1000 + s) for s in range(1, 50)
    ]
    (minute,) = one_by_one(*updates, made=made)
    assert (minute.high, minute.low, minute.ticks) == (105.0, 105.0, 25)
    assert refused(made) == {"implausible_price": 24}


def test_a_leap_that_the_next_update_confirms_is_taken_with_it() -> None:
    rows = [(1, 20.0, 1000), (2, 260.0, 1100), (3, 240.0, 1200)]
    made = market()
    (minute,) = one_by_one(*(Update(OPTION, second(s), p, v) for s, p, v in rows), made=made)
    assert prices(minute) == (20.0, 260.0, 20.0, 240.0)
    assert (minute.volume, minute.ticks) == (200, 3)
    assert made.counts.flagged["confirmed"] == refused(made)["implausible_price"] == 1


def test_a_leap_that_bid_and_ask_confirm_is_taken_at_once() -> None:
    made = market()
    leap = Update(OPTION, second(2), 260.0, 1100, bid=258.0, ask=263.0)
    (minute,) = one_by_one(Update(OPTION, second(1), 20.0, 1000), leap, made=made)
    assert (minute.high, minute.close, minute.ticks) == (260.0, 260.0, 2)
    assert refused(made) == {}


def test_a_first_price_that_bid_and_ask_contradict_is_refused() -> None:
    made = market()
    wrong = Update(OPTION, second(1), 24150.0, 1000, bid=104.5, ask=105.5)
    right = Update(OPTION, second(2), 105.0, 1100, bid=104.5, ask=105.5)
    (minute,) = one_by_one(wrong, right, made=made)
    assert prices(minute) == (105.0,) * 4
    assert refused(made) == {"implausible_price": 1}


def test_volume_that_rose_far_while_the_feed_was_away_is_taken_with_the_next_update() -> None:
    rows = [(1, 1000), (3605, 9_000_000), (3606, 9_000_100)]
    first, second_ = one_by_one(*(Update(SHARE, second(s), 105.0, v) for s, v in rows))
    assert (first.volume, second_.volume, second_.ticks) == (0, 8_999_100, 2)


def test_a_leap_confirmed_after_its_candle_closed_revises_it() -> None:
    made = market()
    play(made, full([Update(OPTION, second(50), 20.0, 1000)], second(50)))
    play(made, full([Update(OPTION, second(59), 260.0, 1100)], second(59)))
    (closed,) = play(made, frame([], second(62)))
    assert (closed.close, closed.volume) == (20.0, 0)
    (revised,) = play(made, full([Update(OPTION, second(63), 255.0, 1200)], second(63)))
    assert (revised.revision, revised.opened_ms, revised.close) == (1, OPEN, 260.0)
    assert revised.volume == 100


def test_a_trade_at_the_close_belongs_to_the_last_candle() -> None:
    made = market()
    last = [Update(SHARE, CLOSE - 1000, 100.0, 10), Update(SHARE, CLOSE, 101.0, 15)]
    (minute,) = one_by_one(*last, Update(SHARE, CLOSE + 1, 99.0, 20), made=made)
    assert (minute.close, minute.volume, minute.closes_ms) == (101.0, 5, CLOSE)
    assert refused(made) == {"outside_session": 1}


def test_a_tick_with_newer_open_interest_alone_is_no_repeat() -> None:
    made = market()
    rows = [(10, 500), (20, 500), (20, 650), (20, 650)]
    updates = [Update(SHARE, second(5), 105.0, v, oi=oi) for v, oi in rows]
    (minute,) = one_by_one(*updates, made=made)
    assert (minute.oi, minute.ticks) == (650, 3)
    assert refused(made) == {"duplicate": 1}


def test_the_base_of_the_first_candle_is_the_last_volume_before_the_open() -> None:
    rows = [(-600, 99.0, 0), (-400, 100.0, 7000), (0, 100.0, 7000), (3, 101.0, 7200)]
    made = market()
    (minute,) = one_by_one(*(Update(SHARE, second(s), p, v) for s, p, v in rows), made=made)
    assert prices(minute) == (101.0,) * 4
    assert (minute.volume, minute.cumulative_volume) == (200, 7200)
    assert refused(made) == {"outside_session": 2}


def test_a_volume_before_the_open_that_is_of_yesterday_is_no_base() -> None:
    rows = [(-900, 99.0, 90_000), (1, 100.0, 700), (3, 101.0, 750)]
    (minute,) = one_by_one(*(Update(SHARE, second(s), p, v) for s, p, v in rows))
    assert minute.volume == 50


def test_quotes_that_change_without_a_trade_make_no_candle_but_those_of_an_index_do() -> None:
    rows = [(1, 50), (70, 50), (80, 50), (130, 60)]
    shares = one_by_one(*(Update(SHARE, second(s), 105.0, v) for s, v in rows))
    assert [(c.opened_ms - OPEN) // MINUTE for c in shares] == [0, 2]
    index = one_by_one(*(Update(INDEX, second(s), 24150.0, 0) for s, _ in rows))
    assert [(c.opened_ms - OPEN) // MINUTE for c in index] == [0, 1, 2]


def test_a_minute_without_a_trade_is_in_no_longer_candle() -> None:
    made = market()
    rows = [(1, 105.0, 50), (70, 106.0, 50), (130, 104.0, 60)]
    frames = [full([Update(SHARE, second(s), p, v)], second(s)) for s, p, v in rows]
    candles = play(made, *frames, frame([], second(185)))
    (three,) = [candle for candle in candles if candle.interval == "3m"]
    assert (three.high, three.low, three.ticks, three.volume) == (105.0, 104.0, 2, 10)


def test_a_newer_last_trade_is_a_trade_where_the_volume_stands() -> None:
    rows = [(1, 1), (70, 2), (130, 128)]
    updates = [Update(SHARE, second(s), 105.0, 50, traded=second(t)) for s, t in rows]
    assert [(c.opened_ms - OPEN) // MINUTE for c in one_by_one(*updates)] == [0, 1, 2]
    again = [update._replace(traded=second(1)) for update in updates]
    assert [(c.opened_ms - OPEN) // MINUTE for c in one_by_one(*again)] == [0]


around = st.sampled_from([1.0, 1.001, 0.99, 1.2])
leaps = st.sampled_from([1.0] * 8 + [1.45, 1.6, 4.9, 7.0, 241.5, 241.6, 0.01])
volumes = st.integers(0, 20).map(lambda units: units * 10)
wild = st.sampled_from([-1, 0, GARBAGE, GARBAGE - 5, 8_000_000, 8_000_100, 20_000_000])
seconds = st.integers(0, 299) | st.integers(-5, 20) | st.just(300)


@st.composite
def drawn_updates(draw: st.DrawFn) -> Update:
    at = second(draw(seconds))
    base = draw(st.sampled_from([100.0, 100.05, 3.0]))
    traded = draw(st.sampled_from([0, 0, 0, OPEN - 7 * MINUTE, at, at - 1000, at - 61_000]))
    bid = draw(st.sampled_from([0.0, 0.0, 0.0, 100.0, 3.0, 24150.0, float("nan")]))
    return Update(
        draw(st.sampled_from([SHARE, SHARE, OPTION, INDEX])),
        at,
        base * draw(around) * draw(leaps),
        draw(volumes | volumes | wild),
        draw(st.integers(0, 1)),
        max(0, traded),
        bid,
        bid * draw(st.sampled_from([1.0, 1.02, 3.0])),
    )


updates_of_five_minutes = st.lists(drawn_updates(), min_size=1, max_size=40)


def told(plain: dict[int, Plain]) -> Counter[str]:
    return sum((one.counts for one in plain.values()), Counter[str]())


@examples(100)
@given(updates_of_five_minutes, st.integers(1, 7))
def test_candles_are_those_of_the_plain_rules_however_frames_are_cut(
    updates: list[Update], size: int
) -> None:
    made = market(PATIENT)
    cuts = range(0, len(updates), size)
    frames = [full(updates[at : at + size], OPEN, at) for at in cuts]
    candles = play(made, *frames, frame([], CLOSE + 20 * MINUTE))
    plain = plainly(updates, indices=[INDEX], options=[OPTION])
    for interval in ("1m", "3m", "15m"):
        ours = {
            (c.tradingsymbol, c.opened_ms): {name: getattr(c, name) for name in COMPARED}
            for c in candles
            if c.interval == interval
        }
        assert ours == {
            (f"S{number}", opened): candle
            for number, one in plain.items()
            for opened, candle in one.candles(MINUTES[interval]).items()
        }
    counts = Counter(made.counts.rejected) + Counter(made.counts.flagged)
    assert {name: counts[name] for name in TOLD} == {name: told(plain)[name] for name in TOLD}


@examples(50)
@given(updates_of_five_minutes)
def test_each_update_is_accepted_or_counted(updates: list[Update]) -> None:
    made = market(PATIENT)
    candles_of(made.on_ticks(full(updates, OPEN)))
    taken = made.counts.accepted - made.counts.flagged["confirmed"]
    assert taken + sum(made.counts.rejected.values()) == len(updates)
