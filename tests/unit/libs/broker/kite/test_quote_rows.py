"""Kite's quotes by request as ticks."""

from datetime import datetime
from typing import Any

import pytest

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.quote_rows import ticks_of
from libs.events.event import ms_from_utc
from libs.market.calendar import IST

INFY: dict[str, Any] = {
    "instrument_token": 408065,
    "timestamp": "2026-06-17 15:45:56",
    "last_trade_time": "2026-06-17 15:45:52",
    "last_price": 1412.95,
    "last_quantity": 5,
    "buy_quantity": 0,
    "sell_quantity": 5191,
    "volume": 7360198,
    "average_price": 1412.47,
    "oi": 7,
    "ohlc": {"open": 1396, "high": 1421.75, "low": 1395.55, "close": 1389.65},
    "depth": {
        "buy": [{"price": 1412.5, "quantity": 3, "orders": 1}, {"price": 0, "quantity": 0}],
        "sell": [{"price": 1412.95, "quantity": 5191, "orders": 13}],
    },
}
INDEX = {"instrument_token": 256265, "last_price": 25_000.5, "ohlc": {"open": 24_900}}


def at(hour: int, minute: int, second: int) -> int:
    return ms_from_utc(datetime(2026, 6, 17, hour, minute, second, tzinfo=IST))


def test_a_quote_has_all_that_a_full_packet_has() -> None:
    ticks = ticks_of([INFY], 0)
    row = {name: column[0].item() for name, column in ticks.columns().items() if column is not None}
    assert row == {
        "instrument_token": 408065,
        "exchange_timestamp": at(15, 45, 56),
        "last_price": 1412.95,
        "last_traded_quantity": 5,
        "average_traded_price": 1412.47,
        "volume_traded": 7360198,
        "total_buy_quantity": 0,
        "total_sell_quantity": 5191,
        "oi": 7,
        "bid_price": 1412.5,
        "bid_quantity": 3,
        "ask_price": 1412.95,
        "ask_quantity": 5191,
        "last_trade_time": at(15, 45, 52),
        "open_price": 1396.0,
    }


def test_an_index_has_neither_volume_nor_depth_and_a_missing_time_is_said() -> None:
    ticks = ticks_of([INDEX], -1)
    assert ticks.exchange_timestamp.tolist() == [-1]
    assert ticks.last_price.tolist() == [25_000.5]
    assert ticks.volume_traded is not None
    assert ticks.volume_traded.tolist() == [0]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"last_price": None},
        {"last_price": "x"},
        {"instrument_token": None},
        {"volume": "x"},
        {"volume": float("inf")},
        {"ohlc": 7},
        {"depth": {"buy": [7]}},
    ],
)
def test_a_row_that_cannot_be_read_is_left_out(spoilt: dict[str, Any]) -> None:
    ticks = ticks_of([INFY | spoilt, INDEX], 0)
    assert ticks.instrument_token.tolist() == [256265]


def test_rows_none_of_which_can_be_read_are_an_error() -> None:
    with pytest.raises(ReplyUnreadable):
        ticks_of([INFY | {"last_price": None}], 0)
    assert len(ticks_of([], 0)) == 0
