"""Messages as rows: what is shown of ticks, candles, other events, and of what can't be read."""

import json

import numpy as np
import pytest

from libs.events.bus import Message
from libs.events.candles import CandleBatch, CandleColumns
from libs.events.codec import record_of
from libs.events.event import Event, identity, utc_from_ms
from libs.events.ticks import TickBatch, TickColumns
from services.local.commands.event_rows import Row, json_of, line_of, rows_of
from tests.unit.libs.runtime.loops import DAY, NOW, halted

SYMBOLS = {256265: "NSE:NIFTY 50"}
AT = "2026-06-10 10:30:00"


def rows(event: Event) -> list[Row]:
    record = record_of(event)
    message = Message(record.topic, 0, 7, record.key, record.value, record.timestamp_ms)
    return list(rows_of(message, SYMBOLS))


def test_a_tick_is_a_row_with_its_symbol_where_the_token_is_known() -> None:
    columns = TickColumns(
        instrument_token=np.array([256265, 1], np.uint32),
        exchange_timestamp=np.array([NOW, NOW + 250], np.int64),
        last_price=np.array([22000.5, 9.25]),
        volume_traded=np.array([0, 75], np.int64),
    )
    event_id = identity("test")
    batch = TickBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(NOW),
        trading_day=DAY,
        correlation_id=event_id,
        source="test",
        connection=0,
        sequence=1,
        partition=0,
        clock_ms=NOW,
        received_ms=NOW,
        columns=columns,
    )
    known, unknown = rows(batch)
    assert known == {
        "time": f"{AT}.000",
        "type": "Tick",
        "symbol": "NSE:NIFTY 50",
        "last_price": 22000.5,
        "volume_traded": 0,
    }
    assert (unknown["time"], unknown["symbol"]) == (f"{AT}.250", "1")


def test_a_candle_is_a_row_that_begins_when_it_opened() -> None:
    columns = CandleColumns(
        exchange=("NSE",),
        tradingsymbol=("SBIN",),
        expiry=(None,),
        instrument_token=(779521,),
        opened_ms=(NOW,),
        closes_ms=(NOW + 60_000,),
        open=(1.0,),
        high=(2.0,),
        low=(0.5,),
        close=(1.5,),
        volume=(10,),
        vwap=(None,),
        ticks=(3,),
        oi=(0,),
        cumulative_volume=(10,),
        revision=(0,),
    )
    event_id = identity("test")
    batch = CandleBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(NOW + 60_000),
        trading_day=DAY,
        correlation_id=event_id,
        partition=0,
        interval="1m",
        source="live",
        columns=columns,
    )
    (row,) = rows(batch)
    shown = (row["time"], row["symbol"], row["interval"], row["close"], row["vwap"])
    assert shown == (f"{AT}.000", "NSE:SBIN", "1m", 1.5, None)


def test_another_event_is_a_row_of_its_own_fields_without_the_envelope() -> None:
    (row,) = rows(halted(3))
    assert (row["time"], row["type"], row["reason"]) == (f"{AT}.003", "TradingHalted", "3")
    assert "event_id" not in row


def test_what_cannot_be_decoded_is_a_row_with_its_origin_and_the_reason() -> None:
    (row,) = rows_of(Message("orders", 2, 9, "", b"{", NOW), {})
    assert (row["type"], row["origin"]) == ("Poison", "orders/2/9")
    assert row["reason"]


def test_a_dead_letter_is_a_row_with_its_origin_and_the_reason() -> None:
    headers = (("origin", b"orders/2/9"), ("service", b"position"), ("reason", b"no order"))
    (row,) = rows_of(Message("orders.dlq", 2, 0, "", b"{", NOW, headers), {})
    assert (row["type"], row["origin"], row["reason"]) == ("DeadLetter", "orders/2/9", "no order")


def test_a_retry_is_a_row_that_names_the_letter() -> None:
    (row,) = rows_of(Message("orders.dlq", 2, 1, "", b"", NOW, (("retried", b"2/0"),)), {})
    assert (row["type"], row["letter"]) == ("Retried", "2/0")


@pytest.mark.parametrize("value", ["x" * 100, ["x"] * 100])
def test_a_line_shows_long_values_cut_and_json_shows_them_whole(value: object) -> None:
    row = {"time": AT, "type": "Tick", "symbol": "NSE:SBIN", "last_price": 1.5, "long": value}
    line = line_of(row)
    assert line.startswith(f"{AT} Tick")
    assert "NSE:SBIN" in line
    assert "last_price=1.5" in line
    assert line.endswith("...")
    assert json.loads(json_of(row)) == {**row, "time": "2026-06-10T10:30:00+05:30"}


def test_a_line_shows_contracts_as_symbols_and_ids_shortened() -> None:
    contract = {"exchange": "NFO", "tradingsymbol": "SBIN26JUN960CE", "lot_size": 750}
    row = {"time": AT, "type": "OrderPlanned", "contract": contract, "order_id": str(identity("x"))}
    line = line_of(row)
    assert "contract=NFO:SBIN26JUN960CE" in line
    assert f"order_id={str(identity('x'))[:8]}" in line.split()
