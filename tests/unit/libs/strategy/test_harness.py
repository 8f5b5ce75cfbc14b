"""Candles out of plain numbers, and the signals of a strategy on them."""

from datetime import date
from itertools import pairwise
from typing import cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import MINUTES, Candle, Interval
from libs.events.event import utc_from_ms
from libs.events.signals import StrategySignal
from libs.market.calendar import IST, load_calendar
from libs.strategy.harness import Row, WrongCandles, make_candles, signals_of
from libs.strategy.strategy import Strategy

FRIDAY = date(2026, 6, 12)
ROW = (100.0, 103.0, 99.0, 102.0, 500)


def opened(candles: tuple[Candle, ...]) -> list[str]:
    return [f"{utc_from_ms(one.opened_ms).astimezone(IST):%d %H:%M}" for one in candles]


def test_rows_follow_each_other_through_the_sessions() -> None:
    candles = make_candles([100.0] * 9, "60m", first_day=FRIDAY)
    hours = ["09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15"]
    assert opened(candles) == [*(f"12 {at}" for at in hours), "15 09:15", "15 10:15"]
    assert candles[6].closes_ms - candles[6].opened_ms == 15 * 60_000
    assert [one.trading_day.day for one in candles[5:8]] == [12, 12, 15]


@given(st.sampled_from([*MINUTES]), st.integers(1, 400), st.sampled_from(["NSE", "MCX"]))
def test_candles_are_ordered_and_within_sessions(
    interval: Interval, count: int, exchange: str
) -> None:
    candles = make_candles([100.0] * count, interval, exchange, first_day=FRIDAY)
    assert len(candles) == count
    for before, after in pairwise(candles):
        assert before.closes_ms <= after.opened_ms
    for one in candles:
        assert one.closes_ms - one.opened_ms <= MINUTES[interval] * 60_000
        assert load_calendar().is_in_session(exchange, one.opened_ms)
        assert load_calendar().is_in_session(exchange, one.closes_ms - 1)


def test_a_row_gives_prices_and_volume_and_a_number_all_four_prices() -> None:
    full, plain, short = make_candles([ROW, 5, ROW[:4]])
    assert (full.open, full.high, full.low, full.close, full.volume) == ROW
    assert (plain.open, plain.high, plain.low, plain.close, plain.volume) == (5, 5, 5, 5, 0)
    assert short.volume == 0


def test_arrays_are_rows_too() -> None:
    array = cast(list[Row], np.array([ROW, ROW]))
    assert make_candles(array) == make_candles([ROW, ROW])
    assert make_candles(cast(list[Row], np.array([5.0, 6.0]))) == make_candles([5.0, 6.0])


def frame(dates: list[str]) -> pd.DataFrame:
    rows = pd.DataFrame([ROW] * len(dates), columns=["open", "high", "low", "close", "volume"])
    return rows.assign(date=dates)


@pytest.mark.parametrize("zone", ["", "+05:30"])
def test_a_frame_may_say_when_its_candles_opened(zone: str) -> None:
    dated = frame([f"2026-06-12 15:15:00{zone}", f"2026-06-15 09:15:00{zone}"])
    candles = make_candles(dated, "15m")
    assert opened(candles) == ["12 15:15", "15 09:15"]
    indexed = dated.set_index(pd.DatetimeIndex(pd.to_datetime(dated.pop("date"))))
    assert make_candles(indexed, "15m") == candles


def test_a_frame_without_times_is_as_its_rows() -> None:
    plain = frame(["", ""]).drop(columns=["date"])
    assert make_candles(plain) == make_candles([ROW, ROW])
    assert make_candles(plain.drop(columns=["volume"])) == make_candles([ROW[:4], ROW[:4]])


def test_a_day_is_one_candle_from_open_to_close() -> None:
    (dated,) = make_candles(frame(["2026-06-12 00:00:00+05:30"]), "day")
    (followed,) = make_candles([ROW], "day", first_day=FRIDAY)
    assert dated == followed
    assert dated.closes_ms - dated.opened_ms == 375 * 60_000


@pytest.mark.parametrize(
    ("row", "culprit"),
    [
        ((100.0, 99.0, 98.0, 98.5), "row 1: open 100.0, high 99.0"),
        ((100.0, 103.0, 101.0, 102.0), "row 1"),
        ((0.0, 1.0, 0.0, 1.0), "row 1"),
        ((100.0, 103.0), "row 1: 2 numbers, not 4 or 5"),
        ((100.0, 103.0, 99.0, 102.0, -1), "row 1: volume -1"),
        (float("nan"), "row 1: .*finite"),
    ],
)
def test_a_row_that_is_no_candle_is_named(row: Row, culprit: str) -> None:
    with pytest.raises(WrongCandles, match=culprit):
        make_candles([ROW, row])


def test_a_missing_column_and_a_time_at_which_no_candle_opens_are_named() -> None:
    with pytest.raises(WrongCandles, match="no column low"):
        make_candles(frame(["2026-06-12 09:15"]).drop(columns=["low"]))
    for wrong in ("2026-06-12 09:16", "2026-06-12 16:00", "2026-06-13 09:15"):
        with pytest.raises(WrongCandles, match="row 0: no 15m candle of NSE opens at"):
            make_candles(frame([wrong]))


class Rising(Strategy):
    """Buys a candle that closes above its open."""

    name = "rising"
    history_needed = 1

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        if candle.close <= candle.open:
            return None
        return self.buy(candle, stop_loss=candle.low, target=1.1 * candle.close, confidence=0.7)


class Confused(Rising):
    name = "confused"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return cast(StrategySignal, "BUY")


class Broken(Rising):
    name = "broken"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        raise ZeroDivisionError("a bug")


def test_signals_are_those_of_a_warm_strategy() -> None:
    candles = make_candles([ROW, 100.0, ROW, ROW])
    assert [s.candle_opened_at for s in signals_of(Rising(), candles)] == [
        utc_from_ms(candle.opened_ms) for candle in candles[2:]
    ]


def test_an_error_of_the_strategy_reaches_its_author() -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        signals_of(Broken(), make_candles([ROW]))
    with pytest.raises(TypeError, match="returned a str, not a StrategySignal"):
        signals_of(Confused(), make_candles([ROW]))


def test_candles_that_the_strategy_would_not_get_are_refused() -> None:
    with pytest.raises(WrongCandles, match="a candle of 5m, but rising asks for 15m"):
        signals_of(Rising(), make_candles([ROW], "5m"))
    both = (*make_candles([ROW]), *make_candles([ROW], tradingsymbol="SBIN"))
    with pytest.raises(WrongCandles, match="NSE:RELIANCE and of NSE:SBIN"):
        signals_of(Rising(), both)
    with pytest.raises(WrongCandles, match="candle 1 does not open after"):
        signals_of(Rising(), reversed(make_candles([ROW, ROW])))
