"""Tick batches that are no market: the services that hold money count them and go on."""

from dataclasses import replace

import numpy as np
import pytest

from libs.events.codec import decode, encode
from libs.events.errors import PoisonMessage
from libs.events.positions import PositionUpdated
from libs.events.ticks import TickBatch
from tests.unit.services.executor import builders as trade
from tests.unit.services.position import builders as hold

PRICES = (np.nan, np.inf, -np.inf, 1e308, -1e308)
NUMBERS = ("exchange_timestamp", "volume_traded", "oi", "bid_quantity", "ask_quantity")


def spoilt(batch: TickBatch, column: str, value: float) -> TickBatch:
    values = np.full_like(getattr(batch.columns, column), value)
    return batch.model_copy(update={"columns": replace(batch.columns, **{column: values})})


@pytest.mark.parametrize("column", ["last_price", "bid_price", "ask_price"])
@pytest.mark.parametrize("price", PRICES)
def test_the_executor_takes_no_price_that_cannot_be(column: str, price: float) -> None:
    executor = trade.list_chain(trade.make_executor())
    executor.on_event(trade.ticks(trade.chain_rows()), trade.NOW)
    later = trade.NOW + 60_000
    batch = trade.ticks(trade.chain_rows(at_ms=later), at_ms=later)
    executor.on_event(spoilt(batch, column, price), later)
    effects = executor.on_event(trade.signal(now_ms=later), later)
    assert effects, "the signal is decided all the same"


@pytest.mark.parametrize("column", NUMBERS)
@pytest.mark.parametrize("is_largest", [True, False])
def test_the_executor_takes_any_number(column: str, is_largest: bool) -> None:
    executor = trade.list_chain(trade.make_executor())
    limits = np.iinfo(np.int64)
    batch = trade.ticks(trade.chain_rows())
    bad = spoilt(batch, column, limits.max if is_largest else limits.min)
    executor.on_event(bad, trade.NOW)
    assert executor.on_event(trade.signal(), trade.NOW)


@pytest.mark.parametrize("price", PRICES)
def test_a_position_is_not_valued_by_a_price_that_cannot_be(price: float) -> None:
    held = hold.make_positions()
    hold.hear(held, hold.fill())
    batch = hold.ticks(83.0, hold.NOW + 120_000)
    (marked,) = held.on_event(spoilt(batch, "last_price", price), hold.NOW + 120_000)
    assert isinstance(marked, PositionUpdated)
    assert marked.unrealised == 0


@pytest.mark.parametrize("clock_ms", [-1, 1 << 62])
def test_a_clock_that_no_calendar_has_is_poison(clock_ms: int) -> None:
    batch = trade.ticks([]).model_copy(update={"clock_ms": clock_ms})
    with pytest.raises(PoisonMessage):
        decode("ticks", encode(batch))
