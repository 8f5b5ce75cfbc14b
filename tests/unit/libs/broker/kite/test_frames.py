import base64
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from libs.broker.kite.frames import DecodedFrame, decode
from libs.broker.kite.packets import FULL, LAYOUTS, divisors
from libs.events.ticks import COLUMN_TYPES
from tests.unit.libs.broker.kite.messages import (
    LENGTHS,
    SEGMENTS,
    bodies,
    message,
    runs_of_bodies,
    with_length,
)

RECEIVED_MS = 1_700_000_000_123
official = KiteTicker("key", "token")._parse_binary
UNKNOWN_LENGTHS = st.integers(0, 300).filter(lambda length: length not in LENGTHS)


def as_official(frame: DecodedFrame) -> list[dict[str, Any]]:
    """Return every packet of a frame in the shape of the official client's ticks."""
    return [tick for run in frame.runs for tick in _ticks_of(run)]


def _ticks_of(run: np.ndarray[Any, Any]) -> Iterator[dict[str, Any]]:
    mode = {8: "ltp", 28: "quote", 44: "quote", 32: "full", 184: "full"}[run.dtype.itemsize]
    for packet, divisor in zip(run, divisors(run["instrument_token"]), strict=True):
        token = int(packet["instrument_token"])
        tick = {"tradable": token & 0xFF != 9, "mode": mode, "instrument_token": token}
        yield tick | _fields_of(packet, divisor)


def _fields_of(packet: Any, divisor: float) -> dict[str, Any]:
    names = packet.dtype.names
    fields: dict[str, Any] = {"last_price": packet["last_price"] / divisor}
    for name in ("average_traded_price",):
        if name in names:
            fields[name] = packet[name] / divisor
    for name in ("last_traded_quantity", "volume_traded", "total_buy_quantity"):
        if name in names:
            fields[name] = packet[name]
    if "total_sell_quantity" in names:
        fields["total_sell_quantity"] = packet["total_sell_quantity"]
    if "close" in names:
        ohlc = {name: packet[name] / divisor for name in ("open", "high", "low", "close")}
        fields["ohlc"] = ohlc
        change = (fields["last_price"] - ohlc["close"]) * 100
        fields["change"] = change / ohlc["close"] if ohlc["close"] else 0
    for name in ("oi", "oi_day_high", "oi_day_low"):
        if name in names:
            fields[name] = packet[name]
    for name in ("last_trade_time", "exchange_timestamp"):
        if name in names:
            fields[name] = datetime.fromtimestamp(int(packet[name]))  # noqa: DTZ006  # as theirs
    if "buy" in names:
        fields["depth"] = {side: _depth(packet[side], divisor) for side in ("buy", "sell")}
    return fields


def _depth(entries: Any, divisor: float) -> list[dict[str, float]]:
    return [
        {
            "quantity": entry["quantity"],
            "price": entry["price"] / divisor,
            "orders": entry["orders"],
        }
        for entry in entries
    ]


@given(runs_of_bodies())
def test_every_field_is_what_the_official_parser_reads(packets: list[bytes]) -> None:
    payload = message(packets)
    frame = decode(payload)
    assert as_official(frame) == official(payload)
    assert frame.broken == 0
    assert len(frame) == len(packets)


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("length", LENGTHS)
def test_every_mode_of_every_segment_is_read(length: int, segment: int) -> None:
    body = struct.pack(">I", 5_000 * 256 + segment) + bytes(range(1, length - 3))
    payload = message([body] * 3)
    assert as_official(decode(payload)) == official(payload)


@given(runs_of_bodies())
def test_columns_are_the_packets_in_their_order(packets: list[bytes]) -> None:
    payload = message(packets)
    columns = decode(payload).columns(RECEIVED_MS)
    ticks = official(payload)
    assert len(columns) == len(ticks)
    for name, column in columns.columns().items():
        assert column is not None
        assert column.dtype == COLUMN_TYPES[name]
        assert column.tolist() == [_expected(name, tick) for tick in ticks], name


def _expected(name: str, tick: dict[str, Any]) -> float:
    if name == "exchange_timestamp":
        at = tick.get(name)
        return RECEIVED_MS if at is None else int(at.timestamp()) * 1_000
    if name == "last_trade_time":
        at = tick.get(name)
        return 0 if at is None else int(at.timestamp()) * 1_000
    if name == "open_price":
        return float(tick.get("ohlc", {}).get("open", 0))
    side, _, field = name.partition("_")
    if side in ("bid", "ask"):
        depth = tick.get("depth")
        return float(depth["buy" if side == "bid" else "sell"][0][field]) if depth else 0
    return float(tick.get(name, 0))


def test_a_time_of_zero_stays_zero() -> None:
    columns = decode(message([bytes(184), bytes(32)])).columns(RECEIVED_MS)
    assert columns.exchange_timestamp.tolist() == [0, 0]


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x01", b"\x00\x00"])
def test_a_heartbeat_is_a_frame_without_packets(payload: bytes) -> None:
    frame = decode(payload)
    assert (len(frame), frame.broken) == (0, 0)
    columns = frame.columns(RECEIVED_MS)
    assert len(columns) == 0
    assert all(column is not None for column in columns.columns().values())


@given(st.binary(max_size=400))
def test_no_bytes_raise(payload: bytes) -> None:
    frame = decode(payload)
    assert len(frame.columns(RECEIVED_MS)) == len(frame)


@given(st.integers(0, 9), st.binary(max_size=2_000))
def test_no_damage_to_a_sound_frame_raises(count: int, damage: bytes) -> None:
    payload = bytearray(message([bytes(184)] * count))
    for place in range(0, len(damage) - 2, 3):
        payload[int.from_bytes(damage[place : place + 2], "big") % len(payload)] = damage[place + 2]
    frame = decode(bytes(payload))
    assert len(frame.columns(RECEIVED_MS)) == len(frame)


@given(st.lists(st.one_of(bodies(), UNKNOWN_LENGTHS.map(bytes)), max_size=30))
def test_packets_of_an_unknown_length_are_lost_and_no_others(packets: list[bytes]) -> None:
    sound = [body for body in packets if len(body) in LENGTHS]
    frame = decode(message(packets))
    assert as_official(frame) == official(message(sound))
    assert frame.broken == len(packets) - len(sound)


@given(runs_of_bodies(), st.data())
def test_a_frame_that_is_cut_off_keeps_what_is_whole(packets: list[bytes], data: Any) -> None:
    payload = message(packets)
    end = data.draw(st.integers(2, len(payload)))
    whole, at = 0, 2
    while whole < len(packets) and at + len(with_length(packets[whole])) <= end:
        at += len(with_length(packets[whole]))
        whole += 1
    frame = decode(payload[:end])
    assert as_official(frame) == official(message(packets[:whole]))
    assert frame.broken == len(packets) - whole


@given(runs_of_bodies(), st.binary(min_size=1, max_size=200))
def test_bytes_behind_the_last_packet_count_as_one_lost(packets: list[bytes], extra: bytes) -> None:
    frame = decode(message(packets) + extra)
    assert as_official(frame) == official(message(packets))
    assert frame.broken == 1


def test_a_count_of_more_packets_than_there_are_counts_the_missing_ones() -> None:
    frame = decode(message([bytes(184)] * 3, count=5))
    assert (len(frame), frame.broken) == (3, 2)


def test_a_frame_of_one_layout_is_one_view_of_the_message() -> None:
    payload = message([bytes(184)] * 500)
    (run,) = decode(payload).runs
    assert run.dtype == FULL
    assert np.shares_memory(run, np.frombuffer(payload, "u1"))


def test_packets_that_alternate_are_a_run_each() -> None:
    frame = decode(message([bytes(8), bytes(44)] * 50))
    assert len(frame.runs) == 100
    assert len(frame) == 100


@pytest.mark.parametrize("name", ["ticker_quote", "ticker_full"])
def test_the_official_packets_are_read(kite_packets: Path, name: str) -> None:
    body = base64.b64decode((kite_packets / f"{name}.packet").read_text())
    assert len(body) in LAYOUTS
    payload = message([body])
    frame = decode(payload)
    assert as_official(frame) == official(payload)
    columns = frame.columns(RECEIVED_MS)
    assert columns.instrument_token.tolist() == [408065]
    if name == "ticker_full":
        assert columns.exchange_timestamp.tolist() == [1_625_461_887_000]
        assert columns.last_price.tolist() == [1573.7]
