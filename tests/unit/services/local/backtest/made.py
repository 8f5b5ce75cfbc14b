"""Histories and signals made from a seed."""

from datetime import date
from typing import Any

import numpy as np

from libs.events.candles import Interval
from libs.events.signals import StrategySignal
from libs.strategy.harness import make_candles
from libs.strategy.strategy import Strategy
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.spans import trading_days

FIRST_DAY = date(2024, 9, 25)
"""Within its days the rates of October 2024 come into force."""


def history_of(
    rows: Any, interval: Interval = "15m", symbol: str = "RELIANCE", first_day: date = FIRST_DAY
) -> CandleHistory:
    """Return rows, as `make_candles` takes them, as a history without gaps."""
    candles = make_candles(rows, interval, tradingsymbol=symbol, first_day=first_day)
    columns = {
        name: np.array([getattr(one, name) for one in candles])
        for name in ("opened_ms", "closes_ms", "open", "high", "low", "close", "volume")
    }
    return CandleHistory(
        exchange="NSE",
        tradingsymbol=symbol,
        interval=interval,
        **columns,
        vwap=np.full(len(candles), np.nan),
        trading_day=trading_days(columns["opened_ms"]),
    )


def random_history(
    seed: int, count: int, interval: Interval = "15m", symbol: str = "RELIANCE"
) -> CandleHistory:
    """Return a random walk in steps of 0.05; some candles are missing, some opens out of range."""
    random = np.random.default_rng(seed)
    close = 100 + np.cumsum(random.integers(-20, 21, count)) * 0.05
    close = np.round(np.abs(close) + 20, 2)
    opened = np.round(np.r_[close[0], close[:-1]] + random.integers(-10, 11, count) * 0.05, 2)
    high = np.round(np.maximum(opened, close) + random.integers(0, 15, count) * 0.05, 2)
    low = np.round(np.minimum(opened, close) - random.integers(0, 15, count) * 0.05, 2)
    volume = random.integers(0, 1000, count)
    whole = history_of(np.stack((opened, high, low, close, volume), axis=1), interval, symbol)
    kept = np.sort(random.permutation(count)[: count - count // 20])
    shifted = random.random(len(kept)) < 0.05
    columns = {
        name: getattr(whole, name)[kept]
        for name in CandleHistory.__slots__
        if isinstance(getattr(whole, name), np.ndarray)
    }
    columns["open"] = np.where(shifted, columns["high"] + 0.3, columns["open"]).round(2)
    return CandleHistory("NSE", symbol, interval, **columns)


class Silent(Strategy):
    """Makes the signals of tests; it has none of its own."""

    name = "silent"
    history_needed = 0

    def on_candle(self, candle: object) -> None:
        return None


def random_signals(seed: int, history: CandleHistory, one_in: int = 6) -> list[StrategySignal]:
    """Return a signal on about every so many candles; levels near or far, some soon passed."""
    random, strategy = np.random.default_rng(seed), Silent()
    signals = []
    for candle in history.candles():
        if random.integers(one_in):
            continue
        near, far = (candle.close * float(random.choice([0.001, 0.004, 0.03])) for _ in range(2))
        buys = bool(random.integers(2))
        levels: dict[str, float] = {
            "stop_loss": candle.close - near if buys else candle.close + near,
            "target": candle.close + far if buys else candle.close - far,
        }
        make = strategy.buy if buys else strategy.sell
        signals.append(make(candle, **levels, confidence=0.9))  # type: ignore[arg-type]
    return signals
