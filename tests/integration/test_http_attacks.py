"""Attacks on the port of a service that somebody on this machine, or a page, can try."""

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from libs.runtime import http_connections
from libs.runtime.access import AccessToken, hash_of
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from services.executor.settings import ControlSettings, ExecutorSettings
from services.local.commands.control import ask
from services.local.commands.executor_client import Executor
from tests.integration.processes import HOST, free_ports
from tests.integration.served import Served, served
from tests.unit.services.executor.builders import one_trade
from tests.unit.services.executor.handling import paper_service

TOKEN = "right"
ATTACKERS = 300


def make(parts: Parts) -> Service:
    token = AccessToken(name="operator", scope="operate", sha256=hash_of(TOKEN))
    control = ControlSettings(tokens=(token,))
    return paper_service(ExecutorSettings(mode="paper", control=control), parts)


@pytest.fixture(scope="module")
def executor() -> Iterator[Served]:
    with served(make, one_trade()) as server:
        yield server


def opened(executor: Served, sends: bytes) -> socket.socket:
    connection = socket.create_connection((HOST, executor.port), timeout=5)
    connection.sendall(sends)
    return connection


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_huge_body_of_a_stranger_is_refused_before_it_is_read(executor: Served) -> None:
    head = b"POST /control/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
    with opened(executor, head) as connection:
        assert connection.recv(64).startswith(b"HTTP/1.1 401")
    known = head.replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    with opened(executor, known) as connection:
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


def test_connections_that_ask_nothing_give_way_to_a_halt(executor: Served) -> None:
    half = b"GET /info HTTP/1.1\r\nHost: loc"
    attackers = [opened(executor, half) for _ in range(ATTACKERS)]
    try:
        answer = Executor(executor.url, TOKEN).ask("halt", "attacked")
        assert answer["action"] == "halt"
        for one in attackers:
            one.settimeout(0.01)
        still_open = sum(not is_closed(one) for one in attackers)
        assert still_open <= http_connections.MOST_CONNECTIONS
    finally:
        for one in attackers:
            one.close()


def test_a_head_that_is_not_finished_is_not_waited_for_any_longer(
    executor: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connections, "HEAD_SECONDS", 0.05)
    second = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /info HT"
    for begun in (b"", b"GET /info HTTP/1.1\r\nHost: loc", second):
        with opened(executor, begun) as connection:
            while data := connection.recv(4096):
                assert b"alive" in data or b"HTTP/1.1 200" in data


def test_looks_at_the_state_do_not_keep_a_halt_or_an_exit_away(executor: Served) -> None:
    client = Executor(executor.url, TOKEN)

    def look() -> None:
        for _ in range(60):
            client.ask("state", None)

    with pytest.raises(SettingsError, match="429"):
        look()
    for _ in range(40):
        assert client.ask("halt", "again")["action"] == "halt"
    assert client.ask("exit", "again")["action"] == "exit"


def test_headers_of_a_proxy_are_not_believed(executor: Served) -> None:
    request = urllib.request.Request(
        f"{executor.url}/info", headers={"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil"}
    )
    with urllib.request.urlopen(request, timeout=5) as reply:
        assert reply.status == 200
        assert "server" not in {name.lower() for name in reply.headers}


async def _answer(port: int, reply: bytes) -> tuple[asyncio.Server, list[bytes]]:
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(talk, HOST, port), heard


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "does not confirm it"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"action":"exit"', "no answer"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"action":"exit"}', "does not confirm it"),
        (b"HTTP/1.1 307 Temporary\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "elsewhere"),
    ],
)
def test_a_halt_is_reported_only_where_an_executor_has_confirmed_it(
    reply: bytes, said: str
) -> None:
    async def story() -> None:
        port = free_ports(1)
        server, heard = await _answer(port, reply)
        async with server:
            executor = Executor(f"http://{HOST}:{port}", TOKEN)
            with pytest.raises(SettingsError, match=said):
                await asyncio.to_thread(ask, executor, None, "halt", "")
        assert len(heard) == 1

    asyncio.run(story())


def test_the_token_goes_through_no_proxy(executor: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{HOST}:{free_ports(1)}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(urllib.error.URLError):
        urllib.request.build_opener().open(f"{executor.url}/info", timeout=5)
    assert Executor(executor.url, TOKEN).ask("halt", "")["action"] == "halt"
