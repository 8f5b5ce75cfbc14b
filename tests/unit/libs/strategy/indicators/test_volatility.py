"""ATR and the channels against TA-Lib, pandas and exact fractions."""

from fractions import Fraction
from itertools import pairwise
from math import sqrt

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from libs.strategy.indicators import ATR, Bollinger, BollingerBands, Donchian, Keltner
from tests.unit.libs.strategy.indicators.series import (
    assert_equals,
    columns,
    of_candles,
    of_closes,
    prices_of,
    walks,
)

lengths = st.integers(1, 30)


@given(walks(), lengths)
def test_the_atr_equals_that_of_ta_lib(frame: pd.DataFrame, period: int) -> None:
    assert_equals(of_candles(ATR(period), frame), [talib.ATR(*prices_of(frame), timeperiod=period)])


def test_the_true_range_of_a_gap_reaches_from_the_last_close() -> None:
    rows = [(10.0, 11.0, 9.0, 10.0), (15.0, 16.0, 15.0, 15.0), (9.0, 9.5, 9.0, 9.0)]
    assert of_candles(ATR(1), pd.DataFrame(rows, columns=["open", "high", "low", "close"])) == [
        None,
        6.0,
        6.0,
    ]


def exact(values: list[float], width: float) -> tuple[float, float, float, float]:
    """Return the bands of one window, rounded once."""
    window = [Fraction(value) for value in values]
    mean = sum(window) / len(window)
    variance = sum((value - mean) ** 2 for value in window) / len(window)
    deviation = sqrt(variance)
    reach = Fraction(width) * Fraction(deviation)
    return float(mean + reach), float(mean), float(mean - reach), deviation


def assert_exact(values: list[float], period: int) -> None:
    bollinger = Bollinger(period, 2.5)
    ours = [bollinger.update(value) for value in values]
    assert ours[: period - 1] == [None] * min(period - 1, len(values))
    for end in range(period, len(values) + 1):
        bands = ours[end - 1]
        assert bands is not None
        assert tuple(bands) == pytest.approx(
            exact(values[end - period : end], 2.5), rel=1e-12, abs=0.0
        )


@given(walks(120), lengths)
def test_bollinger_bands_and_their_deviation_are_exact(frame: pd.DataFrame, period: int) -> None:
    assert_exact(frame["close"].tolist(), period)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, 0, 0, 0, 1, 2])), max_size=120),
    lengths,
)
def test_the_deviation_of_tiny_changes_is_exact_after_jumps(
    steps: list[tuple[int, int]], period: int
) -> None:
    levels = (50_000.0, 100.0, 64_123.45)
    values = [levels[level] + paise / 100 for paise, level in steps]
    assert_exact(values, period)


def test_the_deviation_of_tiny_changes_stays_exact_over_many_values() -> None:
    values = (50_000 + np.random.default_rng(1).integers(0, 3, 200_007) / 10_000).tolist()
    bollinger = Bollinger(20)
    for value in values:
        bollinger.update(value)
    assert bollinger.value is not None
    assert bollinger.value.deviation == pytest.approx(exact(values[-20:], 2.0)[3], rel=1e-12)


@given(walks(), st.integers(2, 30))
def test_bollinger_bands_equal_those_of_ta_lib(frame: pd.DataFrame, period: int) -> None:
    theirs = talib.BBANDS(frame["close"].to_numpy(), period, 2.0, 2.0)
    bollinger = of_closes(Bollinger(period), frame)
    ours = [bands[:3] if isinstance(bands, tuple) else None for bands in bollinger]
    assert_equals(ours, theirs, atol=1e-6 * frame["close"].max())  # its own error


def test_the_deviation_of_a_constant_price_is_zero() -> None:
    bollinger = Bollinger()
    values = [bollinger.update(50_000.05) for _ in range(100)]
    assert set(values[19:]) == {BollingerBands(50_000.05, 50_000.05, 50_000.05, 0.0)}


@given(walks(), lengths, lengths)
def test_the_keltner_channel_is_an_ema_and_atrs(
    frame: pd.DataFrame, span: int, period: int
) -> None:
    reach = 1.5 * talib.ATR(*prices_of(frame), timeperiod=period)
    middle = frame["close"].ewm(span=span, adjust=False).mean().to_numpy()
    ours = of_candles(Keltner(span, period, 1.5), frame)
    assert_equals(ours, [middle + reach, middle + 0 * reach, middle - reach])


@given(walks(), lengths)
def test_the_donchian_channel_equals_the_extremes_of_pandas(
    frame: pd.DataFrame, period: int
) -> None:
    highest = frame["high"].rolling(period).max()
    lowest = frame["low"].rolling(period).min()
    assert_equals(of_candles(Donchian(period), frame), [highest, (highest + lowest) / 2, lowest])


@given(walks(), st.integers(2, 30))
def test_the_donchian_channel_equals_max_and_min_of_ta_lib(
    frame: pd.DataFrame, period: int
) -> None:
    high, low, _ = columns(frame)
    theirs = [talib.MAX(high, period), talib.MIDPRICE(high, low, period), talib.MIN(low, period)]
    assert_equals(of_candles(Donchian(period), frame), theirs)


def test_a_channel_narrows_when_its_extreme_has_left() -> None:
    rows = [(9.0, 12.0, 9.0, 9.0)] + [(9.0, 10.0, 8.0, 9.0)] * 3
    frame = pd.DataFrame(rows, columns=["open", "high", "low", "close"])
    channel = [value for value in of_candles(Donchian(3), frame) if isinstance(value, tuple)]
    assert [value[0] for value in channel] == [12.0, 10.0]
    assert all(upper >= lower for value in channel for upper, lower in pairwise(value))
