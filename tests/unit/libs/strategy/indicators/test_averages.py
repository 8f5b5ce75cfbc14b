"""Moving averages against pandas and TA-Lib."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from libs.strategy.indicators import EMA, SMA, WMA
from tests.unit.libs.strategy.indicators.series import assert_equals, of_closes, prices, walks

lengths = st.integers(1, 50)


@given(prices, lengths)
def test_the_ema_equals_that_of_pandas(values: list[float], span: int) -> None:
    ema = EMA(span)
    theirs = pd.Series(values).ewm(span=span, adjust=False).mean()
    assert_equals([ema.update(value) for value in values], [theirs])


@given(prices, lengths)
def test_the_sma_equals_that_of_pandas(values: list[float], period: int) -> None:
    sma = SMA(period)
    theirs = pd.Series(values).rolling(period).mean()
    assert_equals([sma.update(value) for value in values], [theirs])


@given(walks(), st.integers(2, 50))
def test_the_sma_and_the_wma_equal_those_of_ta_lib(frame: pd.DataFrame, period: int) -> None:
    closes = frame["close"].to_numpy()
    assert_equals(of_closes(SMA(period), frame), [talib.SMA(closes, period)])
    assert_equals(of_closes(WMA(period), frame), [talib.WMA(closes, period)])


@given(prices, lengths)
def test_the_wma_equals_the_weighted_sum_of_its_window(values: list[float], period: int) -> None:
    weights = np.arange(1, period + 1)
    rolling = pd.Series(values).rolling(period)
    theirs = rolling.apply(lambda window: np.average(window, weights=weights), raw=True)
    wma = WMA(period)
    assert_equals([wma.update(value) for value in values], [theirs])


@pytest.mark.parametrize("make", [EMA, SMA, WMA])
def test_an_average_of_a_constant_price_is_that_price(
    make: type[EMA] | type[SMA] | type[WMA],
) -> None:
    average = make(20)
    values = [average.update(50_000.05) for _ in range(200)]
    assert values[19:] == pytest.approx([50_000.05] * 181, rel=1e-15)


@pytest.mark.parametrize("make", [SMA, WMA])
def test_many_values_leave_no_rounding_error(make: type[SMA] | type[WMA]) -> None:
    average, fresh = make(20), make(20)
    values = (50_000 + np.random.default_rng(1).integers(-9, 10, 200_020) / 100).tolist()
    for value in values:
        average.update(value)
    for value in values[-20:]:
        fresh.update(value)
    assert average.value == pytest.approx(fresh.value, rel=1e-15)


def test_an_average_of_one_value_is_that_value() -> None:
    for average in (EMA(1), SMA(1), WMA(1)):
        assert [average.update(value) for value in (3.0, 1.0, 2.0)] == [3.0, 1.0, 2.0]
        assert average.value == 2.0


def test_an_average_moves_towards_each_new_value() -> None:
    ema = EMA(9)
    averages = [ema.update(value) for value in (1.0, 2.0, 3.0, 4.0)]
    assert all(after > before for before, after in pairwise(averages))
