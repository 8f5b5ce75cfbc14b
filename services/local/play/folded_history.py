"""Candles of all intervals from a past day's tick batches, to be published as history."""

from collections.abc import Iterable, Sequence
from datetime import date

from libs.events.candles import CandleBatch, CandleColumns, Interval
from libs.events.event import identity, utc_from_ms
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
        _backfill(day, partition, interval, _joined([batch.columns for batch in parts]))
        for (day, partition, interval), parts in groups.items()
    ]


def _joined(parts: Sequence[CandleColumns]) -> CandleColumns:
    names = list(CandleColumns.model_fields)
    rows = [row for part in parts for row in zip(*(getattr(part, n) for n in names), strict=True)]
    token, opened = names.index("instrument_token"), names.index("opened_ms")
    last = {(row[token], row[opened]): row for row in rows}
    columns = zip(*last.values(), strict=True)
    return CandleColumns(**dict(zip(names, columns, strict=True)))


def _backfill(
    trading_day: date, partition: int, interval: Interval, columns: CandleColumns
) -> CandleBatch:
    names = sorted(set(columns.tradingsymbol))
    event_id = identity("CandleBatch", "backfill", trading_day, partition, interval, *names)
    return CandleBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(max(columns.closes_ms)),
        trading_day=trading_day,
        correlation_id=event_id,
        partition=partition,
        interval=interval,
        source="backfill",
        columns=columns,
    )
