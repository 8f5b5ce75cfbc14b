"""Tick batches as rows of `market_data`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.event import Event
from libs.events.instruments import InstrumentListed
from libs.events.ticks import COLUMN_TYPES, TickBatch

_NameTable = tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]


class MarketDataRows:
    """Turns tick batches into columns; names come from the instruments listed before."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, str]] = {}
        self._table: _NameTable | None = None

    def __call__(self, event: Event) -> dict[str, Any]:
        """Return the columns of a batch, nothing for other events; times are epoch ms.

        An unlisted instrument has empty names.
        """
        if isinstance(event, InstrumentListed):
            self._names[event.instrument_token] = (event.exchange, event.tradingsymbol)
            self._table = None
        if not isinstance(event, TickBatch):
            return {}
        if self._table is None:
            self._table = _name_table(self._names)
        count = len(event.columns)
        tokens, exchanges, tradingsymbols = self._table
        at = np.searchsorted(tokens, event.columns.instrument_token)
        at = np.where(tokens[at] == event.columns.instrument_token, at, len(tokens) - 1)
        return {
            **{
                name: np.zeros(count, COLUMN_TYPES[name]) if column is None else column
                for name, column in event.columns.columns().items()
            },
            "batch_id": np.full(count, event.event_id, object),
            "row": np.arange(count, dtype=np.uint32),
            "exchange": exchanges[at],
            "tradingsymbol": tradingsymbols[at],
            "trading_day": np.full(count, event.trading_day, "M8[D]"),
            "received_at": np.full(count, event.received_ms, np.int64),
            "time_is_arrival": np.full(count, event.time_is_arrival, np.uint8),
        }


def _name_table(names: dict[int, tuple[str, str]]) -> _NameTable:
    """Return tokens ascending, and their names; the last row is for tokens that are not listed."""
    tokens = sorted(names)
    listed = [names[token] for token in tokens]
    beyond = np.iinfo(np.int64).max
    return (
        np.array([*tokens, beyond], np.int64),
        np.array([*(exchange for exchange, _ in listed), ""], object),
        np.array([*(tradingsymbol for _, tradingsymbol in listed), ""], object),
    )
