"""Candle events as rows of `historical_data` and `history_fetched`."""

from datetime import date
from typing import Any

import numpy as np

from libs.events.candles import CandleBatch, HistoryFetched
from libs.events.event import Event

_NO_EXPIRY = date(1970, 1, 1)


def historical_data(event: Event) -> dict[str, Any]:
    """Return the columns of a batch; times are epoch milliseconds."""
    if not isinstance(event, CandleBatch):
        return {}
    columns = event.columns
    count = len(columns)
    return {
        "exchange": list(columns.exchange),
        "tradingsymbol": list(columns.tradingsymbol),
        "open": list(columns.open),
        "high": list(columns.high),
        "low": list(columns.low),
        "close": list(columns.close),
        "volume": list(columns.volume),
        "ticks": list(columns.ticks),
        "oi": list(columns.oi),
        "cumulative_volume": list(columns.cumulative_volume),
        "revision": list(columns.revision),
        "event_id": [event.event_id] * count,
        "expiry": [expiry or _NO_EXPIRY for expiry in columns.expiry],
        "interval": [event.interval] * count,
        "opened_at": np.array(columns.opened_ms, np.int64),
        "closes_at": np.array(columns.closes_ms, np.int64),
        "trading_day": [event.trading_day] * count,
        "vwap": [np.nan if vwap is None else vwap for vwap in columns.vwap],
        "source": [event.source] * count,
    }


def history_fetched(event: Event) -> dict[str, Any]:
    """Return the columns of what a broker was asked for, a row a day."""
    if not isinstance(event, HistoryFetched):
        return {}
    count = len(event.days)
    return {
        "origin": [event.origin] * count,
        "exchange": [event.exchange] * count,
        "tradingsymbol": [event.tradingsymbol] * count,
        "expiry": [event.expiry or _NO_EXPIRY] * count,
        "interval": [event.interval] * count,
        "trading_day": list(event.days),
        "asked_on": [event.trading_day] * count,
        "candles": list(event.candles),
        "expected": list(event.expected),
        "event_id": [event.event_id] * count,
    }
