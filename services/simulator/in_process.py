"""The account and its exchange without HTTP, on a clock and quotes that the caller moves.

For tests of the order path: requests and replies are Kite's to the byte, faults are those of the
control interface, and nothing happens by itself. `play_to` moves the clock and matches the orders;
whatever a fault waits for is waited by the caller's `wait`.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import compile_path

from libs.market.rulebook import load_rulebook
from services.simulator.domain.account import Account, AccountRules
from services.simulator.domain.account.login import App, Logins
from services.simulator.domain.desk import SECOND_MS, Desk, Posting, Update
from services.simulator.domain.errors import InputError, KiteError, NotFound
from services.simulator.domain.faults.kinds import (
    AnyRequestFault,
    AnySocketFault,
    Close,
    Delay,
    Fault,
    Freeze,
    Garbage,
    Halt,
    Hang,
    Html,
    Jump,
    Lag,
    LoseReply,
    LoseRequest,
    MarketFault,
    Reorder,
    Silence,
    Status,
)
from services.simulator.domain.market.quoted import QuotedMarket
from services.simulator.domain.rest.account_calls import ACCOUNT_ROUTES, Request, Route
from services.simulator.domain.rest.request_limits import RequestLimits
from services.simulator.http_faults import faulty_answer
from services.simulator.replies import refusal, success

_PATHS = tuple((route, compile_path(route.path)[0]) for route in ACCOUNT_ROUTES)
_APP = App("simulator", "SIM001", "simulator-secret")
_REQUEST_TOKEN_MS = 300_000
Wait = Callable[[float], Awaitable[None]]


class ConnectionLost(Exception):
    """The connection ended without an answer; the request may have been carried out."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply as Kite sends it."""

    status: int
    content_type: str
    content: bytes

    @property
    def data(self) -> Any:
        """`data` of a successful reply; raises ValueError for any other one."""
        body = json.loads(self.content)
        if self.status != 200 or body["status"] != "success":
            raise ValueError(f"{self.status}: {body['message']}")
        return body["data"]


class Connection:
    """A websocket of the user: the order updates that arrived on it."""

    def __init__(self, number: int) -> None:
        self.number, self.is_closed = number, False
        self._updates: list[Update] = []
        self._silent_until_ms = 0

    def take(self) -> list[Update]:
        """Return the updates since the last call, first one first."""
        updates, self._updates = self._updates, []
        return updates

    def put(self, update: Update, now_ms: int) -> None:
        """Deliver an update, unless the connection is silent or closed."""
        if not self.is_closed and now_ms >= self._silent_until_ms:
            self._updates.append(update)

    def hit(self, fault: Silence | Close, now_ms: int) -> None:
        """Close it, or let what comes for some time be lost."""
        if isinstance(fault, Close):
            self.is_closed = True
        else:
            self._silent_until_ms = now_ms + round(fault.seconds * SECOND_MS)


class InProcessExchange(Desk):
    """An account on a market that the caller quotes, from `start_ms` (epoch ms).

    `wait` waits for so many seconds of the caller's time. Kite's rate limits count by the
    exchange's clock, unless `limits` is false. `after` is `account.dump()` of an earlier exchange:
    this one has its orders and positions, as after a restart or on a later day.
    """

    def __init__(
        self,
        market: QuotedMarket,
        start_ms: int,
        rules: AccountRules | None = None,
        *,
        wait: Wait = asyncio.sleep,
        limits: bool = True,
        after: dict[str, Any] | None = None,
    ) -> None:
        rules, rulebook = rules or AccountRules(), load_rulebook()
        if after is None:
            account = Account(_APP.user_id, market, rulebook, rules)
        else:
            account = Account.load(after, market, rulebook, rules)
        self._tokens = 0
        super().__init__(account, Logins(_APP, self._token, _REQUEST_TOKEN_MS), market.trading_day)
        self.market, self._now_ms, self._wait = market, start_ms, wait
        self._request_limits = RequestLimits(self.limits) if limits else None
        self._connections: list[Connection] = []
        self._late: list[tuple[int, Update]] = []

    @property
    def now_ms(self) -> int:
        """The exchange's clock: where the caller moved it."""
        return self._now_ms

    def log_in(self) -> str:
        """Return the access token of a new session, which replaces an earlier one."""
        request_token = self.logins.begin(_APP.api_key, self._now_ms)
        signed = f"{_APP.api_key}{request_token}{_APP.api_secret}".encode()
        checksum = hashlib.sha256(signed).hexdigest()
        now_ms = self._now_ms
        return self.logins.open(_APP.api_key, request_token, checksum, now_ms, now_ms).access_token

    def connect(self, access_token: str) -> Connection:
        """Open a websocket; raises TokenError, or KiteError where a fault refuses it."""
        if self.faults.for_upgrade(self._now_ms) is not None:
            raise KiteError("no")
        self._check_session(access_token)
        connection = Connection(len(self._connections) + 1)
        self._connections.append(connection)
        return connection

    def play_to(self, at_ms: int) -> None:
        """Move the clock to a time that is not earlier, match, and deliver the order updates."""
        if at_ms < self._now_ms:
            raise ValueError(f"the exchange's clock cannot go back to {at_ms}")
        self._now_ms = at_ms
        for fault in self.faults.due_on_market(at_ms):
            self.apply(fault)
        self._post(self.settle())
        for due_on_socket in self.faults.due_on_sockets(at_ms):
            self._hit(due_on_socket)

    async def call(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, Any] | None = None,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        access_token: str,
    ) -> Reply:
        """Answer a request to a route of the account; raises ConnectionLost as the faults say."""
        fields = {name: str(value) for name, value in (form or {}).items()}
        asked = Request(query=query or {}, form=fields, json=body)
        carry_out = partial(self._answer, method, path, asked, access_token)
        fault = self.faults.for_request(method, path, self._now_ms)
        return _reply(carry_out() if fault is None else await self._faulty(fault, carry_out))

    async def _faulty(self, fault: AnyRequestFault, carry_out: Callable[[], Response]) -> Response:
        match fault:
            case LoseRequest():
                raise ConnectionLost
            case LoseReply():
                carry_out()
                raise ConnectionLost
            case Hang(seconds=seconds):
                await self._wait(seconds)
                raise ConnectionLost
            case Delay(seconds=seconds, when="before"):
                await self._wait(seconds)
                return carry_out()
            case Delay(seconds=seconds):
                response = carry_out()
                await self._wait(seconds)
                return response
            case Status(when="after") | Html(when="after"):
                carry_out()
        return faulty_answer(fault)

    def apply(self, fault: MarketFault) -> None:
        """Halt trading now; raises InputError for a jump, since the caller sets the quotes."""
        self.check(fault)
        if isinstance(fault, Halt):
            self.market.halt(fault.scope, self._now_ms + round(fault.seconds * SECOND_MS))

    def check(self, fault: Fault) -> None:
        """Raise InputError for what this exchange cannot do: it has no underlyings, no frames."""
        super().check(fault)
        if isinstance(fault, Jump | Garbage | Lag | Freeze | Reorder):
            raise InputError(f"{fault.kind}: the quotes are set by the caller")

    def _answer(self, method: str, path: str, asked: Request, access_token: str) -> Response:
        """Answer as the application does: session, limits, route."""
        try:
            self._check_session(access_token)
            if self._request_limits is not None:
                self._request_limits.take(method, path, self._now_ms)
            route, parts = _find(method, path)
            reply = route.answer(self, replace(asked, path=parts))
            self._post(self.take_early())
            return success(self.shown(method, path, reply))
        except KiteError as error:
            return refusal(error)

    def _check_session(self, access_token: str) -> None:
        self.logins.check(f"token {_APP.api_key}:{access_token}", self._now_ms)

    def _post(self, postings: Sequence[Posting]) -> None:
        now_ms = self._now_ms
        self._late += [(now_ms + round(p.wait_seconds * SECOND_MS), p.update) for p in postings]
        due = [update for at_ms, update in self._late if at_ms <= now_ms]
        self._late = [late for late in self._late if late[0] > now_ms]
        for update in due:
            for connection in self._connections:
                connection.put(update, now_ms)

    def _hit(self, fault: AnySocketFault) -> None:
        for connection in self._connections:
            is_meant = fault.connection in (None, connection.number)
            if is_meant and isinstance(fault, Silence | Close):
                connection.hit(fault, self._now_ms)

    def _token(self) -> str:
        self._tokens += 1
        return f"{self._tokens:032x}"


def _find(method: str, path: str) -> tuple[Route[Desk], dict[str, str]]:
    for route, pattern in _PATHS:
        match = pattern.match(path)
        if match and route.method == method:
            return route, match.groupdict()
    raise NotFound("Route not found")


def _reply(response: Response) -> Reply:
    return Reply(response.status_code, response.headers["content-type"], bytes(response.body))
