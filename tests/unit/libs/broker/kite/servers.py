"""Small stand-ins for Kite on this machine: HTTP in a thread, a websocket in the test's loop."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from libs.broker.kite.address import KiteAddress
from libs.broker.kite.limits import REQUEST_CLASSES, KiteLimits, Rate, load_limits
from libs.broker.kite.session import KiteSession

TOKEN = "a-very-secret-token"
LOGIN = datetime(2026, 6, 17, 3, 0, tzinfo=UTC)
FAST = replace(
    load_limits(date(2026, 6, 17)),
    rates=dict.fromkeys(REQUEST_CLASSES, (Rate(1_000, 1_000),)),
    margin_ms=0,
    cool_down_ms=50,
)


def limits(**changes: Any) -> KiteLimits:
    """Return limits that let tests run, with changes."""
    return replace(FAST, **changes)


def session(token: str = TOKEN) -> KiteSession:
    """Return a session with a token."""
    return KiteSession("AB1234", "key", token, LOGIN)


@dataclass(frozen=True)
class Answer:
    """An HTTP reply; `after` keeps the client waiting, `is_cut` hangs up."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    after: threading.Event | None = None
    is_cut: bool = False


def success(content: object) -> Answer:
    """Return what Kite says when all is well."""
    return Answer(json.dumps({"status": "success", "data": content}).encode())


def failure(status: int, error_type: str, message: str = "no") -> Answer:
    """Return what Kite says when it refuses."""
    error = {"status": "error", "error_type": error_type, "message": message}
    return Answer(json.dumps(error).encode(), status)


CUT = Answer(b"", is_cut=True)


@dataclass(frozen=True)
class Asked:
    """A request that arrived, at a steady time in seconds."""

    method: str
    path: str
    fields: dict[str, list[str]]
    authorization: str
    at: float


@dataclass
class HttpKite:
    """Answers requests by their method and path; of a list of answers the last one stays."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    timeout_seconds: float = 10.0  # a busy machine must not fail a test

    def on(self, request: str, *answers: Answer) -> None:
        """Answer `METHOD /path` with these, one after the other."""
        self.answers[request] = list(answers)

    def answer(self, asked: Asked) -> Answer:
        """Return the next answer to a request."""
        self.asked.append(asked)
        left = self.answers.get(f"{asked.method} {asked.path}", [])
        if not left:
            return failure(404, "GeneralException", "Route not found")
        return left.pop(0) if len(left) > 1 else left[0]

    def count(self, request: str) -> int:
        """Return how often `METHOD /path` was asked."""
        return sum(f"{asked.method} {asked.path}" == request for asked in self.asked)

    @property
    def address(self) -> KiteAddress:
        """Return where this stand-in is reached."""
        return KiteAddress(
            "key", root=f"http://127.0.0.1:{self.port}", timeout_seconds=self.timeout_seconds
        )


@contextmanager
def http_kite() -> Iterator[HttpKite]:
    """Run an HTTP stand-in in a thread."""
    kite = HttpKite()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(kite))
    server.daemon_threads = True
    kite.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield kite
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler_of(kite: HttpKite) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            kite.connections += 1
            super().setup()

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            fields = parse_qs(parts.query) | parse_qs(body)
            authorization = self.headers.get("authorization", "")
            now = time.monotonic()
            asked = Asked(self.command, parts.path, fields, authorization, now)
            self._reply(kite.answer(asked))

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815  # names of the library

        def _reply(self, answer: Answer) -> None:
            if answer.after is not None:
                answer.after.wait()
            if answer.is_cut:
                self.close_connection = True
                return
            self.send_response(answer.status)
            if answer.content_type:
                self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


Serve = Callable[[ServerConnection, int], Awaitable[None]]
Judge = Callable[[str, int], int | None]


@dataclass
class SocketKite:
    """What happened at a websocket stand-in: the addresses asked for, and all text received."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    commands: list[list[Any]] = field(default_factory=list)

    @property
    def address(self) -> KiteAddress:
        """Return where this stand-in is reached."""
        here = f"127.0.0.1:{self.port}"
        return KiteAddress("key", root=f"http://{here}", ws_root=f"ws://{here}", timeout_seconds=1)


@asynccontextmanager
async def socket_kite(
    handle: Serve, refuse: Judge = lambda _path, _number: None
) -> AsyncIterator[SocketKite]:
    """Run a websocket stand-in: `handle` gets each connection and its number, from 0 on.

    `refuse` sees the path and the number of the attempt and may return a status instead.
    """
    kite = SocketKite()

    def judge(connection: ServerConnection, request: Request) -> Response | None:
        kite.asked.append(request.path)
        status = refuse(request.path, len(kite.asked) - 1)
        return None if status is None else connection.respond(status, "no")

    async def serve_one(connection: ServerConnection) -> None:
        number = len(kite.commands)
        kite.commands.append([])
        listening = asyncio.create_task(_listen(connection, kite.commands[number]))
        handling = asyncio.ensure_future(handle(connection, number))
        await asyncio.wait({listening, handling}, return_when=asyncio.FIRST_COMPLETED)
        for task in (listening, handling):
            task.cancel()

    server: Server = await serve(
        serve_one, "127.0.0.1", 0, process_request=judge, close_timeout=0.1, ping_interval=None
    )
    kite.port = next(iter(server.sockets)).getsockname()[1]
    try:
        yield kite
    finally:
        server.close()
        await server.wait_closed()


async def _listen(connection: ServerConnection, commands: list[Any]) -> None:
    with suppress(ConnectionClosed):
        async for text in connection:
            commands.append(json.loads(text))
