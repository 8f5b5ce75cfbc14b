"""Candle values as the columns of an event."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.events.candles import CandleColumns
from libs.market.instruments import Instrument
from services.candle.domain.minute_candles import CandleValues
from services.candle.domain.schedule import Schedule, Span


class Names:
    """The instruments' columns of candle events, by row."""

    def __init__(self) -> None:
        self.exchange: NDArray[Any] = np.empty(0, object)
        self.tradingsymbol: NDArray[Any] = np.empty(0, object)
        self.expiry: NDArray[Any] = np.empty(0, object)
        self.instrument_token: NDArray[Any] = np.empty(0, object)

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Add rows at the end."""
        added = list(instruments)
        self.exchange = _extended(self.exchange, [one.exchange for one in added])
        self.tradingsymbol = _extended(self.tradingsymbol, [one.tradingsymbol for one in added])
        self.expiry = _extended(self.expiry, [one.expiry for one in added])
        tokens = [one.instrument_token for one in added]
        self.instrument_token = _extended(self.instrument_token, tokens)


def candle_columns(
    schedule: Schedule,
    names: Names,
    span: Span,
    values: CandleValues,
    revisions: Sequence[int],
) -> CandleColumns:
    """Return the columns of one span's candles."""
    rows, count = values.row, len(values)
    vwap = values.vwap.astype(object)
    vwap[np.isnan(values.vwap)] = None
    return CandleColumns(
        exchange=_tuple(names.exchange[rows]),
        tradingsymbol=_tuple(names.tradingsymbol[rows]),
        expiry=_tuple(names.expiry[rows]),
        instrument_token=_tuple(names.instrument_token[rows]),
        opened_ms=(schedule.start_ms(span.start),) * count,
        closes_ms=(schedule.start_ms(span.stop),) * count,
        open=_tuple(values.open),
        high=_tuple(values.high),
        low=_tuple(values.low),
        close=_tuple(values.close),
        volume=_tuple(values.volume),
        vwap=_tuple(vwap),
        ticks=_tuple(values.ticks),
        oi=_tuple(values.oi),
        cumulative_volume=_tuple(values.cumulative_volume),
        revision=tuple(revisions),
    )


def _tuple(column: NDArray[Any]) -> tuple[Any, ...]:
    return tuple(column.tolist())


def _extended(column: NDArray[Any], more: Sequence[object]) -> NDArray[Any]:
    return np.concatenate([column, np.array(more, object)])
