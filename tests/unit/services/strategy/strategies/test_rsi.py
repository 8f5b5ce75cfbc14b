"""rsi: its rule by examples, and its signals on a year of recorded candles."""

import pandas as pd
import pytest
import talib

from libs.strategy.harness import make_candles
from services.strategy.domain.strategies.rsi import Rsi
from tests.unit.services.strategy.strategies.recorded import (
    Recorded,
    assert_same,
    expected,
    fed,
    frame_of,
)


@pytest.mark.parametrize(
    ("closes", "signals"),
    [
        pytest.param([100, 99, 98, 99], [(3, "BUY")], id="it buys where it crosses up"),
        pytest.param([100, 101, 102, 101], [(3, "SELL")], id="it sells where it crosses down"),
        pytest.param([100, 99, 98, 97, 96], [], id="a fall alone is no signal"),
        pytest.param(
            [100, 99, 98, 99, 100, 101], [(3, "BUY")], id="it does not buy again while it stays up"
        ),
        pytest.param([100, 99], [], id="before the period is over there is no index"),
    ],
)
def test_a_signal_comes_where_the_index_leaves_its_zone(
    closes: list[float], signals: list[tuple[int, str]]
) -> None:
    candles = make_candles(closes)
    made = fed(Rsi(period=2, history_needed=0), candles)
    opened = {candle.candle_id: number for number, candle in enumerate(candles)}
    assert [(opened[one.correlation_id], one.action) for one in made] == signals


def test_at_the_level_it_has_not_crossed_and_from_the_level_it_crosses() -> None:
    rising = make_candles([100, 99, 98, 99, 100])  # indices: 0, 50, 75
    (buy,) = fed(Rsi(period=2, oversold=50, overbought=99, history_needed=0), rising)
    assert (buy.action, buy.price, buy.indicators) == ("BUY", 100, {"rsi": 75.0})
    falling = make_candles([100, 101, 102, 101, 100])  # indices: 100, 50, 25
    (sell,) = fed(Rsi(period=2, oversold=1, overbought=50, history_needed=0), falling)
    assert (sell.action, sell.price, sell.indicators) == ("SELL", 100, {"rsi": 25.0})


def test_target_and_stop_are_percentages_of_the_close() -> None:
    candles = make_candles([100, 99, 98, 100])
    (buy,) = fed(Rsi(period=2, target_percent=3, stop_percent=0.5, history_needed=0), candles)
    assert buy.target == pytest.approx(103)
    assert buy.stop_loss == pytest.approx(99.5)
    assert buy.confidence == 0.7


def test_its_signals_are_where_the_index_of_talib_crosses(market: Recorded) -> None:
    close = market.frame["close"]
    index = pd.Series(talib.RSI(close.to_numpy(), 14))
    buys = (index > 30) & (index.shift() <= 30)
    sells = (index < 70) & (index.shift() >= 70)
    sign = buys.astype(int) - sells.astype(int)
    theirs = expected(
        market.frame,
        buys=buys,
        sells=sells,
        history=150,
        price=close,
        stop_loss=close * (1 - 0.01 * sign),
        target=close * (1 + 0.02 * sign),
    )
    assert_same(frame_of(fed(Rsi(), market.candles)), theirs, least=100)
