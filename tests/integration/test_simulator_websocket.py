"""The simulated exchange's websocket, seen from the client's side."""

import asyncio
import json
import socket as sockets
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from libs.broker.kite.frames import decode
from tests.integration.simulators import Desk, at_desk, frame, heard, lengths, tell, until, update

INFY, RELIANCE, NIFTY = "INFY", "RELIANCE", "NIFTY 50"


@pytest.mark.parametrize(("mode", "expected"), [("ltp", 8), ("quote", 44), ("full", 184)])
def test_a_mode_says_how_long_packets_are(mode: str, expected: int) -> None:
    async def play(desk: Desk) -> None:
        token = desk.token(INFY)
        async with desk.socket() as socket:
            await tell(socket, "subscribe", [token])
            assert lengths(await frame(socket)) == [44]
            await tell(socket, "mode", [mode, [token]])
            assert lengths(await frame(socket)) == [expected]
            await desk.server.trade()
            await desk.server.tick()
            assert set(lengths(await frame(socket))) == {expected}

    at_desk(play)


def test_after_subscribing_a_snapshot_comes_at_once() -> None:
    async def play(desk: Desk) -> None:
        tokens = [desk.token(NIFTY), desk.token(INFY)]
        async with desk.socket() as socket:
            await tell(socket, "subscribe", tokens)
            assert lengths(await frame(socket)) == [28, 44]
            await tell(socket, "mode", ["full", tokens])
            snapshot = decode(await frame(socket)).columns(0)
            assert sorted(snapshot.instrument_token.tolist()) == sorted(tokens)
            assert snapshot.last_price.min() > 0

    at_desk(play)


def test_what_is_unsubscribed_is_sent_no_more() -> None:
    async def play(desk: Desk) -> None:
        tokens = [desk.token(NIFTY), desk.token(INFY)]
        async with desk.socket(*tokens) as socket:
            await tell(socket, "unsubscribe", tokens[:1])
            await until(lambda: len(desk.server.streams[0].subscription) == 1)
            await desk.seconds(3)
            assert set(lengths(await frame(socket))) == {184}

    at_desk(play)


def test_each_second_is_one_frame_and_all_are_counted() -> None:
    async def play(desk: Desk) -> None:
        async with desk.socket(desk.token(NIFTY)) as socket:
            await desk.seconds(50)
            for _ in range(50):
                assert decode(await frame(socket)).broken == 0
            assert desk.server.frames_sent == 52  # with the two snapshots
            assert desk.server.streams[0].counts.commands_taken == 2

    at_desk(play)


@pytest.mark.parametrize(
    "command", ["{", "[]", '{"a":"jump"}', '{"a":"subscribe","v":"x"}', '{"a":"mode","v":["full"]}']
)
def test_nonsense_is_answered_by_an_error_text(command: str) -> None:
    async def play(desk: Desk) -> None:
        async with desk.socket() as socket:
            await socket.send(command)
            message = json.loads(await heard(socket))
            assert message["type"] == "error"
            assert message["data"]
            await tell(socket, "subscribe", [desk.token(INFY)])
            assert lengths(await frame(socket)) == [44]

    at_desk(play)


def test_the_3001st_token_is_refused_and_the_others_stay() -> None:
    async def play(desk: Desk) -> None:
        async with desk.socket() as socket:
            await tell(socket, "subscribe", [desk.token(INFY), *range(1, 3000)])
            assert lengths(await frame(socket)) == [44]
            await tell(socket, "subscribe", [desk.token(NIFTY)])
            message = json.loads(await heard(socket))
            assert message["type"] == "error"
            assert "3000" in message["data"]
            assert len(desk.server.streams[0].subscription) == 3000
            await desk.seconds(3)
            assert 184 not in lengths(await frame(socket))

    at_desk(play)


def test_heartbeats_come_while_nothing_else_does() -> None:
    async def play(desk: Desk) -> None:
        async with desk.socket() as socket:
            for _ in range(3):
                assert await asyncio.wait_for(socket.recv(), 5) == b"\0"

    at_desk(play, heartbeat_seconds=0.02)


def test_an_order_update_reaches_every_connection_without_subscribing() -> None:
    async def play(desk: Desk) -> None:
        async with desk.socket(desk.token(INFY)) as one, desk.socket() as other:
            order_id = (await desk.buy()).json()["data"]["order_id"]
            await desk.seconds(2)
            for socket in (one, other):
                messages = [await update(socket) for _ in range(2)]
                assert {message["type"] for message in messages} == {"order"}
                assert {message["data"]["order_id"] for message in messages} == {order_id}
                assert [message["data"]["status"] for message in messages] == ["OPEN", "COMPLETE"]
            assert desk.server.postbacks_sent == 4
            assert [stream.counts.updates_sent for stream in desk.server.streams] == [2, 2]

    at_desk(play)


def test_updates_of_a_second_come_before_its_ticks() -> None:
    async def play(desk: Desk) -> None:
        async with desk.socket(desk.token(NIFTY)) as socket:
            await desk.buy()
            await desk.seconds(1)
            kinds = [type(await heard(socket)) for _ in range(3)]
            assert kinds == [str, str, bytes]

    at_desk(play)


@pytest.mark.parametrize("query", ["", "api_key=simulator&access_token=wrong", "access_token=x"])
def test_a_wrong_token_is_refused_on_the_upgrade(query: str) -> None:
    async def play(desk: Desk) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{desk.server.ws_url}?{query}")
        assert refused.value.response.status_code == 403

    at_desk(play)


def test_the_fourth_connection_is_refused_until_one_goes() -> None:
    async def play(desk: Desk) -> None:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(desk.socket())
            for _ in range(2):
                await stack.enter_async_context(desk.socket())
            with pytest.raises(InvalidStatus) as refused:
                await stack.enter_async_context(desk.socket())
            assert refused.value.response.status_code == 429
            await first.close()
            await until(lambda: len(desk.server.streams) == 2)
            await stack.enter_async_context(desk.socket())

    at_desk(play, limits=True)


def test_waiting_for_subscribers_ends_with_the_first_one() -> None:
    async def play(desk: Desk) -> None:
        assert not desk.server.has_subscribers
        waiting = asyncio.create_task(desk.server.wait_for_subscribers())
        async with desk.socket() as socket:
            assert not waiting.done()
            await tell(socket, "subscribe", [desk.token(INFY)])
            await asyncio.wait_for(waiting, 5)
            assert desk.server.has_subscribers
        await until(lambda: not desk.server.streams)
        assert not desk.server.has_subscribers

    at_desk(play)


async def stop_reading(socket: ClientConnection) -> None:
    """Make the sockets' buffers small and read nothing from now on."""
    raw: sockets.socket = socket.transport.get_extra_info("socket")
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 200_000)
    socket.transport.pause_reading()


def test_a_slow_reader_holds_the_steps_up_and_loses_nothing() -> None:
    async def play(desk: Desk) -> None:
        tokens = [one.instrument_token for one in desk.server.exchange.instruments]
        async with desk.socket(*tokens) as socket:
            await stop_reading(socket)
            stepping = asyncio.create_task(desk.seconds(300))
            done, _ = await asyncio.wait({stepping}, timeout=0.7)
            assert not done
            socket.transport.resume_reading()
            sent = 0
            while sent < 300:
                await frame(socket)
                sent += 1
            await stepping

    at_desk(play, option_seconds=1)


def test_at_a_free_pace_a_slow_reader_is_left_behind_and_the_others_are_not() -> None:
    async def play(desk: Desk) -> None:
        tokens = [one.instrument_token for one in desk.server.exchange.instruments]
        stopping = asyncio.Event()
        async with desk.socket(*tokens) as slow, desk.socket(desk.token(NIFTY)) as quick:
            await stop_reading(slow)
            running = asyncio.create_task(desk.server.run(stopping))
            while not desk.server.streams[0].counts.seconds_left_out:
                await frame(quick)
            stopping.set()
            await running
            assert desk.server.streams[1].counts.seconds_left_out == 0
            slow.transport.abort()

    at_desk(play, option_seconds=1, speed=10_000, unsent_messages=3)


def test_the_market_runs_by_itself_at_a_speed_with_pauses() -> None:
    async def play(desk: Desk) -> None:
        stopping = asyncio.Event()
        running = asyncio.create_task(desk.server.run(stopping))
        async with desk.socket(desk.token(NIFTY)) as socket:
            assert (await desk.http.post("/control/speed", json={"speed": 500})).status_code == 200
            for _ in range(20):
                await frame(socket)
            await desk.http.post("/control/pause")
            before = (await desk.http.get("/control/state")).json()["data"]
            await asyncio.sleep(0.1)
            after = (await desk.http.get("/control/state")).json()["data"]
            assert (before["is_paused"], after["now_ms"]) == (True, before["now_ms"])
            await desk.http.post("/control/resume")
            await until(lambda: desk.server.exchange.now_ms > after["now_ms"])
        stopping.set()
        await running

    at_desk(play)


def test_a_connection_that_takes_nothing_any_more_is_broken_at_the_end_of_its_session() -> None:
    async def play(desk: Desk) -> None:
        tokens = [one.instrument_token for one in desk.server.exchange.instruments]
        async with desk.socket(*tokens) as socket:
            await stop_reading(socket)
            stepping = asyncio.create_task(desk.seconds(300))
            await asyncio.wait({stepping}, timeout=0.7)
            assert not stepping.done()
            desk.server.streams[0].end()
            await asyncio.wait_for(stepping, 10)
            await until(lambda: not desk.server.streams)
            socket.transport.abort()

    at_desk(play, option_seconds=1)
