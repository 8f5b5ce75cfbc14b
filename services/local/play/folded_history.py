"""Candles of all intervals from a past day's tick batches, to be published as history."""

from collections.abc import Iterable, Sequence
from datetime import date

from libs.events.candles import CandleBatch, CandleColumns, Interval
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch
from libs.market.calendar import Calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules


def fold_ticks(
    listed: Iterable[InstrumentListed],
    batches: Iterable[TickBatch],
    calendar: Calendar,
    segments: Iterable[str],
) -> list[CandleBatch]:
    """Return a past day's candles, by the rules of the candle service."""
    aggregator = CandleAggregator(calendar, CandleRules(), segments)
    for event in listed:
        aggregator.list_instrument(event)
    return _by_interval([made for batch in batches for made in aggregator.on_ticks(batch)])


def _by_interval(batches: Sequence[CandleBatch]) -> list[CandleBatch]:
    """Join batches into one per day, partition and interval, marked as backfill.

    Of each candle only the last revision is kept.
    """
    groups: dict[tuple[date, int, Interval], list[CandleBatch]] = {}
    for batch in batches:
        groups.setdefault((batch.trading_day, batch.partition, batch.interval), []).append(batch)
    return [
        CandleBatch.backfill(partition, interval, day, _joined(parts))
        for (day, partition, interval), parts in groups.items()
    ]


def _joined(parts: Sequence[CandleBatch]) -> CandleColumns:
    candles = (candle for part in parts for candle in part.candles())
    last = {(candle.instrument_token, candle.opened_ms): candle for candle in candles}
    return CandleColumns.of(last.values())
