"""Swing highs and lows against a search of every window."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from libs.strategy.harness import make_candles
from libs.strategy.indicators import SwingHigh, SwingLow
from tests.unit.libs.strategy.indicators.series import of_candles, walks

lengths = st.integers(1, 6)


def last_swings(heights: list[float], left: int, right: int) -> list[int | None]:
    """Return which candle is the last swing high known after each."""
    known: list[int | None] = []
    for now in range(len(heights)):
        middle = now - right
        before, after = heights[max(middle - left, 0) : middle], heights[middle + 1 : now + 1]
        is_swing = middle >= left and max(before) < heights[middle] >= max(after)
        known.append(middle if is_swing else (known[-1] if known else None))
    return known


@given(walks(), lengths, lengths)
def test_swings_are_those_of_a_search(frame: pd.DataFrame, left: int, right: int) -> None:
    candles = make_candles(frame)
    highs = last_swings([candle.high for candle in candles], left, right)
    lows = last_swings([-candle.low for candle in candles], left, right)
    assert of_candles(SwingHigh(left, right), candles) == [
        None if at is None else (candles[at].high, candles[at].opened_ms) for at in highs
    ]
    assert of_candles(SwingLow(left, right), candles) == [
        None if at is None else (candles[at].low, candles[at].opened_ms) for at in lows
    ]


def test_a_swing_is_known_when_the_candles_after_it_have_closed() -> None:
    candles = make_candles([5.0, 6.0, 8.0, 7.0, 6.0, 6.0])
    swing = (8.0, candles[2].opened_ms)
    assert of_candles(SwingHigh(), candles) == [None, None, None, None, swing, swing]


def test_of_equal_highs_the_first_is_the_swing() -> None:
    candles = make_candles([5.0, 8.0, 8.0, 5.0, 5.0, 5.0])
    assert of_candles(SwingHigh(1, 1), candles)[-1] == (8.0, candles[1].opened_ms)


def test_a_constant_price_has_no_swing() -> None:
    candles = make_candles([5.0] * 30)
    assert set(of_candles(SwingHigh(), candles) + of_candles(SwingLow(), candles)) == {None}
