"""The control interface to faults, market and pace; for clients on this machine only."""

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.simulator.domain.errors import InputError, NotFound
from services.simulator.domain.exchange import Exchange
from services.simulator.domain.faults.kinds import MarketFault, read_fault
from services.simulator.domain.pacing import Pacing
from services.simulator.http_faults import CONTROL
from services.simulator.replies import success

Handler = Callable[[Request], Awaitable[Response]]
_MARKET_KINDS = ("jump", "halt")
_FASTEST = 10_000


class Controlled(Protocol):
    """What the control interface acts on."""

    @property
    def exchange(self) -> Exchange:
        """The exchange."""

    @property
    def pacing(self) -> Pacing | None:
        """The market's pace, or None where another process steps it."""

    def apply_faults(self) -> None:
        """Apply the faults of connections that are due."""

    def keep(self) -> None:
        """Save the account."""

    def state(self) -> dict[str, Any]:
        """Describe the exchange, its connections and its counts."""


class Control:
    """Answers under /control to clients on this machine; others get a 404."""

    def __init__(self, server: Controlled) -> None:
        self._server = server

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/state", self.show),
            ("GET", "/faults", self.list_faults),
            ("POST", "/faults", self.add_faults),
            ("DELETE", "/faults", self.clear_faults),
            ("DELETE", "/faults/{number:int}", self.remove_fault),
            ("POST", "/market", self.move_market),
            ("POST", "/account", self.touch_account),
            ("POST", "/speed", self.set_speed),
            ("POST", "/pause", self.pause),
            ("POST", "/resume", self.resume),
        ]
        return [
            Route(CONTROL + path, _on_this_machine(handler), methods=[method])
            for method, path, handler in table
        ]

    async def show(self, _: Request) -> Response:
        """Show the clock, the connections and the counts."""
        return success(self._server.state())

    async def list_faults(self, _: Request) -> Response:
        """Show all faults with how often each was applied."""
        return success(self._server.exchange.faults.rows())

    async def add_faults(self, request: Request) -> Response:
        """Add a fault, or a list of them."""
        body = await _body(request)
        booked = [
            self._server.exchange.add_fault(_object(fields))
            for fields in (body if isinstance(body, list) else [body])
        ]
        self._server.apply_faults()
        return success([one.row() for one in booked])

    async def clear_faults(self, _: Request) -> Response:
        """Remove all faults."""
        self._server.exchange.faults.clear()
        return success(True)

    async def remove_fault(self, request: Request) -> Response:
        """Remove a fault by its number."""
        self._server.exchange.faults.remove(request.path_params["number"])
        return success(True)

    async def move_market(self, request: Request) -> Response:
        """Make the market jump or halt now."""
        fields = _object(await _body(request))
        if fields.get("kind") not in _MARKET_KINDS:
            raise InputError(f"kind: must be one of {', '.join(_MARKET_KINDS)}")
        fault = read_fault(fields)
        if isinstance(fault, MarketFault):
            self._server.exchange.apply(fault)
        return success(True)

    async def touch_account(self, request: Request) -> Response:
        """Let something happen to the account now: a trade by hand, say."""
        self._server.exchange.act(_object(await _body(request)))
        self._server.keep()
        return success(True)

    async def set_speed(self, request: Request) -> Response:
        """Change the market's speed."""
        speed = _object(await _body(request)).get("speed")
        if not isinstance(speed, int | float) or not 0 < speed <= _FASTEST:
            raise InputError(f"speed: must be a number above 0, {_FASTEST} at most")
        self._pacing().set_speed(speed)
        return success({"speed": speed})

    async def pause(self, _: Request) -> Response:
        """Stop the market's clock."""
        self._pacing().pause()
        return success(True)

    async def resume(self, _: Request) -> Response:
        """Let the market's clock go on."""
        self._pacing().resume()
        return success(True)

    def _pacing(self) -> Pacing:
        pacing = self._server.pacing
        if pacing is None:
            raise InputError("The market is stepped by the process that it is part of.")
        return pacing


def _on_this_machine(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        host = request.client.host if request.client else ""
        if not _is_loopback(host):
            raise NotFound("Route not found")
        return await handler(request)

    return handle


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InputError("The body must be JSON.") from None


def _object(fields: Any) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise InputError("The body must be a JSON object.")
    return fields
