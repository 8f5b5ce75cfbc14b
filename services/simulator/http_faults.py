"""Makes HTTP requests fail on purpose; the application behind does not know of it."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.simulator.domain.errors import TokenError, TooManyRequests
from services.simulator.domain.exchange import Exchange
from services.simulator.domain.faults.kinds import (
    AnyRequestFault,
    Delay,
    Hang,
    Html,
    Limit,
    LoseReply,
    LoseRequest,
    Status,
    Token,
)
from services.simulator.replies import failure, refusal

CONTROL = "/control"
_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>cloudfront</body></html>"
_TITLES = {200: "Scheduled maintenance", 502: "502 Bad Gateway"}
Wait = Callable[[float], Awaitable[None]]


class HttpFaults:
    """An ASGI application that looks every Kite request up in the exchange's fault book.

    `wait` waits for so many seconds, or until the server stops.
    """

    def __init__(self, app: ASGIApp, exchange: Exchange, wait: Wait) -> None:
        self._app, self._exchange, self._wait = app, exchange, wait

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or apply its fault."""
        fault = self._fault(scope)
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await FaultyRequest(self._app, self._wait, scope, receive, send).apply(fault)

    def _fault(self, scope: Scope) -> AnyRequestFault | None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            return None
        exchange = self._exchange
        return exchange.faults.for_request(scope["method"], scope["path"], exchange.now_ms)


def faulty_answer(fault: Status | Html | Token | Limit) -> Response:
    """Return the answer that a fault puts in place of the application's."""
    match fault:
        case Html(status=status):
            return HTMLResponse(_PAGE.format(_TITLES[status]), status)
        case Status(status=status):
            return failure(status, "NetworkException", "The exchange is not reachable.")
        case Token():
            return refusal(TokenError("Incorrect `api_key` or `access_token`."))
        case Limit():
            return refusal(TooManyRequests("Too many requests"))


class FaultyRequest:
    """One request that a fault hits."""

    def __init__(
        self, app: ASGIApp, wait: Wait, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._app, self._wait = app, wait
        self._scope, self._receive, self._send = scope, receive, send

    async def apply(self, fault: AnyRequestFault) -> None:
        """Apply the fault to the request."""
        match fault:
            case LoseRequest():
                await self._hang_up()
            case LoseReply():
                await self._carry_out()
                await self._hang_up()
            case Hang(seconds=seconds):
                await self._wait(seconds)
                await self._hang_up()
            case Delay():
                await self._delay(fault)
            case Status(when="after") | Html(when="after"):
                await self._carry_out()
                await self._answer(faulty_answer(fault))
            case _:
                await self._answer(faulty_answer(fault))

    async def _delay(self, fault: Delay) -> None:
        if fault.when == "before":
            await self._wait(fault.seconds)
            await self._app(self._scope, self._receive, self._send)
            return
        answer = await self._carry_out()
        await self._wait(fault.seconds)
        for message in answer:
            await self._send(message)

    async def _carry_out(self) -> list[Message]:
        """Let the application answer, and return the answer instead of sending it."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(self._scope, self._receive, keep)
        return answer

    async def _answer(self, response: Response) -> None:
        await response(self._scope, self._receive, self._send)

    async def _hang_up(self) -> None:
        """Close the connection without an answer."""
        transport: asyncio.Transport = self._scope["state"]["transport"]
        transport.close()
        while (await self._receive())["type"] != "http.disconnect":
            """Discard the rest of the request."""
