"""What is asked of a request before an endpoint sees it: from where it comes, and how long it is.

A web page that somebody has open can send requests to this machine: from a foreign origin, or under
a name of its own that it has pointed here (DNS rebinding). Neither is answered. Below a path that
needs a token the token comes first: nothing else of an unknown caller is read.
"""

import asyncio
import ipaddress
import json
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.runtime.access import Access, Denied
from libs.runtime.clock import monotonic_ms
from libs.runtime.logs import logger_of

MOST_BYTES = 4096
"""The longest body of a request to a service."""
BODY_SECONDS = 5.0
Refusal = tuple[int, str]
"""The status of a reply, and what it says."""


class Guard:
    """Passes on to `app` what may be asked here; everything else gets a refusal.

    `hosts`: names by which this machine is asked, beside addresses, `localhost` and names without
    a dot, which no page elsewhere can have. `private`: first part of a path → who may ask there.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str] = (),
        private: Mapping[str, Access] = MappingProxyType({}),
        *,
        most_bytes: int = MOST_BYTES,
        now_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._app = app
        self._hosts = frozenset(name.lower() for name in hosts)
        self._private = private
        self._most_bytes = most_bytes
        self._now_ms = now_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers) or _too_long(headers, self._most_bytes)
        if refusal is None:
            body = await _body(receive, self._most_bytes)
            if isinstance(body, bytes):
                await self._app(scope, _again(body, receive), send)
                return
            refusal = body
        await _refuse(send, *refusal)

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if host and not _is_here(host, self._hosts):
            return 421, f"no service has the name {host!r}: see runtime.hosts"
        if origin is not None and _place_of(origin) != host:
            return 403, "requests from other pages are not answered"
        if headers.get("sec-fetch-site") == "cross-site" and not _is_link(scope, headers):
            return 403, "requests from other pages are not answered"
        return self._stranger(scope["path"], headers.get("authorization", ""))

    def _stranger(self, path: str, authorization: str) -> Refusal | None:
        access = self._private.get(path.strip("/").partition("/")[0])
        if access is None:
            return None
        kind, _, token = authorization.partition(" ")
        try:
            access.recognise(token.strip() if kind.lower() == "bearer" else "", self._now_ms())
        except Denied as denied:
            logger_of("http").warning("request refused", path=path, reason=str(denied))
            return denied.status, str(denied)
        return None


def _is_here(host: str, hosts: Collection[str]) -> bool:
    """Return whether a Host header names this machine, as far as no page elsewhere can."""
    name = _name_of(host)
    if "." not in name or name in hosts or name.endswith(".localhost"):
        return ":" not in name or _is_number(name)
    return _is_number(name)


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
    except ValueError:
        return f"{host}."  # a name that nobody has


def _place_of(origin: str) -> str | None:
    """Return host and port of an Origin header, None if it names none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Return whether somebody follows a link to a page of ours, which changes nothing."""
    return scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"


def _too_long(headers: Headers, most_bytes: int) -> Refusal | None:
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) <= most_bytes:
        return None
    return 413, f"a request has at most {most_bytes} bytes"


async def _body(receive: Receive, most_bytes: int) -> bytes | Refusal:
    """Return the body of a request, or why it is not read to its end."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return 400, "the request has not come whole"
                part: bytes = message.get("body", b"")
                body += part
                if len(body) > most_bytes:
                    return 413, f"a request has at most {most_bytes} bytes"
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        return 408, f"the request has not come within {BODY_SECONDS:g} s"


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives a body that was read, and then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return left.pop() if left else await receive()

    return next_message


async def _refuse(send: Send, status: int, reason: str) -> None:
    text = json.dumps({"detail": reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
