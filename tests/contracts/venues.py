"""The venues that the order contract is checked on, each with a market that the test moves.

A venue joins by a stage and a line in VENUES, which names the faults that can befall it: the tests
of a fault run where it can happen, and one test holds the list against what the venue says.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, get_args

from libs.broker.kite.address import KiteAddress
from libs.broker.kite.backoff import Backoff
from libs.broker.kite.orders import KiteOrderClient
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.session import KiteSession
from libs.broker.kite.ticker import Ticker
from libs.broker.kite.venue import KiteVenue, SimulatorVenue
from libs.broker.paper import PaperBroker, PaperRules
from libs.broker.port import OrderRequest, OrderUpdate, Venue
from libs.market.quotes import QuoteBook
from tests.integration.simulators import Client, exchange_at, settings_of
from tests.unit.libs.broker.kite.servers import FAST

Fault = Literal["lost reply", "lost update", "repeated update", "late update", "rejection"]
NO_FAULTS: frozenset[Fault] = frozenset()
AT_KITE: frozenset[Fault] = frozenset(get_args(Fault))
TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.05


class Stage(Protocol):
    """A venue, and the test's hand on the market behind it.

    `low` is a price at which a purchase rests, `high` one at which it fills; `few` units fill at
    once at `high`, `many` only in parts. `unfit` is a change of a request that is never taken,
    `stop` one that makes it a stop-limit order that rests; empty where there are none.
    """

    low: Decimal
    high: Decimal
    few: int
    many: int
    unfit: dict[str, Any]
    stop: dict[str, Any]

    @property
    def venue(self) -> Venue:
        """The venue, at work."""

    def request(self, tag: str, **changes: Any) -> OrderRequest:
        """Return a request to buy `few` units at `low`, with changes."""

    async def go_on(self) -> None:
        """Let the market go on until what was asked for has reached it."""

    async def befall(self, fault: Fault) -> dict[str, Any]:
        """Let a fault befall the next order; return what has to change in its request for that."""


def order(stage: Stage, tag: str, **changes: Any) -> OrderRequest:
    """Return a request of the stage that fills at once."""
    return stage.request(tag, **{"price": stage.high} | changes)


async def told(stage: Stage, holds: Callable[[OrderUpdate], bool]) -> OrderUpdate:
    """Return the first update of which something holds, letting the market go on meanwhile."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            for update in stage.venue.take_updates():
                if holds(update):
                    return update
            await stage.go_on()
            with suppress(TimeoutError):
                await asyncio.wait_for(stage.venue.updated(), POLL_SECONDS)


def has_ended(update: OrderUpdate) -> bool:
    """Whether an order fills no more."""
    return update.status != "OPEN"


def filled(update: OrderUpdate) -> int:
    """Return the units that an update shows as filled."""
    return sum(fill.quantity for fill in update.fills)


@dataclass
class PaperStage:
    """Paper trading, with quotes of one contract."""

    venue: PaperBroker = field(default_factory=lambda: PaperBroker(PaperRules(latency_ms=500)))
    low: Decimal = Decimal("90.00")
    high: Decimal = Decimal("101.00")
    few: int = 75
    many: int = 300
    unfit: dict[str, Any] = field(default_factory=lambda: {"quantity": 0})
    stop: dict[str, Any] = field(default_factory=dict)
    _at_ms: int = 1_000_000
    _quotes: QuoteBook = field(default_factory=lambda: QuoteBook([42]))

    def request(self, tag: str, **changes: Any) -> OrderRequest:
        """Return a request to buy at `low`."""
        fields: dict[str, Any] = {
            "tag": tag,
            "exchange": "NFO",
            "tradingsymbol": "NIFTY2661625000CE",
            "instrument_token": 42,
            "transaction_type": "BUY",
            "quantity": self.few,
            "order_type": "LIMIT",
            "price": self.low,
            "product": "NRML",
            "placed_ms": self._at_ms,
        }
        return OrderRequest(**fields | changes)

    async def go_on(self) -> None:
        """Quote the contract a second later: 100 units at 100 rupees."""
        self._at_ms += 1000
        sides: dict[str, Any] = {"bid_price": [99.5], "ask_price": [100.0]}
        sides |= {"bid_quantity": [100], "ask_quantity": [100]}
        self._quotes.update([42], [self._at_ms], last_price=[100.0], **sides)
        self.venue.on_quotes(self._quotes)

    async def befall(self, fault: Fault) -> dict[str, Any]:
        """Have no faults."""
        raise AssertionError(f"{fault} cannot befall paper trading")


@dataclass
class SimulatedStage:
    """Kite's adapter at a simulated exchange on this machine, over HTTP and the websocket."""

    venue: KiteVenue
    client: Client
    low: Decimal = Decimal("1700.00")
    high: Decimal = Decimal("1760.00")
    few: int = 10
    many: int = 2000
    unfit: dict[str, Any] = field(default_factory=lambda: {"tradingsymbol": "NOBODY"})
    stop: dict[str, Any] = field(
        default_factory=lambda: {
            "order_type": "SL",
            "trigger_price": Decimal("1800.00"),
            "price": Decimal("1810.00"),
        }
    )

    def request(self, tag: str, **changes: Any) -> OrderRequest:
        """Return a request to buy shares at `low`."""
        fields: dict[str, Any] = {
            "tag": tag,
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "instrument_token": self.client.token("INFY"),
            "transaction_type": "BUY",
            "quantity": self.few,
            "order_type": "LIMIT",
            "price": self.low,
            "product": "MIS",
            "placed_ms": 0,
        }
        return OrderRequest(**fields | changes)

    async def go_on(self) -> None:
        """Let two seconds pass at the exchange: an order needs half a second to reach its book."""
        await self.client.seconds(2)

    async def befall(self, fault: Fault) -> dict[str, Any]:
        """Book a fault at the exchange; a price beyond the day's range is rejected by itself."""
        if fault == "rejection":
            return {"price": Decimal("100.00")}
        reply = await self.client.fault(**_FAULTS[fault])
        assert reply.status_code == 200, reply.text
        return {}


_FAULTS: dict[Fault, dict[str, Any]] = {
    "lost reply": {"kind": "lose_reply", "method": "POST", "path": "/orders"},
    "lost update": {"kind": "lose_update", "times": 10},
    "repeated update": {"kind": "repeat_update", "copies": 3, "times": 10},
    "late update": {"kind": "delay_update", "seconds": 3},
}


@asynccontextmanager
async def paper() -> AsyncIterator[Stage]:
    """Paper trading."""
    stage = PaperStage()
    async with _running(stage.venue):
        yield stage


@asynccontextmanager
async def kite() -> AsyncIterator[Stage]:
    """Kite's venue at the simulator."""
    async with _at_exchange(KiteVenue) as stage:
        yield stage


@asynccontextmanager
async def simulator() -> AsyncIterator[Stage]:
    """The venue that asks for a simulator first."""
    async with _at_exchange(SimulatorVenue) as stage:
        yield stage


@asynccontextmanager
async def _at_exchange(kind: type[KiteVenue]) -> AsyncIterator[Stage]:
    async with exchange_at(settings_of()) as client:
        await client.log_in()
        await client.seconds(3)
        server = client.server
        address = KiteAddress(client.api_key, root=server.url, ws_root=server.ws_url)
        session = KiteSession("SIM001", client.api_key, client.access_token, datetime.now(UTC))
        rest = KiteRest(address, lambda: session, FAST)
        ticker = Ticker(address, lambda: session, backoff=Backoff(0.01))
        orders = KiteOrderClient(
            rest, ticker, poll_seconds=POLL_SECONDS, now_ms=lambda: server.exchange.now_ms
        )
        venue = kind(rest, ticker, orders)
        async with _running(venue):
            yield SimulatedStage(venue, client)


@asynccontextmanager
async def _running(venue: Venue) -> AsyncIterator[None]:
    running = asyncio.create_task(venue.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await venue.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """How a stage is set up, which faults can befall its venue, and whether it takes stops."""

    stage: Callable[[], AbstractAsyncContextManager[Stage]]
    faults: frozenset[Fault]
    has_stops: bool


VENUES: dict[str, Entry] = {
    "paper": Entry(paper, NO_FAULTS, has_stops=False),
    "kite": Entry(kite, AT_KITE, has_stops=True),
    "simulator": Entry(simulator, AT_KITE, has_stops=True),
}
