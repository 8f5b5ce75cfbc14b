"""Batches of candles: their rows, their ids and what a candle leads to."""

from datetime import date

import pytest

from libs.events.candles import Candle, CandleBatch, CandleColumns
from libs.events.control import StrategyStopped
from libs.events.event import identity, utc_from_ms
from tests.unit.libs.events.samples import candle_batch

DAY = date(2026, 6, 10)
COLUMNS = candle_batch().columns


def candles() -> list[Candle]:
    return list(candle_batch().candles())


def test_candles_as_columns_are_the_columns_that_they_were_read_from() -> None:
    assert CandleColumns.of(candles()) == COLUMNS


def test_no_candles_are_columns_without_rows() -> None:
    assert len(CandleColumns.of([])) == 0


def test_a_live_batch_is_known_by_what_opened_together_and_its_revisions() -> None:
    batch = CandleBatch.live(3, "5m", 1_781_063_402_000, DAY, COLUMNS)
    parts = (3, "5m", COLUMNS.opened_ms[0], "live", COLUMNS.tradingsymbol, COLUMNS.revision)
    assert batch.event_id == batch.correlation_id == identity("CandleBatch", *parts)
    assert (batch.partition, batch.interval, batch.source) == (3, "5m", "live")
    assert (batch.occurred_ms, batch.trading_day) == (1_781_063_402_000, DAY)
    assert batch.columns == COLUMNS


def test_a_backfill_is_known_by_its_day_its_instruments_in_order_and_its_times() -> None:
    batch = CandleBatch.backfill(3, "5m", DAY, COLUMNS)
    names = sorted(set(COLUMNS.tradingsymbol))
    times = (min(COLUMNS.opened_ms), max(COLUMNS.closes_ms), len(COLUMNS))
    assert batch.event_id == identity("CandleBatch", "backfill", DAY, 3, "5m", *names, *times)
    assert (batch.correlation_id, batch.causation_id) == (batch.event_id, None)
    assert (batch.partition, batch.interval, batch.source) == (3, "5m", "backfill")
    assert (batch.occurred_ms, batch.trading_day) == (max(COLUMNS.closes_ms), DAY)


def test_a_batch_needs_a_candle() -> None:
    nothing = CandleColumns.of([])
    with pytest.raises(IndexError):
        CandleBatch.live(0, "5m", 0, DAY, nothing)
    with pytest.raises(ValueError, match="empty"):
        CandleBatch.backfill(0, "5m", DAY, nothing)


def test_a_candle_is_the_first_cause_of_what_follows_from_it() -> None:
    candle = candles()[0]
    assert StrategyStopped.after(candle, 1) == {
        "event_id": identity("StrategyStopped", 1),
        "occurred_at": utc_from_ms(candle.closes_ms),
        "trading_day": candle.trading_day,
        "correlation_id": candle.candle_id,
        "causation_id": candle.candle_id,
    }
