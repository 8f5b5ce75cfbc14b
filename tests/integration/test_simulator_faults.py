"""Every kind of fault of the simulated exchange, seen from the client's side."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from libs.broker.kite.frames import decode
from libs.runtime.settings import SettingsError
from services.simulator.assembly import make_exchange
from tests.integration.simulators import (
    Client,
    at_desk,
    frame,
    heard,
    lengths,
    settings_of,
    small_market,
    update,
)


async def order_count(client: Client) -> int:
    return len((await client.http.get("/orders")).json()["data"])


@pytest.mark.parametrize(("kind", "carried_out"), [("lose_reply", 1), ("lose_request", 0)])
def test_a_connection_ends_without_an_answer(kind: str, carried_out: int) -> None:
    async def play(client: Client) -> None:
        await client.fault(kind=kind, method="POST", path="/orders")
        with pytest.raises(httpx.TransportError):
            await client.buy()
        assert await order_count(client) == carried_out
        assert (await client.buy()).status_code == 200
        assert await client.hits() == [1]

    at_desk(play)


def test_a_request_hangs_and_is_never_carried_out() -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="hang", method="POST", seconds=0.2)
        with pytest.raises(httpx.ReadTimeout):
            await client.http.post("/orders/regular", data={}, timeout=0.05)
        await client.fault(kind="hang", method="POST", seconds=0.05)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.buy()
        assert await order_count(client) == 0

    at_desk(play)


@pytest.mark.parametrize(("when", "carried_out"), [("before", 0), ("after", 1)])
def test_a_delay_is_before_or_after_the_carrying_out(when: str, carried_out: int) -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="delay", method="POST", seconds=0.3, when=when)
        buying = asyncio.create_task(client.buy())
        await asyncio.sleep(0.1)
        assert await order_count(client) == carried_out
        assert (await buying).status_code == 200
        assert await order_count(client) == 1

    at_desk(play)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(("when", "carried_out"), [("before", 0), ("after", 1)])
def test_a_status_of_trouble_says_nothing_about_the_order(
    status: int, when: str, carried_out: int
) -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="status", method="POST", status=status, when=when)
        assert (await client.buy()).status_code == status
        assert await order_count(client) == carried_out

    at_desk(play)


@pytest.mark.parametrize(
    ("kind", "status", "error_type"),
    [("token", 403, "TokenException"), ("limit", 429, "NetworkException")],
)
def test_a_request_is_refused_in_kites_words(kind: str, status: int, error_type: str) -> None:
    async def play(client: Client) -> None:
        await client.fault(kind=kind, path="/quote")
        reply = await client.http.get("/quote?i=NSE:INFY")
        assert (reply.status_code, reply.json()["error_type"]) == (status, error_type)
        assert (await client.http.get("/quote?i=NSE:INFY")).status_code == 200

    at_desk(play)


@pytest.mark.parametrize("status", [200, 502])
def test_a_web_page_comes_instead_of_json(status: int) -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="html", path="/orders", status=status)
        reply = await client.http.get("/orders")
        assert (reply.status_code, reply.headers["content-type"][:9]) == (status, "text/html")

    at_desk(play)


def test_a_fault_hits_so_many_of_what_it_matches_after_some_that_pass() -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="status", path="/trades", status=503, times=2, skip=1)
        await client.http.get("/orders")
        statuses = [(await client.http.get("/trades")).status_code for _ in range(4)]
        assert statuses == [200, 503, 503, 200]
        assert await client.hits() == [2]

    at_desk(play)


def test_an_order_update_is_repeated() -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="repeat_update", copies=3)
        async with client.socket() as socket:
            await client.buy()
            await client.seconds(2)
            first = await update(socket)
            assert [await update(socket) for _ in range(2)] == [first] * 2

    at_desk(play)


def test_an_order_update_is_lost() -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="lose_update", times=2)
        async with client.socket() as socket:
            await client.buy()
            await client.seconds(2)
            later = (await client.buy()).json()["data"]["order_id"]
            await client.seconds(2)
            assert (await update(socket))["data"]["order_id"] == later

    at_desk(play)


@pytest.mark.parametrize("clock", ["market", "wall"])
def test_an_order_update_comes_later(clock: str) -> None:
    async def play(client: Client) -> None:
        seconds = 3 if clock == "market" else 0.2
        await client.fault(kind="delay_update", seconds=seconds, clock=clock, times=2)
        async with client.socket(client.token("NIFTY 50")) as socket:
            await client.buy()
            await client.seconds(1)
            assert isinstance(await heard(socket), bytes)
            if clock == "market":
                await client.seconds(3)
            late = [(await update(socket))["data"]["status"] for _ in range(2)]
            assert late == ["OPEN", "COMPLETE"]

    at_desk(play)


def test_a_connection_falls_silent_and_stays_open() -> None:
    async def play(client: Client) -> None:
        async with client.socket(client.token("NIFTY 50")) as socket:
            await client.fault(kind="silence", seconds=0.3)
            await client.seconds(5)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 0.1)
            assert await asyncio.wait_for(socket.recv(), 5) == b"\0"
            await client.seconds(1)
            assert lengths(await frame(socket)) == [32]

    at_desk(play, heartbeat_seconds=0.05)


def test_a_connection_breaks_without_a_handshake_and_the_other_stays() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as one, client.socket(client.token("NIFTY 50")) as other:
            await client.fault(kind="close", connection=1)
            with pytest.raises(ConnectionClosed) as closed:
                await heard(one)
            assert closed.value.rcvd is None
            await client.seconds(1)
            assert lengths(await frame(other)) == [32]

    at_desk(play)


@pytest.mark.parametrize("what", ["count", "cut", "length", "random"])
def test_a_frame_is_garbage_and_the_next_is_sound(what: str) -> None:
    async def play(client: Client) -> None:
        async with client.socket(client.token("NIFTY 50"), client.token("INFY")) as socket:
            await client.fault(kind="garbage", what=what)
            assert decode(await frame(socket)).broken > 0
            await client.seconds(1)
            assert decode(await frame(socket)).broken == 0

    at_desk(play)


def test_upgrades_are_refused() -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="refuse", status=503, times=2)
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                async with client.socket():
                    raise AssertionError
            assert refused.value.response.status_code == 503
        async with client.socket():
            assert await client.hits() == [2]

    at_desk(play)


async def last_price(client: Client) -> float:
    quote = (await client.http.get("/quote/ltp?i=NSE:INFY")).json()["data"]["NSE:INFY"]
    price: float = quote["last_price"]
    return price


@pytest.mark.parametrize("path", ["/control/market", "/control/faults"])
def test_the_market_jumps(path: str) -> None:
    async def play(client: Client) -> None:
        before = await last_price(client)
        fields = {"kind": "jump", "tradingsymbol": "INFY", "factor": 0.9}
        assert (await client.http.post(path, json=fields)).status_code == 200
        await client.seconds(10)
        assert await last_price(client) == pytest.approx(0.9 * before, rel=0.01)

    at_desk(play)


def test_the_market_halts_and_goes_on() -> None:
    async def play(client: Client) -> None:
        fields = {"kind": "halt", "scope": "NSE:INFY", "seconds": 10}
        assert (await client.http.post("/control/market", json=fields)).status_code == 200
        before = await last_price(client)
        await client.seconds(8)
        assert await last_price(client) == before
        await client.seconds(10)
        assert await last_price(client) != before

    at_desk(play)


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("faults", {"kind": "lost"}, "kind: 'lost' is none of lose_reply"),
        ("faults", {"path": "/"}, "kind"),
        ("faults", {"kind": "lose_reply", "seconds": 3}, "lose_reply: seconds: unknown field"),
        ("faults", {"kind": "status"}, "status: status:"),
        ("faults", {"kind": "status", "status": 404}, "status: status:"),
        ("faults", {"kind": "silence", "seconds": 0}, "silence: seconds:"),
        ("faults", {"kind": "token", "at": "25:00"}, "token: at:"),
        ("faults", {"kind": "token", "path": "orders"}, "token: path:"),
        ("faults", {"kind": "jump", "tradingsymbol": "ACME", "factor": 2}, "ACME"),
        ("market", {"kind": "halt", "scope": "NSE:ACME", "seconds": 2}, "ACME"),
        ("market", {"kind": "token"}, "kind"),
        ("faults", [3], "object"),
        ("speed", {"speed": 3}, "stepped"),
        ("speed", {"speed": -1}, "speed"),
    ],
)
def test_what_cannot_be_is_refused_by_a_line_that_names_it(
    path: str, fields: Any, named: str
) -> None:
    async def play(client: Client) -> None:
        reply = await client.http.post(f"/control/{path}", json=fields)
        assert reply.status_code in (400, 404)
        message = reply.json()["message"]
        assert named in message
        assert "\n" not in message
        assert await client.hits() == []

    at_desk(play)


def test_faults_are_listed_and_removed() -> None:
    async def play(client: Client) -> None:
        booked = await client.http.post("/control/faults", json=[{"kind": "token"}] * 2)
        assert [one["number"] for one in booked.json()["data"]] == [1, 2]
        assert (await client.http.delete("/control/faults/1")).status_code == 200
        assert (await client.http.delete("/control/faults/1")).status_code == 404
        assert len(await client.hits()) == 1
        await client.http.delete("/control/faults")
        assert await client.hits() == []

    at_desk(play)


def test_the_control_interface_is_for_this_machine_alone() -> None:
    async def play(client: Client) -> None:
        listener = client.server._listener
        assert listener is not None
        transport = httpx.ASGITransport(listener._server.config.loaded_app, client=("10.0.0.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as far:
            assert (await far.get("/control/state")).status_code == 404

    at_desk(play)


def test_an_order_update_comes_over_the_websocket_before_the_reply_of_the_placing() -> None:
    async def play(client: Client) -> None:
        await client.fault(kind="early_update")
        await client.fault(kind="delay", method="POST", path="/orders", seconds=0.3, when="after")
        async with client.socket() as socket:
            placing = asyncio.create_task(client.buy())
            states = [(await update(socket))["data"]["status"] for _ in range(2)]
            assert (states, placing.done()) == (["OPEN", "COMPLETE"], False)
            assert (await placing).status_code == 200
            assert await client.hits() == [1, 1]

    at_desk(play)


def test_something_happens_to_the_account_now_or_at_the_next_second(tmp_path: Path) -> None:
    hand = {
        "kind": "trade_by_hand",
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": 3,
        "product": "MIS",
    }

    async def play(client: Client) -> None:
        assert (await client.http.post("/control/account", json=hand)).status_code == 200
        assert await order_count(client) == 1
        await client.seconds(1)
        await client.fault(kind="square_off")
        await client.seconds(2)
        net = (await client.http.get("/portfolio/positions")).json()["data"]["net"]
        assert [row["quantity"] for row in net] == [0]
        refused = await client.http.post("/control/account", json={"kind": "late_fill"})
        assert (refused.status_code, "book it" in refused.json()["message"]) == (400, True)

    at_desk(play, state=tmp_path / "account.json")


def test_a_session_ends_for_requests_and_leaves_its_websocket_open() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await client.buy()
            await client.http.post("/control/account", json={"kind": "end_session"})
            assert (await client.http.get("/orders")).status_code == 403
            await client.seconds(1)
            states = [(await update(socket))["data"]["status"] for _ in range(2)]
            assert states == ["OPEN", "COMPLETE"]

    at_desk(play)


def test_a_schedule_befalls_the_day_at_its_times(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(
        """
        [[faults]]
        at = "09:15:06"
        kind = "status"
        status = 502
        path = "/trades"

        [[faults]]
        at = 09:15:08
        kind = "close"
        """
    )

    async def play(client: Client) -> None:
        async with client.socket() as socket:
            assert (await client.http.get("/trades")).status_code == 200
            await client.seconds(4)
            assert (await client.http.get("/trades")).status_code == 502
            assert await client.hits() == [1, 0]
            await client.seconds(2)
            with pytest.raises(ConnectionClosed):
                await heard(socket)
            assert await client.hits() == [1, 1]

    at_desk(play, faults=file)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[[faults]]\nkind = "lost"', "lose_reply"),
        ("faults = 3", "nothing else"),
        ("[other]", "nothing else"),
        ("[[", "faults.toml"),
    ],
)
def test_a_schedule_that_cannot_be_stops_the_start(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=named):
        make_exchange(settings_of(faults=file), small_market())


def test_a_schedule_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml"):
        make_exchange(settings_of(faults=tmp_path / "none.toml"), small_market())
