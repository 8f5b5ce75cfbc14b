"""The simulated exchange's websocket, seen from the client's side."""

import asyncio
import json
import socket as sockets
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from libs.broker.kite.frames import decode
from tests.integration.simulators import Client, at_desk, frame, heard, lengths, tell, until, update

INFY, RELIANCE, NIFTY = "INFY", "RELIANCE", "NIFTY 50"


@pytest.mark.parametrize(("mode", "expected"), [("ltp", 8), ("quote", 44), ("full", 184)])
def test_a_mode_says_how_long_packets_are(mode: str, expected: int) -> None:
    async def play(client: Client) -> None:
        token = client.token(INFY)
        async with client.socket() as socket:
            await tell(socket, "subscribe", [token])
            assert lengths(await frame(socket)) == [44]
            await tell(socket, "mode", [mode, [token]])
            assert lengths(await frame(socket)) == [expected]
            await client.server.trade()
            await client.server.tick()
            assert set(lengths(await frame(socket))) == {expected}

    at_desk(play)


def test_after_subscribing_a_snapshot_comes_at_once() -> None:
    async def play(client: Client) -> None:
        tokens = [client.token(NIFTY), client.token(INFY)]
        async with client.socket() as socket:
            await tell(socket, "subscribe", tokens)
            assert lengths(await frame(socket)) == [28, 44]
            await tell(socket, "mode", ["full", tokens])
            snapshot = decode(await frame(socket)).columns(0)
            assert sorted(snapshot.instrument_token.tolist()) == sorted(tokens)
            assert snapshot.last_price.min() > 0

    at_desk(play)


def test_what_is_unsubscribed_is_sent_no_more() -> None:
    async def play(client: Client) -> None:
        tokens = [client.token(NIFTY), client.token(INFY)]
        async with client.socket(*tokens) as socket:
            await tell(socket, "unsubscribe", tokens[:1])
            await until(lambda: len(client.server.streams[0].subscription) == 1)
            await client.seconds(3)
            assert set(lengths(await frame(socket))) == {184}

    at_desk(play)


def test_each_second_is_one_frame_and_all_are_counted() -> None:
    async def play(client: Client) -> None:
        async with client.socket(client.token(NIFTY)) as socket:
            await client.seconds(50)
            for _ in range(50):
                assert decode(await frame(socket)).broken == 0
            assert client.server.frames_sent == 52  # with the two snapshots
            assert client.server.streams[0].counts.commands_taken == 2

    at_desk(play)


@pytest.mark.parametrize(
    "command", ["{", "[]", '{"a":"jump"}', '{"a":"subscribe","v":"x"}', '{"a":"mode","v":["full"]}']
)
def test_nonsense_is_answered_by_an_error_text(command: str) -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.send(command)
            message = json.loads(await heard(socket))
            assert message["type"] == "error"
            assert message["data"]
            await tell(socket, "subscribe", [client.token(INFY)])
            assert lengths(await frame(socket)) == [44]

    at_desk(play)


def test_the_3001st_token_is_refused_and_the_others_stay() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await tell(socket, "subscribe", [client.token(INFY), *range(1, 3000)])
            assert lengths(await frame(socket)) == [44]
            await tell(socket, "subscribe", [client.token(NIFTY)])
            message = json.loads(await heard(socket))
            assert message["type"] == "error"
            assert "3000" in message["data"]
            assert len(client.server.streams[0].subscription) == 3000
            await client.seconds(3)
            assert 184 not in lengths(await frame(socket))

    at_desk(play)


def test_heartbeats_come_while_nothing_else_does() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            for _ in range(3):
                assert await asyncio.wait_for(socket.recv(), 5) == b"\0"

    at_desk(play, heartbeat_seconds=0.02)


def test_heartbeats_come_at_every_interval_also_while_ticks_flow() -> None:
    async def play(client: Client) -> None:
        stopping = asyncio.Event()
        running = asyncio.create_task(client.server.run(stopping))
        async with client.socket(client.token(NIFTY)) as socket:
            messages = [await asyncio.wait_for(socket.recv(), 5) for _ in range(60)]
            assert sum(len(message) > 1 for message in messages) >= 30
            assert messages.count(b"\0") >= 3
        stopping.set()
        await running

    at_desk(play, speed=200, heartbeat_seconds=0.03)


def test_an_order_update_reaches_every_connection_without_subscribing() -> None:
    async def play(client: Client) -> None:
        async with client.socket(client.token(INFY)) as one, client.socket() as other:
            order_id = (await client.buy()).json()["data"]["order_id"]
            await client.seconds(2)
            for socket in (one, other):
                messages = [await update(socket) for _ in range(2)]
                assert {message["type"] for message in messages} == {"order"}
                assert {message["data"]["order_id"] for message in messages} == {order_id}
                assert [message["data"]["status"] for message in messages] == ["OPEN", "COMPLETE"]
            assert client.server.postbacks_sent == 4
            assert [stream.counts.updates_sent for stream in client.server.streams] == [2, 2]

    at_desk(play)


def test_updates_of_a_second_come_before_its_ticks() -> None:
    async def play(client: Client) -> None:
        async with client.socket(client.token(NIFTY)) as socket:
            await client.buy()
            await client.seconds(1)
            kinds = [type(await heard(socket)) for _ in range(3)]
            assert kinds == [str, str, bytes]

    at_desk(play)


@pytest.mark.parametrize("query", ["", "api_key=simulator&access_token=wrong", "access_token=x"])
def test_a_wrong_token_is_refused_on_the_upgrade(query: str) -> None:
    async def play(client: Client) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{client.server.ws_url}?{query}")
        assert refused.value.response.status_code == 403

    at_desk(play)


def test_the_fourth_connection_is_refused_until_one_goes() -> None:
    async def play(client: Client) -> None:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(client.socket())
            for _ in range(2):
                await stack.enter_async_context(client.socket())
            with pytest.raises(InvalidStatus) as refused:
                await stack.enter_async_context(client.socket())
            assert refused.value.response.status_code == 429
            await first.close()
            await until(lambda: len(client.server.streams) == 2)
            await stack.enter_async_context(client.socket())

    at_desk(play, limits=True)


def test_waiting_for_subscribers_ends_with_the_first_one() -> None:
    async def play(client: Client) -> None:
        assert not client.server.has_subscribers
        waiting = asyncio.create_task(client.server.wait_for_subscribers())
        async with client.socket() as socket:
            assert not waiting.done()
            await tell(socket, "subscribe", [client.token(INFY)])
            await asyncio.wait_for(waiting, 5)
            assert client.server.has_subscribers
        await until(lambda: not client.server.streams)
        assert not client.server.has_subscribers

    at_desk(play)


async def stop_reading(socket: ClientConnection) -> None:
    """Make the sockets' buffers small and read nothing from now on."""
    raw: sockets.socket = socket.transport.get_extra_info("socket")
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 200_000)
    socket.transport.pause_reading()


def test_a_slow_reader_holds_the_steps_up_and_loses_nothing() -> None:
    async def play(client: Client) -> None:
        tokens = [one.instrument_token for one in client.server.exchange.instruments]
        async with client.socket(*tokens) as socket:
            await stop_reading(socket)
            stepping = asyncio.create_task(client.seconds(300))
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
    async def play(client: Client) -> None:
        tokens = [one.instrument_token for one in client.server.exchange.instruments]
        stopping = asyncio.Event()
        async with client.socket(*tokens) as slow, client.socket(client.token(NIFTY)) as quick:
            await stop_reading(slow)
            running = asyncio.create_task(client.server.run(stopping))
            while not client.server.streams[0].counts.seconds_left_out:
                await frame(quick)
            stopping.set()
            await running
            assert client.server.streams[1].counts.seconds_left_out == 0
            slow.transport.abort()

    at_desk(play, option_seconds=1, speed=10_000, unsent_messages=3)


def test_the_market_runs_by_itself_at_a_speed_with_pauses() -> None:
    async def play(client: Client) -> None:
        stopping = asyncio.Event()
        running = asyncio.create_task(client.server.run(stopping))
        async with client.socket(client.token(NIFTY)) as socket:
            assert (
                await client.http.post("/control/speed", json={"speed": 500})
            ).status_code == 200
            for _ in range(20):
                await frame(socket)
            await client.http.post("/control/pause")
            before = (await client.http.get("/control/state")).json()["data"]
            await asyncio.sleep(0.1)
            after = (await client.http.get("/control/state")).json()["data"]
            assert (before["is_paused"], after["now_ms"]) == (True, before["now_ms"])
            await client.http.post("/control/resume")
            await until(lambda: client.server.exchange.now_ms > after["now_ms"])
        stopping.set()
        await running

    at_desk(play)


def test_a_connection_that_takes_nothing_any_more_is_broken_at_the_end_of_its_session() -> None:
    async def play(client: Client) -> None:
        tokens = [one.instrument_token for one in client.server.exchange.instruments]
        async with client.socket(*tokens) as socket:
            await stop_reading(socket)
            stepping = asyncio.create_task(client.seconds(300))
            await asyncio.wait({stepping}, timeout=0.7)
            assert not stepping.done()
            client.server.streams[0].end()
            await asyncio.wait_for(stepping, 10)
            await until(lambda: not client.server.streams)
            socket.transport.abort()

    at_desk(play, option_seconds=1)
