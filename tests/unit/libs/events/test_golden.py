"""Bytes that were once recorded still decode to what they held.

The files are never written again. A new event gets one from
`python -m tests.unit.libs.events.samples`.
"""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest

from libs.events.codec import decode
from libs.events.event import Event
from libs.events.orders import OrderFilled
from libs.events.positions import PositionClosed
from libs.events.ticks import TickBatch
from libs.events.topics import TOPIC_OF
from tests.unit.libs.events.samples import (
    GOLDEN,
    event_classes,
    golden_file,
    write_missing,
)


def recorded(event: type[Event]) -> Event:
    return decode(TOPIC_OF[event.__name__], golden_file(event).read_bytes())


def test_every_event_was_recorded_once() -> None:
    missing = [event.__name__ for event in event_classes() if not golden_file(event).exists()]
    assert missing == [], "run python -m tests.unit.libs.events.samples"
    assert len(list(GOLDEN.iterdir())) == len(event_classes())


def test_what_was_recorded_is_never_written_again() -> None:
    assert write_missing() == []


@pytest.mark.parametrize(
    "event", [each for each in event_classes() if each is not TickBatch], ids=lambda e: e.__name__
)
def test_a_recorded_event_still_decodes_to_what_it_held(event: type[Event]) -> None:
    held = json.loads(golden_file(event).read_bytes())
    got = recorded(event)
    assert type(got) is event
    assert got.model_dump(mode="json", include=set(held)) == held


def test_a_recorded_fill_has_these_values() -> None:
    fill = recorded(OrderFilled)
    assert isinstance(fill, OrderFilled)
    assert fill.event_id == UUID("e42fc8e5-c522-5a44-a8f6-c516e731f72a")
    assert fill.occurred_at == datetime(2026, 6, 10, 3, 45, 0, 961358, UTC)
    assert fill.trading_day == date(2026, 7, 10)
    assert fill.causation_id == UUID("077e3c98-80a2-5930-8824-b835fc92230e")
    assert fill.order_id == UUID("f08fcf64-66da-512a-ab7a-0876c33cc81d")
    assert fill.leg == "entry"
    assert fill.fill_price == Decimal("4565638.43")
    assert fill.average_price == Decimal("7173901.48")
    assert fill.fill_quantity == 6927256356
    assert fill.contract.expiry == date(2027, 6, 30)
    assert fill.contract.tick_size == Decimal("6058004.17")


def test_a_recorded_position_has_these_values() -> None:
    position = recorded(PositionClosed)
    assert isinstance(position, PositionClosed)
    assert position.position_id == UUID("7a2b8785-921d-53b4-b05c-4259bce6bd93")
    assert position.net == Decimal("3772179.08")
    assert position.exit_price == Decimal("7581594.15")
    assert position.charges_are_exact is True
    assert position.exit_reason == "target"
    assert position.fill_ids == ('a "quoted" word', "naïve ₹ π", "naïve ₹ π")
    assert position.opened_at == datetime(2026, 6, 10, 3, 45, 0, 44333, UTC)
    assert position.closed_at == datetime(2026, 6, 10, 3, 45, 0, 274260, UTC)


def test_recorded_ticks_have_these_values() -> None:
    batch = recorded(TickBatch)
    assert isinstance(batch, TickBatch)
    columns = batch.columns
    assert batch.occurred_at == datetime(2026, 6, 10, 3, 45, 2, 750_000, UTC)
    assert (batch.source, batch.connection, batch.sequence, batch.partition) == (
        "recorded",
        1,
        42,
        5,
    )
    assert batch.trading_day == date(2026, 6, 10)
    assert (batch.clock_ms, batch.received_ms) == (1_781_063_102_750, 1_781_063_102_812)
    assert columns.instrument_token.tolist() == [256_265, 738_561, 4_294_967_295]
    assert columns.last_price.tolist() == [25_012.35, 2_951.0, 0.05]
    assert columns.volume_traded is not None
    assert columns.volume_traded.tolist() == [0, 1_250_000, 2**62]
    assert columns.oi is None
    assert np.all(np.diff(columns.exchange_timestamp) == [1_000, 1_750])
