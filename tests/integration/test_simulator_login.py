"""Logging in at the simulated exchange, and the end of sessions."""

from datetime import time, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from libs.broker.errors import LoginRefused
from libs.runtime.settings import KiteSettings
from services.local.commands.kite_login import log_in
from services.simulator.domain.india_time import at_time
from tests.integration.simulators import Client, at_desk, frame, lengths
from tests.unit.services.simulator import plays

ONE_DAY = timedelta(days=1)
PAGE = "/connect/login?api_key=simulator&v=3"


async def profile_status(client: Client, authorization: str | None = None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    return (await client.http.get("/user/profile", headers=headers)).status_code


def test_the_login_page_has_one_button_that_leads_back_to_the_app() -> None:
    async def play(client: Client) -> None:
        page = await client.http.get(PAGE)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert page.text.count("<button") == 1
        answer = await client.http.post(PAGE)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("http://127.0.0.1:5000/back?")
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        assert (query["action"], query["status"], query["kept"]) == (["login"], ["success"], ["1"])
        form = client.exchange_form(query["request_token"][0])
        assert (await client.http.post("/session/token", data=form)).status_code == 200

    at_desk(play, redirect_url="http://127.0.0.1:5000/back?kept=1")


def test_without_an_app_to_go_back_to_the_token_is_shown() -> None:
    async def play(client: Client) -> None:
        page = (await client.http.post(PAGE)).text
        request_token = page.partition("<code>")[2].partition("</code>")[0]
        form = client.exchange_form(request_token)
        reply = (await client.http.post("/session/token", data=form)).json()["data"]
        assert reply["user_id"] == "SIM001"
        assert reply["broker"] == "SIMULATOR"
        assert reply["login_time"].startswith("2026-06-17 09:15:")

    at_desk(play)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_app_is_shown_no_page(method: str) -> None:
    async def play(client: Client) -> None:
        reply = await client.http.request(method, "/connect/login?api_key=other&v=3")
        assert (reply.status_code, reply.json()["error_type"]) == (400, "InputException")

    at_desk(play)


def test_a_request_token_serves_once() -> None:
    async def play(client: Client) -> None:
        form = client.exchange_form(client.server.log_in()[1])
        statuses = [
            (await client.http.post("/session/token", data=form)).status_code for _ in range(2)
        ]
        assert statuses == [200, 403]

    at_desk(play)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"api_secret": "guessed"}, "the API secret is wrong"),
        ({"api_key": "other"}, "the API key is wrong"),
        ({"request_token": "spent"}, "the request token was used before"),
    ],
)
def test_the_client_says_which_part_of_a_login_is_wrong(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    async def play(client: Client) -> None:
        right = {"api_key": "simulator", "api_secret": "simulator-secret"}
        form = {**right, "request_token": client.server.log_in()[1], **wrong}
        settings = KiteSettings(
            api_key=form["api_key"],
            api_secret=SecretStr(form["api_secret"]),
            root=client.server.url,
            session_file=tmp_path / "session.json",
        )
        with pytest.raises(LoginRefused, match=said):
            await log_in(settings, form["request_token"])
        assert not settings.session_file.exists()

    at_desk(play)


def test_a_wrong_secret_opens_nothing() -> None:
    async def play(client: Client) -> None:
        form = client.exchange_form(client.server.log_in()[1], api_secret="guessed")
        reply = await client.http.post("/session/token", data=form)
        assert (reply.status_code, reply.json()["error_type"]) == (403, "TokenException")

    at_desk(play)


def test_a_login_without_its_fields_is_malformed() -> None:
    async def play(client: Client) -> None:
        reply = await client.http.post("/session/token", data={"api_key": "simulator"})
        assert (reply.status_code, reply.json()["error_type"]) == (400, "InputException")

    at_desk(play)


@pytest.mark.parametrize(
    "authorization", ["", "token simulator:wrong", "token other:x", "Bearer x", "token simulator"]
)
def test_without_the_right_keys_every_route_is_closed(authorization: str) -> None:
    async def play(client: Client) -> None:
        assert await profile_status(client, authorization) == 403

    at_desk(play)


def test_a_websocket_outlives_its_session_and_only_new_ones_are_refused() -> None:
    async def play(client: Client) -> None:
        old = client.http.headers["Authorization"]
        async with client.socket(client.token("INFY")) as socket:
            await client.log_in()
            assert await profile_status(client, old) == 403
            assert await profile_status(client) == 200
            await client.seconds(1)
            assert lengths(await frame(socket)) == [184]
            query = f"api_key={client.api_key}&access_token={old.rpartition(':')[2]}"
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{client.server.ws_url}?{query}")
            assert refused.value.response.status_code == 403

    at_desk(play)


def test_after_logging_out_the_token_opens_nothing() -> None:
    async def play(client: Client) -> None:
        keys = {"api_key": client.api_key, "access_token": client.access_token}
        reply = await client.http.delete("/session/token", params=keys)
        assert reply.json() == {"status": "success", "data": True}
        assert await profile_status(client) == 403
        assert (await client.http.delete("/session/token", params=keys)).status_code == 403

    at_desk(play)


def test_there_are_no_refresh_tokens() -> None:
    async def play(client: Client) -> None:
        reply = await client.http.post("/session/refresh_token", data={"refresh_token": "x"})
        assert (reply.status_code, reply.json()["error_type"]) == (403, "TokenException")

    at_desk(play)


def test_the_session_ends_at_six_in_the_morning_by_the_exchanges_clock() -> None:
    open_ms, six_ms = at_time(plays.DAY, time(9, 15)), at_time(plays.DAY + ONE_DAY, time(6))
    market = plays.ScriptedMarket(plays.second_frames(open_ms, [1000.0] * 3))

    async def play(client: Client) -> None:
        exchange = client.server.exchange
        while exchange.now_ms < six_ms - 1000:
            exchange.trade()
        assert exchange.is_over
        assert await profile_status(client) == 200
        await client.seconds(1)
        assert exchange.now_ms == six_ms
        assert await profile_status(client) == 403

    at_desk(play, market)


def test_a_reply_names_the_error_in_kites_way() -> None:
    async def play(client: Client) -> None:
        async with httpx.AsyncClient(base_url=client.server.url) as stranger:
            reply = await stranger.get("/orders")
        assert reply.json() == {
            "status": "error",
            "message": "Incorrect `api_key` or `access_token`.",
            "error_type": "TokenException",
            "data": None,
        }

    at_desk(play)
