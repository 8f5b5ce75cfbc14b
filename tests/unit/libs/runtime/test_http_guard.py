"""Which requests reach an endpoint, and what is read of the others."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from libs.runtime import http_guard
from libs.runtime.access import Access, AccessToken, hash_of
from libs.runtime.http_guard import MOST_BYTES, Guard

OWN = AccessToken(name="own", scope="read", sha256=hash_of("secret"))


class Echo:
    """Answers with the body, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        body = await Request(scope, receive).body()
        await PlainTextResponse(body)(scope, receive, send)


def ask(guard: Guard, method: str = "GET", path: str = "/info", **more: object) -> httpx.Response:
    async def story() -> httpx.Response:
        transport = httpx.ASGITransport(app=guard)
        base = "http://127.0.0.1:8101"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **more)  # type: ignore[arg-type]

    return asyncio.run(story())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8101",
        "localhost:8101",
        "LOCALHOST",
        "[::1]:8101",
        "10.3.0.7:8101",
        "executor:8101",
        "up.localhost",
        "trading.example.in",
        "trading.example.in.:8101",
    ],
)
def test_a_name_that_no_page_elsewhere_can_have_is_answered(host: str) -> None:
    guard = Guard(Echo(), hosts=("Trading.example.in",))
    assert ask(guard, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8101", "a b.c", "[x"]
)
def test_a_name_that_was_pointed_here_is_refused(host: str) -> None:
    echo = Echo()
    answer = ask(Guard(echo), headers={"host": host})
    assert answer.status_code == 421
    assert "runtime.hosts" in answer.json()["detail"]
    assert not echo.asked


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_of_another_page_is_refused(method: str, headers: dict[str, str]) -> None:
    echo = Echo()
    assert ask(Guard(echo), method, headers=headers).status_code == 403
    assert not echo.asked


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "", "//"])
def test_an_origin_that_is_no_address_is_refused(origin: str) -> None:
    echo = Echo()
    assert ask(Guard(echo), "POST", headers={"origin": origin}).status_code == 403
    assert echo.asked == 0


def test_our_own_page_and_a_link_to_it_are_answered() -> None:
    own = {"origin": "http://127.0.0.1:8101", "sec-fetch-site": "same-origin"}
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert ask(Guard(Echo()), "POST", headers=own).status_code == 200
    assert ask(Guard(Echo()), "GET", headers=link).status_code == 200
    assert ask(Guard(Echo()), "POST", headers=link).status_code == 403


def test_a_body_arrives_whole_up_to_its_bound_and_no_further() -> None:
    echo = Echo()
    whole = b"x" * MOST_BYTES
    assert ask(Guard(echo), "POST", content=whole).content == whole
    assert ask(Guard(echo), "POST", content=whole + b"x").status_code == 413
    assert echo.asked == 1


def test_a_body_that_says_no_length_is_read_up_to_its_bound() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1000 * MOST_BYTES:
            sent += MOST_BYTES
            yield b"x" * MOST_BYTES

    async def story() -> int:
        parts = endless()

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": await anext(parts), "more_body": True}

        statuses: list[int] = []

        async def send(message: dict[str, object]) -> None:
            if "status" in message:
                statuses.append(message["status"])  # type: ignore[arg-type]

        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await Guard(Echo())(scope, receive, send)  # type: ignore[arg-type]
        return statuses[0]

    assert asyncio.run(story()) == 413
    assert sent <= 2 * MOST_BYTES


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_guard, "BODY_SECONDS", 0.01)

    async def story() -> int:
        async def receive() -> dict[str, object]:
            await asyncio.Event().wait()
            raise AssertionError

        statuses: list[int] = []

        async def send(message: dict[str, object]) -> None:
            if "status" in message:
                statuses.append(message["status"])  # type: ignore[arg-type]

        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await Guard(Echo())(scope, receive, send)  # type: ignore[arg-type]
        return statuses[0]

    assert asyncio.run(story()) == 408


def test_a_request_that_is_cut_off_is_not_carried_out() -> None:
    async def story() -> list[int]:
        echo, statuses = Echo(), list[int]()
        parts: list[Message] = [
            {"type": "http.request", "body": b"{}", "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Message:
            return parts.pop(0)

        async def send(message: Message) -> None:
            if "status" in message:
                statuses.append(message["status"])

        headers = [(b"host", b"127.0.0.1"), (b"content-length", b"20")]
        scope = {"type": "http", "method": "POST", "path": "/info", "headers": headers}
        await Guard(echo)(scope, receive, send)
        assert echo.asked == 0
        return statuses

    assert asyncio.run(story()) == [400]


def test_of_a_stranger_nothing_is_read_where_a_token_is_needed() -> None:
    echo = Echo()
    guard = Guard(echo, private={"control": Access((OWN,), per_minute=2)}, now_ms=lambda: 0)
    wrong = {"authorization": "Bearer guessed"}
    answers = [ask(guard, "POST", "/control/halt", content=b"{no json") for _ in range(2)]
    assert [one.status_code for one in answers] == [401, 401]
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert ask(guard, "POST", "/control", headers=wrong).status_code == 429
    assert not echo.asked
    assert ask(guard, "GET", "/info").status_code == 200
    right = {"authorization": "Bearer secret"}
    assert ask(guard, "POST", "/control/halt", headers=right).status_code == 200


def test_a_halt_of_a_known_token_is_never_too_often() -> None:
    access = Access((OWN,), per_minute=1)
    access.admit("secret", "read", 0)
    for _ in range(100):
        access.admit("secret", "read", 0, is_urgent=True)
