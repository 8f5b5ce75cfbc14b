"""ADX against TA-Lib, SuperTrend against its published rules."""

from itertools import pairwise

import numpy as np
import pandas as pd
import talib
from hypothesis import given
from hypothesis import strategies as st

from libs.strategy.harness import make_candles
from libs.strategy.indicators import ADX, SuperTrend
from tests.unit.libs.strategy.indicators.series import (
    Floats,
    assert_equals,
    columns,
    of_candles,
    prices_of,
    walks,
)


@given(walks(), st.integers(2, 30))
def test_the_adx_equals_that_of_ta_lib(frame: pd.DataFrame, period: int) -> None:
    prices = prices_of(frame)
    theirs = [
        talib.ADX(*prices, timeperiod=period),
        talib.PLUS_DI(*prices, timeperiod=period),
        talib.MINUS_DI(*prices, timeperiod=period),
    ]
    assert_equals(of_candles(ADX(period), frame), theirs, atol=1e-11)


def test_the_adx_of_a_steady_rise_is_100() -> None:
    candles = make_candles([(p, p + 1.0, p - 1.0, p) for p in map(float, range(10, 40))])
    values = of_candles(ADX(5), candles)
    assert values[8] is None
    assert values[9:] == [(100.0, 50.0, 0.0)] * 21


def test_the_adx_of_a_constant_price_is_zero() -> None:
    assert of_candles(ADX(2), make_candles([5.0] * 6))[3:] == [(0.0, 0.0, 0.0)] * 3


def final_bands(frame: pd.DataFrame, period: int, multiplier: float) -> tuple[Floats, Floats]:
    """Return the upper and the lower band, which only move towards the price."""
    high, low, close = columns(frame)
    reach = multiplier * talib.ATR(high, low, close, period)
    upper, lower = (high + low) / 2 + reach, (high + low) / 2 - reach
    for now in range(period + 1, len(close)):
        if close[now - 1] <= upper[now - 1]:
            upper[now] = min(upper[now], upper[now - 1])
        if close[now - 1] >= lower[now - 1]:
            lower[now] = max(lower[now], lower[now - 1])
    return upper, lower


def supertrend(frame: pd.DataFrame, period: int, multiplier: float) -> tuple[Floats, Floats]:
    """Return level and direction by whole series: the last band that a close broke decides."""
    upper, lower = final_bands(frame, period, multiplier)
    close = frame["close"].to_numpy()
    broken = np.full(len(close), np.nan)
    for now in range(period, len(close)):
        falling = now == period or broken[now - 1] < 0
        if falling:
            broken[now] = 1.0 if now > period and close[now] > upper[now] else -1.0
        else:
            broken[now] = -1.0 if close[now] < lower[now] else 1.0
    return np.where(broken > 0, lower, np.where(broken < 0, upper, np.nan)), broken


@given(walks(), st.integers(1, 20), st.sampled_from([0.5, 1.0, 3.0]))
def test_the_supertrend_follows_its_rules(
    frame: pd.DataFrame, period: int, multiplier: float
) -> None:
    theirs = supertrend(frame, period, multiplier)
    assert_equals(of_candles(SuperTrend(period, multiplier), frame), theirs)


def test_the_supertrend_turns_up_and_down_again() -> None:
    prices = [*range(100, 130), *range(130, 90, -1)]
    values = of_candles(SuperTrend(3, 1.0), make_candles([float(price) for price in prices]))
    directions = [value[1] for value in values if isinstance(value, tuple)]
    turns = [now for before, now in pairwise(directions) if now != before]
    assert turns == [1, -1]
