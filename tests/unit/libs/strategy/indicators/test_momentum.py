"""RSI, MACD and Stochastic against TA-Lib and pandas."""

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from libs.strategy.indicators import MACD, RSI, Stochastic
from tests.unit.libs.strategy.indicators.series import (
    assert_equals,
    of_candles,
    of_closes,
    prices_of,
    walks,
)

PERCENT = 1e-11
"""What rounding leaves of a scale of 0 to 100 where terms cancel."""


def wilder(closes: pd.Series, period: int) -> pd.Series:
    """RSI by whole series: averages that begin with the mean of the first changes."""
    changes = closes.diff()
    averages = []
    for side in (changes.clip(lower=0), (-changes).clip(lower=0)):
        begun = side.rolling(period).mean().iloc[: period + 1]
        whole = pd.concat([begun, side.iloc[period + 1 :]])
        averages.append(whole.ewm(alpha=1 / period, adjust=False).mean())
    gain, loss = averages
    index: pd.Series = 100 * gain / (gain + loss)
    return index


@given(walks(), st.integers(2, 30))
def test_the_rsi_equals_that_of_ta_lib(frame: pd.DataFrame, period: int) -> None:
    closes = frame["close"]
    theirs = talib.RSI(closes.to_numpy(), period)
    theirs[(closes == closes[0]).cummin().to_numpy(bool)] = (
        np.nan
    )  # TA-Lib says 0 before the first change
    assert_equals(of_closes(RSI(period), frame), [theirs])


@given(walks(), st.integers(1, 30))
def test_the_rsi_equals_wilders_by_pandas(frame: pd.DataFrame, period: int) -> None:
    assert_equals(of_closes(RSI(period), frame), [wilder(frame["close"], period)], PERCENT)


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


@given(walks(), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
def test_the_macd_equals_that_of_pandas(
    frame: pd.DataFrame, fast: int, more: int, signal: int
) -> None:
    closes = frame["close"]
    averages = [closes.ewm(span=span, adjust=False).mean() for span in (fast, fast + more)]
    line = averages[0] - averages[1]
    of_line = line.ewm(span=signal, adjust=False).mean()
    ours = of_closes(MACD(fast, fast + more, signal), frame)
    assert_equals(ours, [line, of_line, line - of_line], atol=1e-14 * closes.max())


def test_the_macd_of_a_constant_price_is_zero() -> None:
    macd = MACD()
    assert {macd.update(50_000.05) for _ in range(100)} == {(0.0, 0.0, 0.0)}


@given(walks(), st.integers(1, 30), st.integers(1, 5), st.integers(1, 5))
def test_the_stochastic_equals_that_of_ta_lib(
    frame: pd.DataFrame, fastk: int, slowk: int, slowd: int
) -> None:
    theirs = talib.STOCH(
        *prices_of(frame), fastk_period=fastk, slowk_period=slowk, slowd_period=slowd
    )
    assert_equals(of_candles(Stochastic(fastk, slowk, slowd), frame), theirs, PERCENT)


def test_the_stochastic_of_a_constant_price_is_zero() -> None:
    values = of_candles(Stochastic(), pd.DataFrame({"close": [5.0] * 20}).pipe(flat))
    assert values[17:] == [(0.0, 0.0)] * 3


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return candles that open, stay and close at one price."""
    return frame.assign(open=frame["close"], high=frame["close"], low=frame["close"])
