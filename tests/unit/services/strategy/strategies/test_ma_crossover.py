"""ma_crossover on a year of recorded candles."""

from services.strategy.domain.strategies.ma_crossover import MaCrossover
from tests.unit.services.strategy.strategies.recorded import (
    Recorded,
    assert_same,
    expected,
    fed,
    frame_of,
)


def test_its_signals_are_where_pandas_averages_cross(market: Recorded) -> None:
    close = market.frame["close"]
    fast = close.ewm(span=9, adjust=False).mean()
    slow = close.ewm(span=21, adjust=False).mean()
    buys = (fast > slow) & (fast.shift() <= slow.shift())
    sells = (fast < slow) & (fast.shift() >= slow.shift())
    sign = buys.astype(int) - sells.astype(int)
    theirs = expected(
        market.frame,
        buys=buys,
        sells=sells,
        history=50,
        price=close,
        stop_loss=close * (1 - 0.01 * sign),
        target=close * (1 + 0.02 * sign),
    )
    assert_same(frame_of(fed(MaCrossover(), market.candles)), theirs, least=200)
