"""A made year of 15-minute candles: the market of the backtest's benches."""

from datetime import date

import numpy as np

from libs.market.calendar import load_calendar
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.spans import trading_days

FIRST, LAST, STEP_MS = date(2025, 1, 1), date(2025, 12, 31), 15 * 60_000
SYMBOLS = ("RELIANCE", "SBIN", "INFY", "TCS", "ITC")


def opens() -> np.ndarray:
    """Return when each candle of the year's usual sessions opens, epoch ms."""
    calendar = load_calendar()
    days = np.arange(FIRST.isoformat(), LAST.isoformat(), dtype="datetime64[D]").tolist()
    sessions = [one for day in days for one in calendar.sessions("NSE", day)]
    return np.concatenate([np.arange(one.open_ms, one.close_ms, STEP_MS) for one in sessions])


def history(symbol: str, seed: int) -> CandleHistory:
    """Return a random walk of 0.25 % a candle, in steps of 0.05."""
    chance, opened_ms = np.random.default_rng(seed), opens()
    count = len(opened_ms)
    close = 1000 * np.exp(np.cumsum(chance.normal(0, 0.0025, count)))
    close = np.round(close * 20) / 20
    opened = np.r_[close[0], close[:-1]]
    reach = np.round(np.abs(chance.normal(0, 0.0015, (2, count))) * close * 20) / 20
    return CandleHistory(
        exchange="NSE",
        tradingsymbol=symbol,
        interval="15m",
        opened_ms=opened_ms,
        closes_ms=opened_ms + STEP_MS,
        open=opened,
        high=np.maximum(opened, close) + reach[0],
        low=np.minimum(opened, close) - reach[1],
        close=close,
        volume=chance.integers(1, 10_000, count),
        vwap=np.full(count, np.nan),
        trading_day=trading_days(opened_ms),
    )


def year() -> list[CandleHistory]:
    """Return the year of five shares."""
    return [history(symbol, seed) for seed, symbol in enumerate(SYMBOLS, 1)]
