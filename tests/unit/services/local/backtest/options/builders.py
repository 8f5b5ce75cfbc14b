"""Candles and signals for the tests of trades in options."""

import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from libs.events.candles import MINUTES, Interval
from libs.events.event import identity, ms_from_utc, utc_from_ms
from libs.events.signals import Action, StrategySignal
from libs.market.calendar import IST, load_calendar
from libs.market.instruments import underlying_name
from services.local.backtest.candles.history import CandleHistory
from tests.conftest import RECORDED_DATA

REPOSITORY = Path(__file__).parents[6]
DAY = date(2024, 6, 19)
"""A Wednesday on which NIFTY's next expiry is that of the day after, 2024-06-20."""

Bar = tuple[float, float, float, float]


def at(hour: int, minute: int, day: date = DAY) -> int:
    """Epoch ms of a time in India."""
    return ms_from_utc(datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST))


def history(
    days: Mapping[date, Sequence[Bar]], tradingsymbol: str = "NIFTY 50", interval: Interval = "15m"
) -> CandleHistory:
    """Candles (open, high, low, close) of each day from 09:15 on."""
    step = MINUTES[interval] * 60_000
    opened = [at(9, 15, day) + n * step for day, bars in days.items() for n in range(len(bars))]
    prices = np.array([bar for bars in days.values() for bar in bars], np.float64)
    of_day = [day for day, bars in days.items() for _ in bars]
    opened_ms = np.array(opened, np.int64)
    return CandleHistory(
        exchange="NSE",
        tradingsymbol=tradingsymbol,
        interval=interval,
        opened_ms=opened_ms,
        closes_ms=opened_ms + step,
        open=prices[:, 0],
        high=prices[:, 1],
        low=prices[:, 2],
        close=prices[:, 3],
        volume=np.zeros(len(opened), np.int64),
        vwap=np.full(len(opened), np.nan),
        trading_day=np.array(of_day, "datetime64[D]"),
    )


def cut(whole: CandleHistory, count: int) -> CandleHistory:
    """The first candles of a history."""
    columns = ("opened_ms", "closes_ms", "open", "high", "low", "close", "volume", "vwap")
    parts = {name: getattr(whole, name)[:count] for name in (*columns, "trading_day")}
    return CandleHistory(whole.exchange, whole.tradingsymbol, whole.interval, **parts)


def flat(price: float = 23_500.0, count: int = 25) -> list[Bar]:
    return [(price, price, price, price)] * count


def trading_days(first: date, count: int) -> list[date]:
    days, calendar = [first], load_calendar()
    while len(days) < count:
        days.append(calendar.next_trading_day("NFO", days[-1]))
    return days


def signal(
    of: CandleHistory, candle: int, action: Action = "BUY", **changes: Any
) -> StrategySignal:
    """A signal on the close of a candle, with a target 2 % and a stop 1 % away."""
    price, sign = float(of.close[candle]), 1 if action == "BUY" else -1
    closed = utc_from_ms(int(of.closes_ms[candle]))
    fields: dict[str, Any] = {
        "event_id": identity("test signal", of.key, candle, action),
        "occurred_at": closed,
        "trading_day": of.trading_day[candle].item(),
        "correlation_id": identity("test candle", of.key, candle),
        "strategy": "ma_crossover",
        "strategy_version": "1",
        "parameters": {},
        "exchange": of.exchange,
        "tradingsymbol": of.tradingsymbol,
        "underlying": underlying_name(of.tradingsymbol),
        "interval": of.interval,
        "candle_opened_at": utc_from_ms(int(of.opened_ms[candle])),
        "candle_closed_at": closed,
        "action": action,
        "price": price,
        "stop_loss": price * (1 - 0.01 * sign),
        "target": price * (1 + 0.02 * sign),
        "confidence": 0.85,
        "expected_move": 2.0,
        "indicators": {},
    }
    return StrategySignal(**(fields | changes))


def random_history(seed: int, days: Sequence[date], move: float) -> CandleHistory:
    """A random walk; `move` is the usual change within a candle as a fraction."""
    rng = np.random.default_rng(seed)
    bars: dict[date, list[Bar]] = {}
    price = 23_500.0
    for day in days:
        bars[day] = []
        price *= float(np.exp(rng.normal(0, 3 * move)))
        for _ in range(25):
            path = price * np.exp(np.cumsum(rng.normal(0, move / 2, 4)))
            rounded = [round(value, 2) for value in (price, *path.tolist())]
            bars[day].append((rounded[0], max(rounded), min(rounded), rounded[-1]))
            price = rounded[-1]
    return history(bars)


def crossings(of: CandleHistory, fast: int = 5, slow: int = 12) -> list[StrategySignal]:
    """Signals where two averages cross."""
    close = pd.Series(of.close)
    above = close.ewm(span=fast, adjust=False).mean() > close.ewm(span=slow, adjust=False).mean()
    changed = np.flatnonzero(above.to_numpy()[1:] != above.to_numpy()[:-1]) + 1
    return [signal(of, int(n), "BUY" if above[n] else "SELL") for n in changed]


def recorded(name: str) -> Path:
    """Path of a recorded file; skips the test where the data is absent."""
    default = REPOSITORY.parent / "shared" / "data"
    file = Path(os.environ.get(RECORDED_DATA, default)) / name
    if not file.exists():
        pytest.skip(f"recorded market data is absent: {name}; set {RECORDED_DATA}")
    return file


def recorded_candles(name: str, tradingsymbol: str) -> CandleHistory:
    """The 15-minute candles of a recorded file."""
    table = pd.read_csv(recorded(f"nse_15min/{name}"))
    local = pd.to_datetime(table["timestamp"]).to_numpy("datetime64[ms]")
    opened_ms = local.astype(np.int64) - 19_800_000
    prices = {of: table[of].to_numpy(np.float64) for of in ("open", "high", "low", "close")}
    return CandleHistory(
        exchange="NSE",
        tradingsymbol=tradingsymbol,
        interval="15m",
        opened_ms=opened_ms,
        closes_ms=opened_ms + 900_000,
        **prices,
        volume=table["volume"].to_numpy(np.int64),
        vwap=np.full(len(table), np.nan),
        trading_day=cast(Any, local.astype("datetime64[D]")),
    )
