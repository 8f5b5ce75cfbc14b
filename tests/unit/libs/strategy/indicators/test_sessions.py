"""VWAP, the previous day and the opening range against pandas, day by day."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import Candle, Interval
from libs.strategy.harness import make_candles
from libs.strategy.indicators import VWAP, OpeningRange, PreviousDay
from tests.unit.libs.strategy.indicators.series import assert_equals, of_candles, walks

PRICES = [(10.0, 12.0, 9.0, 11.0), (11.0, 14.0, 10.0, 13.0), (13.0, 15.0, 8.0, 9.0)]


def frame_of(candles: Sequence[Candle]) -> pd.DataFrame:
    """Return candles as rows, with their day and the minutes since 09:15 in India."""
    names = ("high", "low", "close", "volume", "trading_day", "opened_ms")
    frame = pd.DataFrame({name: [getattr(one, name) for one in candles] for name in names})
    opened = pd.to_datetime(frame["opened_ms"], unit="ms", utc=True).dt.tz_convert("Asia/Kolkata")
    return frame.assign(minute=opened.dt.hour * 60 + opened.dt.minute - (9 * 60 + 15))


@given(walks())
def test_the_vwap_equals_the_cumulative_sums_of_each_day(rows: pd.DataFrame) -> None:
    candles = make_candles(rows)
    frame = frame_of(candles)
    typical = (frame["high"] + frame["low"] + frame["close"]) / 3
    turnover = (typical * frame["volume"]).groupby(frame["trading_day"]).cumsum()
    volume = frame["volume"].groupby(frame["trading_day"]).cumsum()
    assert_equals(of_candles(VWAP(), candles), [turnover / volume.where(volume > 0)])


def test_the_vwap_waits_for_volume_and_ignores_candles_without_it() -> None:
    volumes = (0, 100, 0)
    rows = [(*row, volume) for row, volume in zip(PRICES, volumes, strict=True)]
    typical = (14.0 + 10.0 + 13.0) / 3
    assert of_candles(VWAP(), make_candles(rows)) == [None, typical, typical]


def test_the_vwap_of_an_index_is_never_defined() -> None:
    assert of_candles(VWAP(), make_candles(PRICES)) == [None] * 3


def test_the_vwap_begins_anew_each_day() -> None:
    values = of_candles(VWAP(), make_candles([(5, 5, 5, 5, 10), (8, 8, 8, 8, 10)], "day"))
    assert values == [5.0, 8.0]


@given(walks())
def test_the_previous_day_equals_the_grouped_days(rows: pd.DataFrame) -> None:
    candles = make_candles(rows)
    frame = frame_of(candles)
    days = frame.groupby("trading_day").agg({"high": "max", "low": "min", "close": "last"})
    before = days.shift(1).reindex(frame["trading_day"])
    theirs = [before[name] for name in ("high", "low", "close")]
    assert_equals(of_candles(PreviousDay(), candles), theirs)


@given(walks(), st.integers(1, 60), st.sampled_from(["1m", "5m", "15m"]))
def test_the_opening_range_equals_the_grouped_candles(
    rows: pd.DataFrame, minutes: int, interval: Interval
) -> None:
    candles = make_candles(rows, interval)
    frame = frame_of(candles)
    inside = frame[frame["minute"] < minutes].groupby("trading_day")
    ranges = inside.agg({"high": "max", "low": "min"}).reindex(frame["trading_day"])
    is_known = (frame["minute"] + int(interval[:-1]) >= minutes).to_numpy()
    theirs = [np.where(is_known, ranges[name], np.nan) for name in ("high", "low")]
    assert_equals(of_candles(OpeningRange(minutes), candles), theirs)


def test_a_day_taken_from_the_middle_has_no_opening_range() -> None:
    candles = make_candles([5.0] * 26)
    assert set(of_candles(OpeningRange(), candles[4:25])) == {None}
    assert of_candles(OpeningRange(), candles[4:])[-1] == (5.0, 5.0)


def test_an_opening_range_without_its_last_candle_is_known_at_the_next() -> None:
    first, _, third, *_ = make_candles(PRICES, "5m")
    assert of_candles(OpeningRange(10), [first, third]) == [None, (12.0, 9.0)]


def test_a_day_that_the_calendar_lacks_begins_with_its_first_candle() -> None:
    at = [f"2019-06-10 {time}" for time in ("09:20", "09:35")]
    opened = pd.to_datetime(pd.Series(at)).dt.tz_localize("Asia/Kolkata")
    (first, second) = make_candles(PRICES[:2])
    old = [
        moved(candle, int(at.timestamp() * 1000))
        for candle, at in zip((first, second), opened, strict=True)
    ]
    assert of_candles(OpeningRange(15), old) == [(12.0, 9.0), (12.0, 9.0)]


def moved(candle: Candle, opened_ms: int) -> Candle:
    """Return a candle at another time."""
    day = pd.Timestamp(opened_ms, unit="ms").date()
    fields = {name: getattr(candle, name) for name in Candle.__annotations__}
    span = {"opened_ms": opened_ms, "closes_ms": opened_ms + 900_000, "trading_day": day}
    return Candle(**fields | span)
