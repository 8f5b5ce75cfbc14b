from collections.abc import Callable
from datetime import datetime
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from libs.broker.kite.packets import FULL, INDEX_FULL
from services.simulator.domain.feed.packets import (
    MAX_PACKETS,
    MODES,
    Subscription,
    TickRows,
    frames,
)
from tests.unit.services.simulator.oracle import parsed

UINT = st.integers(0, 2**32 - 1)
USHORT = st.integers(0, 2**16 - 1)
STAMP = st.integers(0, 2**31 - 1)
STOCKS = st.integers(1, 2**24 - 1).map(lambda number: number * 256 + 1)
INDICES = st.integers(1, 2**24 - 1).map(lambda number: number * 256 + 9)
MODE = st.sampled_from(sorted(MODES))
STAMPS = ("last_trade_time", "exchange_timestamp")


def index_body(draw: Callable[[st.SearchStrategy[Any]], Any]) -> NDArray[np.void]:
    body = np.zeros(1, INDEX_FULL)
    for name in INDEX_FULL.names or ():
        body[name] = draw(STAMP)
    body["instrument_token"] = draw(INDICES)
    return body


def full_body(draw: Callable[[st.SearchStrategy[Any]], Any]) -> NDArray[np.void]:
    body = np.zeros(1, FULL)
    for name in FULL.names or ():
        if name in ("buy", "sell"):
            for part in ("quantity", "price"):
                body[name][part] = draw(st.lists(UINT, min_size=5, max_size=5))
            body[name]["orders"] = draw(st.lists(USHORT, min_size=5, max_size=5))
        else:
            body[name] = draw(STAMP if name in STAMPS else UINT)
    body["instrument_token"] = draw(STOCKS)
    return body


@st.composite
def tick_rows(draw: Callable[[st.SearchStrategy[Any]], Any]) -> TickRows:
    index = [index_body(draw) for _ in range(draw(st.integers(0, 3)))]
    full = [full_body(draw) for _ in range(draw(st.integers(0, 4)))]
    rows = [TickRows(body, np.empty(0, FULL)) for body in index]
    rows += [TickRows(np.empty(0, INDEX_FULL), body) for body in full]
    return reduce(TickRows.joined, rows, TickRows.empty())


def subscribed(modes: dict[int, str]) -> Subscription:
    subscription = Subscription()
    subscription.subscribe(modes)
    for token, mode in modes.items():
        subscription.set_mode(mode, [token])
    return subscription


def meant(body: np.void, mode: str) -> dict[str, Any]:
    """Say what the official client should read of a body in a mode."""
    token = int(body["instrument_token"])
    is_index = token & 0xFF == 9
    tick: dict[str, Any] = {
        "tradable": not is_index,
        "mode": mode,
        "instrument_token": token,
        "last_price": int(body["last_price"]) / 100,
    }
    if mode == "ltp":
        return tick
    ohlc = {name: int(body[name]) / 100 for name in ("open", "high", "low", "close")}
    tick |= {"ohlc": ohlc, "change": change(tick["last_price"], ohlc["close"])}
    tick |= {} if is_index else traded(body)
    return tick | (full_only(body, is_index) if mode == "full" else {})


def change(last_price: float, close: float) -> float:
    return (last_price - close) * 100 / close if close else 0


def traded(body: np.void) -> dict[str, Any]:
    names = ("last_traded_quantity", "volume_traded", "total_buy_quantity", "total_sell_quantity")
    average = int(body["average_traded_price"]) / 100
    return {name: int(body[name]) for name in names} | {"average_traded_price": average}


def full_only(body: np.void, is_index: bool) -> dict[str, Any]:
    stamps = STAMPS[1:] if is_index else STAMPS
    tick: dict[str, Any] = {name: local(int(body[name])) for name in stamps}
    if is_index:
        return tick
    names = ("oi", "oi_day_high", "oi_day_low")
    depth = {side: [level(entry) for entry in body[side]] for side in ("buy", "sell")}
    return tick | {name: int(body[name]) for name in names} | {"depth": depth}


def local(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds)  # noqa: DTZ006 - as the official client does


def level(entry: np.void) -> dict[str, Any]:
    return {
        "quantity": int(entry["quantity"]),
        "price": int(entry["price"]) / 100,
        "orders": int(entry["orders"]),
    }


@given(rows=tick_rows(), data=st.data())
def test_the_official_parser_reads_what_the_bodies_say_in_any_mix_of_modes(
    rows: TickRows, data: st.DataObject
) -> None:
    bodies = [*rows.index, *rows.full]
    tokens = {int(body["instrument_token"]) for body in bodies}
    modes = {token: data.draw(MODE | st.none()) for token in sorted(tokens)}
    followed = {token: mode for token, mode in modes.items() if mode is not None}
    expected = [
        meant(body, followed[token])
        for body in bodies
        if (token := int(body["instrument_token"])) in followed
    ]
    read = parsed(frames(rows, subscribed(followed)))
    assert in_order(read) == in_order(expected)


def in_order(ticks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort by token; packets of one token stay in their order."""
    return sorted(ticks, key=lambda tick: tick["instrument_token"])


@pytest.mark.parametrize(("mode", "size"), [("ltp", 8), ("quote", 44), ("full", 184)])
def test_a_mode_is_a_prefix_of_the_full_body(mode: str, size: int) -> None:
    rows = TickRows(np.empty(0, INDEX_FULL), np.zeros(1, FULL))
    rows.full["instrument_token"] = 408065
    (frame,) = frames(rows, subscribed({408065: mode}))
    assert frame == b"\x00\x01" + size.to_bytes(2, "big") + rows.full.tobytes()[:size]


def test_nothing_is_sent_of_what_is_not_subscribed() -> None:
    rows = TickRows(np.zeros(1, INDEX_FULL), np.zeros(1, FULL))
    assert frames(rows, Subscription()) == []
    assert frames(rows, subscribed({408065: "full"})) == []
    assert frames(TickRows.empty(), subscribed({408065: "full"})) == []


def test_more_packets_than_a_message_holds_go_into_several() -> None:
    rows = TickRows(np.zeros(2, INDEX_FULL), np.zeros(MAX_PACKETS, FULL))
    rows.index["instrument_token"] = 256265
    rows.full["instrument_token"] = 408065
    rows.full["last_price"] = np.arange(MAX_PACKETS)
    messages = frames(rows, subscribed({256265: "quote", 408065: "ltp"}))
    assert [int.from_bytes(message[:2], "big") for message in messages] == [2, MAX_PACKETS]
    assert parsed(messages)[-1]["last_price"] == (MAX_PACKETS - 1) / 100


def test_what_is_newly_subscribed_comes_in_quote_mode_and_keeps_its_mode_when_repeated() -> None:
    subscription = Subscription()
    subscription.subscribe([5, 3])
    subscription.set_mode("full", [3])
    subscription.subscribe([3, 5])
    assert subscription.modes(np.array([3, 4, 5])).tolist() == [3, 0, 2]


def test_a_mode_for_a_token_that_is_not_followed_does_not_subscribe_it() -> None:
    subscription = Subscription()
    subscription.set_mode("full", [3])
    assert len(subscription) == 0
    assert 3 not in subscription


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="'loud' is none of ltp, quote, full"):
        Subscription().set_mode("loud", [1])


COMMAND = st.tuples(
    st.sampled_from(("subscribe", "unsubscribe", *MODES)), st.lists(st.integers(1, 6))
)


@given(st.lists(COMMAND))
def test_a_subscription_is_a_table_of_tokens_and_modes(
    commands: list[tuple[str, list[int]]],
) -> None:
    subscription, table = Subscription(), dict[int, int]()
    for name, tokens in commands:
        if name == "subscribe":
            subscription.subscribe(tokens)
            table = dict.fromkeys(tokens, MODES["quote"]) | table
        elif name == "unsubscribe":
            subscription.unsubscribe(tokens)
            table = {token: mode for token, mode in table.items() if token not in tokens}
        else:
            subscription.set_mode(name, tokens)
            table |= {token: MODES[name] for token in tokens if token in table}
    assert subscription.modes(np.arange(8)).tolist() == [table.get(token, 0) for token in range(8)]
    assert len(subscription) == len(table)
    assert subscription.tokens == set(table)
