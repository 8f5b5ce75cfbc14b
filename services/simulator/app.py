"""Kite's HTTP interface and websocket as one application."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from libs.runtime.clock import monotonic_ms
from services.simulator.domain.account.fields import required
from services.simulator.domain.account.profile import session_reply
from services.simulator.domain.errors import InputError, KiteError, TokenError
from services.simulator.domain.exchange import Exchange
from services.simulator.domain.rest.calls import ROUTES, Request
from services.simulator.domain.rest.calls import Route as KiteRoute
from services.simulator.domain.rest.request_limits import RequestLimits
from services.simulator.login_pages import login_page, redirect_to, token_page
from services.simulator.replies import failure, refusal, success
from services.simulator.settings import SimulatorSettings

_SESSION = "/session/token"
_SAYS = {404: "Route not found", 405: "Method not allowed"}
Handler = Callable[[HttpRequest], Awaitable[Response]]


class Keeper(Protocol):
    """What saves the account, and sends its order updates."""

    def keep(self) -> None:
        """Save the account."""

    async def send_early(self) -> None:
        """Send the order updates that come before a reply."""


class KiteApp:
    """Answers Kite's routes from the exchange, one request at a time."""

    def __init__(self, exchange: Exchange, settings: SimulatorSettings, keeper: Keeper) -> None:
        self._exchange, self._settings, self._keeper = exchange, settings, keeper
        self._limits = RequestLimits(exchange.limits) if settings.limits else None

    def routes(self) -> list[BaseRoute]:
        """Return everything but the websocket and the control interface."""
        kite = [Route(one.path, self._handler(one), methods=[one.method]) for one in ROUTES]
        return [
            *kite,
            Route("/connect/login", self.show_login, methods=["GET"]),
            Route("/connect/login", self.log_in, methods=["POST"]),
            Route(_SESSION, self.open_session, methods=["POST"]),
            Route(_SESSION, self.end_session, methods=["DELETE"]),
            Route("/session/refresh_token", self.refresh, methods=["POST"]),
        ]

    def begin_login(self, api_key: str) -> str:
        """Return a fresh request token; raises InputError for an unknown app."""
        return self._exchange.logins.begin(api_key, monotonic_ms())

    async def show_login(self, request: HttpRequest) -> Response:
        """Show the page with the button."""
        app = self._exchange.logins.app
        if request.query_params.get("api_key") != app.api_key:
            raise InputError("Invalid `api_key`.")
        kept = request.query_params.get("redirect_params", "")
        return HTMLResponse(login_page(app.api_key, app.user_id, kept))

    async def log_in(self, request: HttpRequest) -> Response:
        """Send the browser back to the app with a request token, or show the token."""
        request_token = self.begin_login(request.query_params.get("api_key", ""))
        redirect_url = self._settings.redirect_url
        if redirect_url:
            kept = request.query_params.get("redirect_params", "")
            return RedirectResponse(redirect_to(redirect_url, request_token, kept), 303)
        return HTMLResponse(token_page(request_token))

    async def open_session(self, request: HttpRequest) -> Response:
        """Exchange a request token for the access token."""
        self._count(request)
        logins, form = self._exchange.logins, _fields(await request.body())
        names = ("api_key", "request_token", "checksum")
        api_key, request_token, checksum = (required(form, name) for name in names)
        now_ms = self._exchange.now_ms
        session = logins.open(api_key, request_token, checksum, monotonic_ms(), now_ms)
        return success(session_reply(logins.app, session))

    async def end_session(self, request: HttpRequest) -> Response:
        """Log out."""
        self._count(request)
        query = request.query_params
        keys = [query.get(name, "") for name in ("api_key", "access_token")]
        self._exchange.logins.end(keys[0], keys[1], self._exchange.now_ms)
        return success(True)

    async def refresh(self, request: HttpRequest) -> Response:
        """Refuse: the account has no refresh tokens."""
        self._count(request)
        raise TokenError("Invalid `refresh_token`.")

    def _handler(self, route: KiteRoute[Exchange]) -> Handler:
        async def handle(request: HttpRequest) -> Response:
            authorization = request.headers.get("authorization", "")
            self._exchange.logins.check(authorization, self._exchange.now_ms)
            self._count(request)
            asked = await _read(request)
            reply = route.answer(self._exchange, asked)
            if route.changes:
                self._keeper.keep()
                await self._keeper.send_early()
            return success(self._exchange.shown(route.method, request.url.path, reply))

        return handle

    def _count(self, request: HttpRequest) -> None:
        if self._limits is not None:
            self._limits.take(request.method, request.url.path, monotonic_ms())


def make_app(
    kite: KiteApp,
    connect: Callable[[WebSocket], Awaitable[None]],
    control: list[BaseRoute],
) -> Starlette:
    """Return the application: Kite's routes, the websocket at `/`, and the control interface."""
    routes = [*kite.routes(), WebSocketRoute("/", connect), *control]
    handlers: dict[Any, Any] = {
        KiteError: _refuse,
        HTTPException: _miss,
        Exception: _break,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


async def _read(request: HttpRequest) -> Request:
    body = await request.body()
    is_json = request.headers.get("content-type", "").startswith("application/json")
    query = request.query_params
    return Request(
        path=dict(request.path_params),
        query=dict(query),
        keys=query.getlist("i"),
        form={} if is_json else _fields(body),
        json=_parsed(body) if is_json else None,
    )


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError:
        raise InputError("Invalid request: the form cannot be read.") from None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("Invalid JSON in the request.") from None


async def _refuse(_: HttpRequest, error: KiteError) -> Response:
    return refusal(error)


async def _miss(_: HttpRequest, error: HTTPException) -> Response:
    says = _SAYS.get(error.status_code, error.detail)
    return failure(error.status_code, "GeneralException", says)


async def _break(_: HttpRequest, error: Exception) -> Response:
    return failure(500, "GeneralException", "Something went wrong.")
