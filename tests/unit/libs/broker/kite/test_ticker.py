import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection

from libs.broker.errors import SessionExpired, SessionMissing
from libs.broker.kite.backoff import Backoff
from libs.broker.kite.frames import DecodedFrame
from libs.broker.kite.session import KiteSession
from libs.broker.kite.ticker import Ticker
from tests.unit.libs.broker.kite.messages import message
from tests.unit.libs.broker.kite.servers import (
    TOKEN,
    Judge,
    Serve,
    SocketKite,
    session,
    socket_kite,
)

HEARTBEAT = b"\x00"
FULL = message([bytes(184)] * 3)
Play = Callable[[Ticker, SocketKite], Any]


async def _for_ever(connection: ServerConnection) -> None:
    await connection.wait_closed()


def playing(play: Play, handle: Serve, refuse: Judge | None = None, **options: Any) -> None:
    """Run a ticker against a stand-in and let `play` look on; it has ten seconds."""
    chosen: dict[str, Any] = {"session": session, "silence_seconds": 2.0} | options

    async def run() -> None:
        judge = refuse or (lambda _path, _number: None)
        async with asyncio.timeout(10), socket_kite(handle, judge) as kite:
            ticker = Ticker(kite.address, backoff=Backoff(0.01, 0.05), **chosen)
            try:
                await play(ticker, kite)
            finally:
                await ticker.close()

    asyncio.run(run())


async def take(ticker: Ticker, frames: int) -> list[DecodedFrame]:
    taken: list[DecodedFrame] = []
    stream = ticker.frames()
    async for frame in stream:
        taken.append(frame)
        if len(taken) == frames:
            break
    await stream.aclose()
    return taken


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  # the other end has no event
        await asyncio.sleep(0.005)


def test_frames_and_heartbeats_are_yielded_in_order() -> None:
    async def handle(connection: ServerConnection, _: int) -> None:
        for payload in (HEARTBEAT, FULL, HEARTBEAT):
            await connection.send(payload)
        await _for_ever(connection)

    async def play(ticker: Ticker, kite: SocketKite) -> None:
        assert [len(frame) for frame in await take(ticker, 3)] == [0, 3, 0]
        assert ticker.counters.frames == 3
        assert ticker.counters.reconnects == 0
        assert kite.asked == [f"/?api_key=key&access_token={TOKEN}"]

    playing(play, handle)


def test_a_connection_that_ends_is_opened_anew_and_told_everything() -> None:
    async def handle(connection: ServerConnection, number: int) -> None:
        await connection.send(HEARTBEAT)
        if number < 2:
            await connection.close(1001 if number else 1011)
        await _for_ever(connection)

    async def play(ticker: Ticker, kite: SocketKite) -> None:
        await ticker.subscribe([256265], "full")
        await ticker.subscribe([408065], "ltp")
        assert len(await take(ticker, 3)) == 3
        await until(lambda: len(kite.commands[2]) == 4)
        assert kite.commands[2] == [
            {"a": "subscribe", "v": [256265]},
            {"a": "mode", "v": ["full", [256265]]},
            {"a": "subscribe", "v": [408065]},
            {"a": "mode", "v": ["ltp", [408065]]},
        ]
        assert ticker.counters.reconnects == 2

    playing(play, handle)


def test_subscriptions_are_sent_at_once_while_connected() -> None:
    async def handle(connection: ServerConnection, _: int) -> None:
        while True:
            await connection.send(HEARTBEAT)
            await asyncio.sleep(0.01)

    async def play(ticker: Ticker, kite: SocketKite) -> None:
        stream = ticker.frames()
        await anext(stream)
        await ticker.subscribe([1, 2], "quote")
        await ticker.unsubscribe([2, 3])
        await until(lambda: len(kite.commands[0]) == 3)
        assert kite.commands[0][-1] == {"a": "unsubscribe", "v": [2]}
        await stream.aclose()

    playing(play, handle)


def test_a_silent_connection_is_given_up() -> None:
    async def handle(connection: ServerConnection, number: int) -> None:
        await connection.send(HEARTBEAT)
        if number == 0:
            await _for_ever(connection)
        await connection.send(FULL)
        await _for_ever(connection)

    async def play(ticker: Ticker, _: SocketKite) -> None:
        assert [len(frame) for frame in await take(ticker, 3)] == [0, 0, 3]
        assert (ticker.counters.silences, ticker.counters.reconnects) == (1, 1)

    with capture_logs() as logs:
        playing(play, handle, silence_seconds=0.2)
    assert "Kite's ticker is silent" in [log["event"] for log in logs]


def test_a_message_that_came_while_the_process_stood_still_breaks_the_silence() -> None:
    is_reading = asyncio.Event()

    async def handle(connection: ServerConnection, _: int) -> None:
        await connection.send(HEARTBEAT)
        await is_reading.wait()
        connection.transport.write(b"\x82\x01" + HEARTBEAT)
        time.sleep(0.5)  # noqa: ASYNC251  # the process stands still
        await _for_ever(connection)

    async def play(ticker: Ticker, _: SocketKite) -> None:
        stream = ticker.frames()
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        is_reading.set()
        assert len(await reading) == 0
        await stream.aclose()
        assert (ticker.counters.silences, ticker.counters.reconnects) == (0, 0)

    playing(play, handle, silence_seconds=0.2)


def test_any_message_breaks_the_silence() -> None:
    async def handle(connection: ServerConnection, _: int) -> None:
        for _ in range(8):
            await connection.send("{}")
            await asyncio.sleep(0.1)
        await connection.send(FULL)
        await _for_ever(connection)

    async def play(ticker: Ticker, _: SocketKite) -> None:
        await take(ticker, 1)
        assert ticker.counters.silences == 0

    playing(play, handle, silence_seconds=0.5)


def test_garbage_does_not_break_the_silence() -> None:
    async def handle(connection: ServerConnection, number: int) -> None:
        while number == 0:
            await connection.send(message([bytes(7)]))
            await asyncio.sleep(0.05)
        await connection.send(FULL)
        await _for_ever(connection)

    async def play(ticker: Ticker, _: SocketKite) -> None:
        stream = ticker.frames()
        async for frame in stream:
            if len(frame):
                break
        await stream.aclose()
        assert ticker.counters.silences == 1
        assert ticker.counters.broken_packets > 1

    playing(play, handle, silence_seconds=0.3)


def test_a_connection_that_is_taken_for_dead_is_replaced_with_its_subscriptions() -> None:
    async def handle(connection: ServerConnection, number: int) -> None:
        await connection.send(HEARTBEAT if number == 0 else FULL)
        await _for_ever(connection)

    async def play(ticker: Ticker, kite: SocketKite) -> None:
        await ticker.subscribe([1, 2], "full")
        stream = ticker.frames()
        assert len(await anext(stream)) == 0
        await ticker.replace()
        assert len(await anext(stream)) == 3
        assert ticker.counters.reconnects == 1
        await until(lambda: len(kite.commands) == 2 and kite.commands[0] == kite.commands[1])
        await stream.aclose()

    playing(play, handle)


def test_a_connection_says_for_how_long_it_has_been_open() -> None:
    async def play(ticker: Ticker, _: SocketKite) -> None:
        assert ticker.open_seconds == 0
        stream = ticker.frames()
        await anext(stream)
        await until(lambda: ticker.open_seconds > 0.05)
        await stream.aclose()
        assert ticker.open_seconds == 0

    playing(play, _heartbeat)


def test_a_connection_that_never_lasts_is_opened_ever_more_slowly() -> None:
    asked: list[float] = []

    async def handle(connection: ServerConnection, number: int) -> None:
        asked.append(asyncio.get_running_loop().time())
        await connection.send(HEARTBEAT)
        if number < 5:
            await connection.close()
        await _for_ever(connection)

    async def play(ticker: Ticker, _: SocketKite) -> None:
        await take(ticker, 6)
        assert asked[5] - asked[4] > 0.04, "half of the longest pause, 0.1 s"

    async def run() -> None:
        async with asyncio.timeout(10), socket_kite(handle) as kite:
            ticker = Ticker(kite.address, session, backoff=Backoff(0.01, 0.1))
            await play(ticker, kite)
            await ticker.close()

    asyncio.run(run())


def test_pings_show_that_the_connection_is_in_use(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("libs.broker.kite.ticker._PING_SECONDS", 0.02)
    caplog.set_level(logging.DEBUG, "websockets.server")

    async def play(ticker: Ticker, _: SocketKite) -> None:
        stream = ticker.frames()
        await anext(stream)
        await until(lambda: any("< PING" in one.getMessage() for one in caplog.records))
        await stream.aclose()

    playing(play, _heartbeat)


def test_orders_are_handed_on_and_garbage_is_counted() -> None:
    orders: list[dict[str, Any]] = []

    async def handle(connection: ServerConnection, _: int) -> None:
        update = {"type": "order", "data": {"order_id": "1"}}
        texts = ["{", "[]", "7", "", '{"type":"order","data":[]}', '{"type":"message","data":1}']
        for text in [*texts, "[" * 5_000, json.dumps(update)]:
            await connection.send(text)
        await connection.send('{"type":"error","data":"too many instruments"}')
        for payload in (b"\x00\x02\x00\xff", FULL[:300], HEARTBEAT):
            await connection.send(payload)
        await _for_ever(connection)

    async def play(ticker: Ticker, _: SocketKite) -> None:
        assert [len(frame) for frame in await take(ticker, 3)] == [0, 1, 0]
        assert orders == [{"order_id": "1"}]
        assert ticker.counters.order_updates == 1
        assert ticker.counters.unreadable == 5
        assert ticker.counters.broken_packets == 2 + 2
        assert ticker.counters.reconnects == 0

    with capture_logs() as logs:
        playing(play, handle, on_order=orders.append)
    assert [log["error"] for log in logs if log["event"] == "Kite's ticker says"] == [
        "too many instruments"
    ]


def test_a_text_that_is_no_text_costs_the_connection_and_nothing_else() -> None:
    async def handle(connection: ServerConnection, number: int) -> None:
        if number == 0:
            connection.transport.write(b"\x81\x02\xff\xff")  # text frame, not UTF-8
        await connection.send(HEARTBEAT)
        await _for_ever(connection)

    async def play(ticker: Ticker, _: SocketKite) -> None:
        await take(ticker, 1)
        assert ticker.counters.reconnects == 1

    playing(play, handle)


async def _heartbeat(connection: ServerConnection, _: int) -> None:
    await connection.send(HEARTBEAT)
    await _for_ever(connection)


def test_too_many_connections_are_waited_out() -> None:
    async def play(ticker: Ticker, kite: SocketKite) -> None:
        began = asyncio.get_running_loop().time()
        await take(ticker, 1)
        assert len(kite.asked) == 4
        assert asyncio.get_running_loop().time() - began >= 2 * 0.3, "two times too many"
        counts = ticker.counts()
        assert (counts["reconnects"], counts["failures"], counts["too_many"]) == (0, 3, 2)

    def refuse(_: str, attempt: int) -> int | None:
        return (429, 503, 429, None)[attempt]

    with capture_logs() as logs:
        playing(play, _heartbeat, refuse, cool_down_seconds=0.3)
    assert [log["reason"] for log in logs] == ["HTTP 429", "HTTP 503", "HTTP 429"]


def test_a_refused_session_ends_the_frames_and_is_not_tried_again() -> None:
    async def play(ticker: Ticker, kite: SocketKite) -> None:
        for _ in range(3):
            with pytest.raises(SessionExpired) as caught:
                await take(ticker, 1)
            assert TOKEN not in repr(caught.value)
        assert len(kite.asked) == 1

    playing(play, _heartbeat, lambda _path, _number: 403)


def test_a_newer_token_is_tried_at_once() -> None:
    tokens = iter(["over", "newer"])

    async def play(ticker: Ticker, kite: SocketKite) -> None:
        await take(ticker, 1)
        assert [path.rpartition("=")[2] for path in kite.asked] == ["over", "newer"]

    playing(
        play,
        _heartbeat,
        lambda path, _: 403 if "over" in path else None,
        session=lambda: session(next(tokens)),
    )


def test_an_open_connection_outlives_its_session_and_only_a_new_one_needs_another() -> None:
    is_over, end = [False], asyncio.Event()
    frames: list[DecodedFrame] = []

    def current() -> KiteSession:
        if is_over[0]:
            raise SessionExpired("the session is over")
        return session()

    async def beat(connection: ServerConnection, _: int) -> None:
        while not end.is_set():
            await connection.send(HEARTBEAT)
            await asyncio.sleep(0.01)

    async def read(ticker: Ticker) -> None:
        async for frame in ticker.frames():
            frames.append(frame)
            is_over[0] = True
            if len(frames) == 10:
                end.set()

    async def play(ticker: Ticker, kite: SocketKite) -> None:
        with pytest.raises(SessionExpired):
            await read(ticker)
        assert len(frames) >= 10
        assert len(kite.asked) == 1

    playing(play, beat, session=current)


def test_no_session_is_said_by_the_session() -> None:
    def nobody() -> KiteSession:
        raise SessionMissing("log in")

    async def play(ticker: Ticker, _: SocketKite) -> None:
        with pytest.raises(SessionMissing):
            await take(ticker, 1)

    playing(play, _heartbeat, session=nobody)


def test_closing_ends_the_frames() -> None:
    async def play(ticker: Ticker, _: SocketKite) -> None:
        async for _frame in ticker.frames():
            await ticker.close()
        assert [frame async for frame in ticker.frames()] == []

    playing(play, _heartbeat)


def test_an_address_where_nobody_listens_is_tried_until_closed() -> None:
    async def play(_: Ticker, kite: SocketKite) -> None:
        address = kite.address.__class__(
            "key", root="http://127.0.0.1:1", ws_root="ws://127.0.0.1:1"
        )
        ticker = Ticker(address, session, backoff=Backoff(0.01, 0.02))
        asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(ticker.close()))
        assert [frame async for frame in ticker.frames()] == []

    playing(play, _heartbeat)


def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def handle(connection: ServerConnection, number: int) -> None:
        await connection.send(HEARTBEAT)
        if number == 0:
            await connection.close()
        await _for_ever(connection)

    async def play(ticker: Ticker, _: SocketKite) -> None:
        await take(ticker, 2)

    with capture_logs() as logs:
        playing(play, handle, lambda _path, attempt: 500 if attempt == 0 else None)
    assert logs
    assert TOKEN not in repr(logs)
    ours = [record for record in caplog.records if not record.name.startswith("websockets.server")]
    assert TOKEN not in repr([record.getMessage() for record in ours])
