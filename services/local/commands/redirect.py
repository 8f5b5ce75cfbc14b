"""Waits for the browser to come back from Kite's login page, or for its address to be pasted."""

import ipaddress
import secrets
import selectors
import socket
import socketserver
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple, TextIO
from urllib.parse import parse_qs, urlsplit

from libs.runtime.listening import listening
from libs.runtime.settings import SettingsError

KEY = "kite.redirect_url"
STATE = "state"
_SHOWN = 40
_SLOW_SECONDS = 2
"""A browser opens connections before it needs them: they are not waited for longer."""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>AlphaStocks</title></head>
<body><p>{said}</p></body></html>
"""


class Answer(NamedTuple):
    """What a request to the redirect address is answered, and what follows from it.

    With neither a token nor a refusal the next request is waited for.
    """

    status: int
    said: str
    request_token: str = ""
    refusal: str = ""


def answer_to(target: str, path: str, state: str) -> Answer:
    """Return the answer to a request of the browser; `path` is the address that is registered.

    `state` was sent to the login page with it: what comes without is of no login that was begun
    here.
    """
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.path != (path or "/"):
        return Answer(404, "There is nothing here.")
    if not secrets.compare_digest(query.get(STATE, "").encode(), state.encode()):
        return Answer(403, "This is not the login that the terminal waits for.")
    status, request_token = query.get("status", ""), query.get("request_token", "")
    if status != "success":
        shown = status[:_SHOWN] if status.isprintable() and status else "none"
        refusal = f"login: Kite did not log you in (status {shown}): run `alphastocks login` again"
        return Answer(200, f"Kite did not log you in (status {shown}).", refusal=refusal)
    if query.get("action") != "login" or not (request_token.isascii() and request_token.isalnum()):
        return Answer(400, "Kite's answer has no request token.")
    taken = "The login was taken up; the terminal says the rest. You can close this page."
    return Answer(200, taken, request_token)


@dataclass(slots=True)
class Redirect:
    """A listener at the redirect address; SettingsError where nothing can listen there.

    Nothing of a request is logged, since its address holds the token.
    """

    url: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    _server: socketserver.TCPServer = field(init=False)
    _answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", 80 if parts.port is None else parts.port
        taken = listening("127.0.0.1" if host == "localhost" else host, port, KEY)
        self._server = _server_of(taken, self._answer_to)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.socket.getsockname()[1])

    def wait(self, seconds: float, pasted: TextIO) -> str:
        """Return the request token, or a line that was pasted.

        Raises SettingsError after so many seconds, and where Kite refuses the login.
        """
        until = time.monotonic() + seconds
        with selectors.SelectSelector() as ready:
            ready.register(self._server, selectors.EVENT_READ)
            with suppress(ValueError, OSError):  # no file: nothing can be pasted
                ready.register(pasted, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0:
                for key, _ in ready.select(left):
                    found = self._taken() if key.fileobj is self._server else _line(pasted, ready)
                    if found:
                        return found
        raise SettingsError(
            f"login: nobody came to {self.url} within {seconds:.0f} s; is that the redirect "
            "address of your app at Kite? Run `alphastocks login` again, and paste the address "
            "that the browser is sent to"
        )

    def close(self) -> None:
        """Listen no longer."""
        self._server.server_close()

    def _taken(self) -> str:
        self._server.handle_request()
        for answer in self._answers:
            if answer.refusal:
                raise SettingsError(answer.refusal)
        tokens = [answer.request_token for answer in self._answers if answer.request_token]
        self._answers.clear()
        return tokens[0] if tokens else ""

    def _answer_to(self, target: str) -> Answer:
        answer = answer_to(target, urlsplit(self.url).path, self.state)
        self._answers.append(answer)
        return answer


def is_here(url: str) -> bool:
    """Whether an address is one of this machine, at which a browser can be waited for."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return is_local and parts.scheme == "http"


def _line(pasted: TextIO, ready: selectors.BaseSelector) -> str:
    """Return the line that was pasted, "" for an empty one; after the end look no longer."""
    line = pasted.readline()
    if not line:
        ready.unregister(pasted)
    return line.strip()


def _server_of(listener: socket.socket, answer: Callable[[str], Answer]) -> socketserver.TCPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SLOW_SECONDS
        server_version, sys_version = "AlphaStocks", ""

        def do_GET(self) -> None:
            """Answer with a page."""
            one = answer(self.path)
            page = _PAGE.format(said=escape(one.said)).encode()
            self.send_response(one.status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: the address holds the token."""

    class Server(socketserver.TCPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Go on: a browser may break a connection off."""

    server = Server(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    return server
