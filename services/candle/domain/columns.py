"""Candle values as the columns of an event."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.candles import CandleColumns
from libs.market.instruments import Instrument
from services.candle.domain.minute_candles import CandleValues
from services.candle.domain.schedule import Schedule, Span

_NAMES = ("exchange", "tradingsymbol", "expiry", "instrument_token")
_SAME_NAME = ("open", "high", "low", "close", "volume", "ticks", "oi", "cumulative_volume")


class Names:
    """What an event says of each instrument, by row."""

    def __init__(self) -> None:
        self._columns: Mapping[str, NDArray[Any]] = {name: np.empty(0, object) for name in _NAMES}

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Add rows at the end."""
        added = list(instruments)
        for name, column in self._columns.items():
            more = np.array([getattr(one, name) for one in added], object)
            self._columns = {**self._columns, name: np.concatenate([column, more])}

    def of(self, name: str, rows: NDArray[Any]) -> tuple[Any, ...]:
        """Return a column of some rows."""
        return tuple(self._columns[name][rows].tolist())


def candle_columns(
    schedule: Schedule,
    names: Names,
    span: Span,
    values: CandleValues,
    revisions: Sequence[int],
) -> CandleColumns:
    """Return the columns of one span's candles."""
    vwap = values.vwap.astype(object)
    vwap[np.isnan(values.vwap)] = None
    return CandleColumns(
        opened_ms=(schedule.start_ms(span.start),) * len(values),
        closes_ms=(schedule.start_ms(span.stop),) * len(values),
        vwap=tuple(vwap.tolist()),
        revision=tuple(revisions),
        **{name: names.of(name, values.row) for name in _NAMES},
        **{name: tuple(getattr(values, name).tolist()) for name in _SAME_NAME},
    )
