"""A simulated exchange on a free port, and a client that is logged in to it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.simulator.assembly import make_exchange
from services.simulator.domain.board import Market
from services.simulator.domain.market.defects import DefectRates
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings

DAY = date(2026, 6, 17)
SYMBOLS = ("NIFTY 50", "RELIANCE", "INFY")
TIMEOUT_SECONDS = 5.0


@cache
def small_market() -> SyntheticMarket:
    """An index and two stocks without defects, with two days of history; it never changes."""
    specs = [spec for spec in DEFAULT_UNIVERSE if spec.tradingsymbol in SYMBOLS]
    return SyntheticMarket(
        7, DAY, load_calendar(), load_rulebook(), specs, DefectRates(), history_days=2
    )


def settings_of(**changes: Any) -> SimulatorSettings:
    """Settings on a free port, without limits unless they are asked for."""
    return SimulatorSettings(**({"port": 0, "limits": False, "day": DAY} | changes))


@dataclass
class Client:
    """A running exchange and somebody who is logged in to it."""

    server: SimulatorServer
    http: httpx.AsyncClient
    api_key: str = ""
    access_token: str = ""

    async def log_in(self) -> None:
        """Open a session, which ends an earlier one."""
        self.api_key, request_token = self.server.log_in()
        reply = await self.http.post("/session/token", data=self.exchange_form(request_token))
        self.access_token = reply.json()["data"]["access_token"]
        self.http.headers["Authorization"] = f"token {self.api_key}:{self.access_token}"

    def exchange_form(
        self, request_token: str, api_secret: str = "simulator-secret"
    ) -> dict[str, str]:
        """Return the form that turns a request token into a session."""
        signed = f"{self.api_key}{request_token}{api_secret}".encode()
        checksum = hashlib.sha256(signed).hexdigest()
        return {"api_key": self.api_key, "request_token": request_token, "checksum": checksum}

    def token(self, tradingsymbol: str) -> int:
        """Return an underlying's instrument_token."""
        instrument = self.server.exchange.board.find("NSE", tradingsymbol)
        assert instrument is not None
        return instrument.instrument_token

    @asynccontextmanager
    async def socket(self, *tokens: int, mode: str = "full") -> AsyncIterator[ClientConnection]:
        """Connect to the websocket and subscribe; the snapshots are taken in already."""
        query = f"api_key={self.api_key}&access_token={self.access_token}"
        url = f"{self.server.ws_url}?{query}"
        async with connect(url, compression=None, ping_interval=None, max_size=None) as socket:
            if tokens:
                await tell(socket, "subscribe", list(tokens))
                await tell(socket, "mode", [mode, list(tokens)])
                await heard(socket)
                await heard(socket)
            yield socket

    async def seconds(self, count: int) -> None:
        """Let the market go on."""
        for _ in range(count):
            await self.server.trade()
            await self.server.tick()

    async def buy(self, **changes: Any) -> httpx.Response:
        """Place an order for a share."""
        return await self.http.post("/orders/regular", data=order(**changes))

    async def fault(self, **fields: Any) -> httpx.Response:
        """Book a fault."""
        return await self.http.post("/control/faults", json=fields)

    async def hits(self) -> list[int]:
        """Return how often each fault was applied."""
        return [one["hits"] for one in (await self.http.get("/control/faults")).json()["data"]]


def order(**changes: Any) -> dict[str, Any]:
    """Return the form of an order that fills at the next second."""
    fields = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": 1,
        "product": "MIS",
        "order_type": "MARKET",
        "market_protection": -1,
        "validity": "DAY",
    }
    return fields | changes


async def until(holds: Callable[[], bool]) -> None:
    """Return when something holds."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not holds():  # noqa: ASYNC110  # nobody tells when
            await asyncio.sleep(0.001)


async def tell(socket: ClientConnection, action: str, value: Any) -> None:
    """Send a command."""
    await socket.send(json.dumps({"a": action, "v": value}))


async def heard(socket: ClientConnection) -> str | bytes:
    """Return the next message that is no heartbeat."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while len(message := await socket.recv()) <= 1:
            """A heartbeat."""
    return message


async def frame(socket: ClientConnection) -> bytes:
    """Return the next frame of ticks, leaving out texts."""
    while True:
        message = await heard(socket)
        if isinstance(message, bytes):
            return message


async def update(socket: ClientConnection) -> dict[str, Any]:
    """Return the next order update, leaving out frames."""
    while True:
        message = await heard(socket)
        if isinstance(message, str):
            content: dict[str, Any] = json.loads(message)
            return content


def lengths(message: bytes) -> list[int]:
    """Return the lengths of a frame's packets."""
    found, at = [], 2
    for _ in range(int.from_bytes(message[:2])):
        found.append(int.from_bytes(message[at : at + 2]))
        at += 2 + found[-1]
    assert at == len(message)
    return found


@asynccontextmanager
async def exchange_at(
    settings: SimulatorSettings, market: Market | None = None
) -> AsyncIterator[Client]:
    """Run an exchange that nobody is logged in to."""
    exchange = make_exchange(settings, market or small_market())
    async with (
        SimulatorServer(exchange, settings) as server,
        httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT_SECONDS) as http,
    ):
        yield Client(server, http, settings.api_key)


def at_desk(
    play: Callable[[Client], Awaitable[None]], market: Market | None = None, **changes: Any
) -> None:
    """Play with an exchange that one is logged in to and that has played a few seconds."""

    async def run() -> None:
        async with exchange_at(settings_of(**changes), market) as client:
            await client.log_in()
            await client.seconds(3)
            await play(client)

    asyncio.run(run())
