"""supertrend: its rule by examples, and a year of recorded candles of 15 and 60 minutes."""

import numpy as np
import pandas as pd
import pytest
import talib

from libs.events.candles import Candle
from libs.strategy.harness import make_candles
from services.strategy.domain.strategies.supertrend import Supertrend
from tests.unit.services.strategy.strategies.recorded import (
    Recorded,
    assert_same,
    expected,
    fed,
    frame_of,
)

FALL_AND_RISE: list[float] = [100, 99, 98, 97, 96, 104, 106]
UP: list[float] = [100, 99, 98, 99, 108, 110]
"""With a period of 2 and a multiplier of 1 the trend turns up at the second last of each."""


def taken(closes: list[float], higher: list[float]) -> list[tuple[str, float]]:
    """Feed closes of 60 minutes first, then those of 15 minutes."""
    strategy = Supertrend(period=2, multiplier=1.0, history_needed=0)
    candles: list[Candle] = [*make_candles(higher, "60m"), *make_candles(closes)]
    return [(one.action, one.price) for one in fed(strategy, candles)]


def test_a_turn_up_buys_while_the_higher_trend_is_up() -> None:
    assert taken(FALL_AND_RISE, UP) == [("BUY", 104)]


def test_a_turn_up_is_no_signal_while_the_higher_trend_is_down() -> None:
    assert taken(FALL_AND_RISE, [100, 99, 98, 97, 96]) == []


def test_a_turn_up_is_no_signal_before_the_higher_trend_is_known() -> None:
    assert taken(FALL_AND_RISE, [100, 110]) == []


def test_a_turn_down_sells_while_the_higher_trend_is_down() -> None:
    assert taken([*FALL_AND_RISE, 96], [100, 99, 98, 97, 96]) == [("SELL", 96)]


def test_the_first_known_trend_is_no_turn() -> None:
    assert taken([100, 99, 98], [100, 99, 98, 97]) == []


def test_the_stop_is_the_level_and_the_target_twice_as_far() -> None:
    strategy = Supertrend(period=2, multiplier=1.0, history_needed=0)
    (buy,) = fed(strategy, [*make_candles(UP, "60m"), *make_candles(FALL_AND_RISE)])
    assert buy.stop_loss == buy.indicators["supertrend"]
    assert buy.target - buy.price == pytest.approx(2 * (buy.price - buy.stop_loss))


def test_a_higher_interval_that_is_not_longer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"higher \(15m\) must be longer than interval \(15m\)"):
        Supertrend(interval="15m", higher="15m")


def super_trend(frame: pd.DataFrame, period: int = 10, factor: float = 3.0) -> pd.DataFrame:
    """Return level and direction as TradingView's formula says, with TA-Lib's average range."""
    high, low, close = (frame[name].to_numpy() for name in ("high", "low", "close"))
    reach, middle = talib.ATR(high, low, close, period), (high + low) / 2
    upper, lower = middle + factor * reach, middle - factor * reach
    direction = np.zeros(len(close), int)
    direction[period] = -1
    for i in range(period + 1, len(close)):
        lower[i] = (
            lower[i] if lower[i] > lower[i - 1] or close[i - 1] < lower[i - 1] else lower[i - 1]
        )
        upper[i] = (
            upper[i] if upper[i] < upper[i - 1] or close[i - 1] > upper[i - 1] else upper[i - 1]
        )
        was_down = direction[i - 1] < 0
        direction[i] = (
            (1 if close[i] > upper[i] else -1) if was_down else (-1 if close[i] < lower[i] else 1)
        )
    return pd.DataFrame({"level": np.where(direction > 0, lower, upper), "direction": direction})


def test_its_signals_are_the_turns_along_with_the_last_closed_hour(market: Recorded) -> None:
    frame, hours = market.frame, market.hours
    own = super_trend(frame)
    higher = pd.DataFrame({"closes": hours["closes"], "higher": super_trend(hours)["direction"]})
    seen = pd.merge_asof(frame[["closes"]], higher, on="closes", allow_exact_matches=False)[
        "higher"
    ].fillna(0)
    before = own["direction"].shift(fill_value=0)
    turned = (own["direction"] != before) & (before != 0) & (own["direction"] == seen)
    close = frame["close"]
    theirs = expected(
        frame,
        buys=turned & (own["direction"] > 0) & (close > own["level"]),
        sells=turned & (own["direction"] < 0) & (close < own["level"]),
        history=300,
        price=close,
        stop_loss=own["level"],
        target=close + 2 * (close - own["level"]),
    )
    assert_same(frame_of(fed(Supertrend(), market.both)), theirs, least=20)
