"""Candle values as the columns of an event."""

from collections.abc import Sequence
from math import isnan

from libs.events.candles import CandleColumns
from libs.market.instruments import Instrument
from services.candle.domain.grid import CandleValues
from services.candle.domain.schedule import Schedule, Span

_SAME_NAME = ("open", "high", "low", "close", "volume", "ticks", "oi", "cumulative_volume")


def candle_columns(
    schedule: Schedule,
    instruments: Sequence[Instrument],
    span: Span,
    values: CandleValues,
    revisions: Sequence[int],
) -> CandleColumns:
    """Return the columns of one span's candles; `instruments` are found by the values' rows."""
    listed = [instruments[row] for row in values.row.tolist()]
    return CandleColumns(
        exchange=tuple(one.exchange for one in listed),
        tradingsymbol=tuple(one.tradingsymbol for one in listed),
        expiry=tuple(one.expiry for one in listed),
        instrument_token=tuple(one.instrument_token for one in listed),
        opened_ms=(schedule.start_ms(span.start),) * len(values),
        closes_ms=(schedule.start_ms(span.stop),) * len(values),
        vwap=tuple(None if isnan(vwap) else vwap for vwap in values.vwap.tolist()),
        revision=tuple(revisions),
        **{name: tuple(getattr(values, name).tolist()) for name in _SAME_NAME},
    )
