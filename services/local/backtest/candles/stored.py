"""Candles from the database: those that the services stored."""

from collections.abc import Sequence, Set
from typing import Any

import numpy as np

from libs.events.candles import Interval
from libs.market.names import unknown
from libs.market.naming import tradingsymbol_of
from libs.store.store import Store
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.naming import EXCHANGE
from services.local.backtest.errors import BacktestError

_KEYS = """
SELECT DISTINCT exchange, tradingsymbol FROM historical_data FINAL WHERE interval = %(interval)s
"""
_CANDLES = """
SELECT opened_at, closes_at, trading_day, open, high, low, close, volume, vwap
FROM historical_data FINAL
WHERE exchange = %(exchange)s AND tradingsymbol = %(tradingsymbol)s AND interval = %(interval)s
ORDER BY opened_at, source
LIMIT 1 BY opened_at
"""
"""Where a candle is stored twice, that of the broker ("backfill") comes before our own ("live")."""


def key_of(symbol: str) -> tuple[str, str]:
    """Return exchange and tradingsymbol of `RELIANCE`, `BSE:SBIN` or `NIFTYBANK`."""
    exchange, _, name = symbol.strip().rpartition(":")
    return exchange or EXCHANGE, tradingsymbol_of(name)


async def stored_candles(
    store: Store, symbols: Sequence[str], interval: Interval
) -> tuple[CandleHistory, ...]:
    """Return the stored candles of instruments, by key; BacktestError for one without any."""
    found = await store.query(_KEYS, {"interval": interval})
    known = set(zip(found["exchange"], found["tradingsymbol"], strict=True))
    wanted = sorted({_stored_key(symbol, known) for symbol in symbols})
    for key in wanted:
        if key not in known:
            raise BacktestError(_none_of(key, known, interval))
    return tuple([await _history(store, key, interval) for key in wanted])


def _stored_key(symbol: str, known: Set[tuple[str, str]]) -> tuple[str, str]:
    """Return the key of a symbol; a name that is stored as it is written comes before an alias."""
    exchange, _, name = symbol.strip().rpartition(":")
    written = exchange or EXCHANGE, name
    return written if written in known else key_of(symbol)


def _none_of(key: tuple[str, str], known: set[tuple[str, str]], interval: Interval) -> str:
    if not known:
        return f"no candles of {interval} are stored; give the path of a file or folder instead"
    names = sorted(":".join(one) for one in known)
    return f"{unknown(':'.join(key), names)} ({interval} candles that are stored)"


async def _history(store: Store, key: tuple[str, str], interval: Interval) -> CandleHistory:
    exchange, symbol = key
    parameters = {"exchange": exchange, "tradingsymbol": symbol, "interval": interval}
    columns = await store.query_numpy(_CANDLES, parameters)
    prices = {name: columns[name].astype(np.float64) for name in _FLOATS}
    return CandleHistory(
        exchange=exchange,
        tradingsymbol=symbol,
        interval=interval,
        opened_ms=_ms(columns["opened_at"]),
        closes_ms=_ms(columns["closes_at"]),
        **prices,
        volume=columns["volume"].astype(np.int64),
        trading_day=columns["trading_day"].astype("datetime64[D]"),
    )


_FLOATS = ("open", "high", "low", "close", "vwap")


def _ms(times: "np.ndarray[Any, np.dtype[Any]]") -> "np.ndarray[Any, np.dtype[np.int64]]":
    return times.astype("datetime64[ms]").astype(np.int64)
