"""Histories of candles for tests of the backtest."""

from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from libs.events.candles import Candle
from libs.strategy.harness import make_candles
from services.local.backtest.candles.history import CandleHistory

FIRST_DAY = date(2024, 1, 1)


def history_of(rows: ArrayLike, tradingsymbol: str = "RELIANCE") -> CandleHistory:
    """Return 15-minute candles from closes, or from rows of open, high, low, close and volume."""
    values = np.asarray(rows, float).tolist()
    return history_from(make_candles(values, "15m", "NSE", tradingsymbol, FIRST_DAY))


def history_from(candles: tuple[Candle, ...]) -> CandleHistory:
    """Return candles of one instrument as a history."""
    return CandleHistory(
        candles[0].exchange,
        candles[0].tradingsymbol,
        candles[0].interval,
        opened_ms=np.array([one.opened_ms for one in candles]),
        closes_ms=np.array([one.closes_ms for one in candles]),
        open=np.array([one.open for one in candles], float),
        high=np.array([one.high for one in candles], float),
        low=np.array([one.low for one in candles], float),
        close=np.array([one.close for one in candles], float),
        volume=np.array([one.volume for one in candles]),
        vwap=np.full(len(candles), np.nan),
        trading_day=np.array([one.trading_day for one in candles], "datetime64[D]"),
    )


def random_walk(count: int, seed: int = 7) -> CandleHistory:
    """Return candles whose closes wander, always the same for a seed."""
    steps = np.random.default_rng(seed).normal(0.0, 0.003, count)
    return history_of(1000.0 * np.exp(np.cumsum(steps)))
