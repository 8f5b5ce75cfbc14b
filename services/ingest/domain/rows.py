"""Tick batches as rows of `market_data`."""

from typing import Any

import numpy as np

from libs.events.event import Event
from libs.events.instruments import InstrumentListed
from libs.events.ticks import COLUMN_TYPES, TickBatch

_NO_NAME = ("", "")


class MarketDataRows:
    """Turns tick batches into columns; names come from the instruments listed before."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, str]] = {}

    def __call__(self, event: Event) -> dict[str, Any]:
        """Return the columns of a batch, nothing for other events; times are epoch ms."""
        if isinstance(event, InstrumentListed):
            self._names[event.instrument_token] = (event.exchange, event.tradingsymbol)
        if not isinstance(event, TickBatch):
            return {}
        count = len(event.columns)
        names = [self._names.get(t, _NO_NAME) for t in event.columns.instrument_token.tolist()]
        return {
            **{name: self._column(event, name) for name in COLUMN_TYPES},
            "batch_id": [event.event_id] * count,
            "row": np.arange(count, dtype=np.uint32),
            "exchange": [exchange for exchange, _ in names],
            "tradingsymbol": [tradingsymbol for _, tradingsymbol in names],
            "trading_day": [event.trading_day] * count,
            "received_at": np.full(count, event.received_ms, np.int64),
            "time_is_arrival": np.full(count, event.time_is_arrival, np.uint8),
        }

    def _column(self, event: TickBatch, name: str) -> Any:
        column = getattr(event.columns, name)
        return np.zeros(len(event.columns), COLUMN_TYPES[name]) if column is None else column
