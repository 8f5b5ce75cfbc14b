"""Indicators against pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.strategy.indicators import EMA, RSI

prices = st.lists(st.floats(1, 100_000), min_size=1, max_size=200)


@given(prices, st.integers(1, 50))
def test_the_ema_equals_that_of_pandas(values: list[float], span: int) -> None:
    ema = EMA(span)
    ours = [ema.update(value) for value in values]
    theirs = pd.Series(values).ewm(span=span, adjust=False).mean()
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def wilder(values: list[float], period: int) -> list[float]:
    """RSI by whole series: an average that begins with the mean of the first changes."""
    changes = pd.Series(values).diff().iloc[1:].reset_index(drop=True)
    averages = []
    for side in (changes.clip(lower=0), (-changes).clip(lower=0)):
        begun = pd.concat([pd.Series([side.iloc[:period].mean()]), side.iloc[period:]])
        averages.append(begun.ewm(alpha=1 / period, adjust=False).mean())
    gain, loss = averages
    result: list[float] = (100 * gain / (gain + loss)).tolist()
    return result


@given(st.lists(st.integers(100, 10_000_000), min_size=3, max_size=200), st.integers(1, 30))
def test_the_rsi_equals_wilders_by_pandas(paise: list[int], period: int) -> None:
    values = [price / 100 for price in paise]
    rsi = RSI(period)
    ours = [rsi.update(value) for value in values]
    assert ours[:period] == [None] * min(period, len(values))
    if len(values) > period:
        theirs = wilder(values, period)
        mine = [np.nan if value is None else value for value in ours[period:]]
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


def test_the_rsi_of_a_worked_example_is_as_published() -> None:
    """Wilder's 14 periods on the closes with which the index is commonly taught."""
    closes = [44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42, 45.84, 46.08, 45.89]
    closes += [46.03, 45.61, 46.28, 46.28, 46.00, 46.03]
    rsi = RSI()
    values = [rsi.update(close) for close in closes]
    assert values[13] is None
    assert values[14:] == pytest.approx([70.46, 66.25, 66.48], abs=0.01)


def test_the_rsi_of_prices_that_never_change_is_not_defined() -> None:
    rsi = RSI(2)
    assert [rsi.update(value) for value in (5.0, 5.0, 5.0, 5.0)] == [None] * 4
    assert rsi.update(6.0) == 100.0


@pytest.mark.parametrize("make", [EMA, RSI])
def test_a_length_below_one_is_refused(make: type[EMA] | type[RSI]) -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        make(0)
