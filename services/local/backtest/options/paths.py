"""The bid of a bought contract after its entry: by the model along candles, or as recorded."""

from decimal import Decimal

import numpy as np

from libs.events.instruments import Contract
from libs.market.arrays import FloatArray, IntArray
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.spans import trading_days
from services.local.backtest.options.chains import Recording
from services.local.backtest.options.exits import Path
from services.local.backtest.options.model import Terms, bid_and_ask, mid
from services.local.backtest.options.rules import PriceModel


def path_by_model(
    history: CandleHistory, candles: slice, volatility: FloatArray, terms: Terms, model: PriceModel
) -> Path:
    """Price each candle's open at its opening, and its extremes and close at its end.

    At the end less time is left, so that both extremes are priced cautiously.
    """
    low, high = history.low[candles], history.high[candles]
    against, favourable = (low, high) if terms.is_call else (high, low)
    spot = np.stack((history.open[candles], against, favourable, history.close[candles]), axis=1)
    opened, closes = history.opened_ms[candles], history.closes_ms[candles]
    at_ms = np.stack((opened, closes, closes, closes), axis=1).reshape(-1)
    value = mid(terms, spot.reshape(-1), at_ms, np.repeat(volatility[candles], 4))
    bid, _ = bid_and_ask(value, terms.tick_size, model)
    return Path(
        at_ms=at_ms,
        bid=bid,
        is_quote=np.tile([True, False, False, False], len(opened)),
        is_close=np.tile([False, False, False, True], len(opened)),
        day=np.repeat(history.trading_day[candles], 4),
    )


def path_recorded(
    recording: Recording, contract: Contract, entered_ms: int, until_ms: int, within_ms: int
) -> Path:
    """Return the recorded bids up to a time, that which holds at the entry first."""
    is_call = contract.instrument_type == "CE"
    times, rupees = recording.bids(
        contract.expiry, contract.strike, is_call, entered_ms - within_ms - 1, until_ms
    )
    holds = max(int(np.searchsorted(times, entered_ms, side="right")) - 1, 0)
    at_ms = np.maximum(times[holds:], entered_ms)
    every = np.ones(len(at_ms), np.bool_)
    return Path(
        at_ms=at_ms,
        bid=in_ticks(rupees[holds:], contract.tick_size),
        is_quote=every,
        is_close=every,
        day=trading_days(at_ms),
    )


def in_ticks(rupees: FloatArray, tick_size: Decimal) -> IntArray:
    """Return prices in ticks, the nearest ones."""
    return np.rint(rupees / float(tick_size)).astype(np.int64)
