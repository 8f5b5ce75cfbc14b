"""vwap_reversion: its rule by examples, and a year of recorded candles."""

import numpy as np
import pandas as pd
import pytest
import talib

from libs.events.candles import Candle
from libs.strategy.harness import make_candles
from services.strategy.domain.strategies.vwap_reversion import VwapReversion
from tests.unit.services.strategy.strategies.recorded import (
    Recorded,
    assert_same,
    expected,
    fed,
    frame_of,
)

QUIET = [100.0, 101.0, 100.0, 101.0, 100.0, 101.0]


def candles(closes: list[float], volume: int = 10) -> tuple[Candle, ...]:
    """Candles of flat prices; a range is the distance from one to the next."""
    return make_candles([(close, close, close, close, volume) for close in closes])


def strategy(entry_atrs: float = 1.0) -> VwapReversion:
    return VwapReversion(atr_period=5, entry_atrs=entry_atrs, history_needed=0)


def test_a_price_that_comes_back_from_far_below_the_average_buys() -> None:
    # The VWAP after them is 100.125 of the first eight, then falls.
    made = fed(strategy(), candles([*QUIET, 97.0, 98.9]))
    (buy,) = made
    assert (buy.action, buy.price) == ("BUY", 98.9)
    assert buy.target == pytest.approx((603 + 97 + 98.9) / 8)
    reach = buy.indicators["atr"]
    assert buy.stop_loss == pytest.approx(98.9 - reach)
    assert (98.9 - buy.target) / reach > -1


def test_a_price_that_comes_back_from_far_above_the_average_sells() -> None:
    (sell,) = fed(strategy(), candles([*QUIET, 104.0, 102.1]))
    assert (sell.action, sell.price) == ("SELL", 102.1)
    assert sell.target < sell.price < sell.stop_loss


def test_a_price_that_goes_on_falling_is_no_signal() -> None:
    assert fed(strategy(), candles([*QUIET, 97.0, 90.0])) == []


def test_a_price_that_was_never_far_enough_is_no_signal() -> None:
    assert fed(strategy(entry_atrs=3.0), candles([*QUIET, 97.0, 98.9])) == []


def test_a_price_that_comes_back_beyond_the_average_is_no_signal() -> None:
    assert fed(strategy(), candles([*QUIET, 97.0, 101.0])) == []


def test_a_distance_of_the_session_before_is_no_signal() -> None:
    # 25 candles of 15 minutes are a session.
    quiet = [100.0, 101.0] * 12
    assert fed(strategy(), candles([*quiet, 97.0, 98.9])) == []
    assert len(fed(strategy(), candles([*quiet[1:], 97.0, 98.9]))) == 1


def test_an_index_has_no_volume_so_no_signal() -> None:
    assert fed(strategy(), candles([*QUIET, 97.0, 98.9], volume=0)) == []


def test_its_signals_are_the_returns_of_a_distance_by_pandas_and_talib(market: Recorded) -> None:
    frame = market.frame
    close, day, volume = frame["close"], frame["day"], frame["volume"].astype(float)
    typical = frame[["high", "low", "close"]].mean(axis=1)
    bought = volume.groupby(day).cumsum()
    vwap = (typical * volume).groupby(day).cumsum() / bought.where(bought > 0)
    high, low = frame["high"].to_numpy(), frame["low"].to_numpy()
    reach = pd.Series(talib.ATR(high, low, close.to_numpy(), 14))
    distance = (close - vwap) / reach
    before = distance.groupby(day).shift()
    buys = (before <= -2) & (distance > -2) & (distance < 0)
    sells = (before >= 2) & (distance < 2) & (distance > 0)
    theirs = expected(
        frame,
        buys=buys,
        sells=sells,
        history=150,
        price=close,
        stop_loss=close + pd.Series(np.where(buys, -reach, reach)),
        target=vwap,
    )
    ours = frame_of(fed(VwapReversion(), market.candles))
    if volume.sum() == 0:
        assert len(ours) == len(theirs) == 0
    else:
        assert_same(ours, theirs, least=50)
