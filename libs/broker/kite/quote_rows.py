"""Kite's quotes by request as ticks."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.mapping import Row, epoch_ms
from libs.events.ticks import COLUMN_TYPES, TickColumns

_COUNTS = {
    "last_traded_quantity": "last_quantity",
    "volume_traded": "volume",
    "total_buy_quantity": "buy_quantity",
    "total_sell_quantity": "sell_quantity",
    "oi": "oi",
}
"""Our name → Kite's in a quote."""


def ticks_of(rows: Iterable[Row], without_time_ms: int) -> TickColumns:
    """Return quotes as ticks, those without a time with this one; an index has no volume.

    A row that cannot be read is left out; ReplyUnreadable if none can.
    """
    asked, read = list(rows), list[dict[str, float]]()
    for row in asked:
        try:
            read.append(_tick(row, without_time_ms))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
            continue
    if asked and not read:
        raise ReplyUnreadable("none of Kite's quotes can be read")
    columns = {
        name: np.array([one[name] for one in read], kind) for name, kind in COLUMN_TYPES.items()
    }
    return TickColumns(**columns)


def _tick(row: Row, without_time_ms: int) -> dict[str, float]:
    at_ms = epoch_ms(row.get("timestamp"))
    best = {side: _best(row.get("depth"), side) for side in ("buy", "sell")}
    tick: dict[str, float] = {
        "instrument_token": int(row["instrument_token"]),
        "exchange_timestamp": without_time_ms if at_ms is None else at_ms,
        "last_price": float(row["last_price"]),
        "average_traded_price": float(row.get("average_price") or 0.0),
        "bid_price": float(best["buy"].get("price", 0.0)),
        "bid_quantity": int(best["buy"].get("quantity", 0)),
        "ask_price": float(best["sell"].get("price", 0.0)),
        "ask_quantity": int(best["sell"].get("quantity", 0)),
        "last_trade_time": epoch_ms(row.get("last_trade_time")) or 0,
        "open_price": float((row.get("ohlc") or {}).get("open") or 0.0),
    }
    return tick | {name: int(row.get(theirs) or 0) for name, theirs in _COUNTS.items()}


def _best(depth: object, side: str) -> Mapping[str, Any]:
    """Return the best level of a side, nothing where there is none."""
    levels = depth.get(side) if isinstance(depth, Mapping) else None
    best: Mapping[str, Any] = levels[0] if levels else {}
    return best
