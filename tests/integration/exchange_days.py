"""A day at a simulated Kite: the six services as processes on Kafka, which may all be killed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from libs.events.bus import started_bus
from libs.events.codec import event_of
from libs.events.event import Event
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.events.orders import OrderFilled
from libs.events.positions import PositionEvent, fill_key
from libs.events.topics import TOPICS
from libs.store.store import StoreAddress
from services.ingest.pace import paced
from services.local.catalogue import START_ORDER
from services.local.play.exchange import LocalExchange, Pace, local_exchange
from services.local.play.fleet import Fleet
from services.local.play.processes import Servers, with_servers
from services.local.play.serving import no_settling
from services.local.settings import LocalSettings
from services.simulator.domain.account.account import Account
from services.simulator.domain.faults.kinds import Jump
from tests.contracts.kafka_buses import create_topics
from tests.integration.houses import DAY, SEED
from tests.integration.kafka_days import until
from tests.integration.processes import free_ports

Row = dict[str, Any]
Moment = Callable[[], bool]
BOOK_SECONDS = 0.5
"""Between two comparisons of the book with the exchange."""
UNDERLYINGS = {"NIFTY": "NIFTY 50", "RELIANCE": "RELIANCE", "SBIN": "SBIN"}
"""What a contract's symbol begins with → the underlying whose price moves it."""


@dataclass(slots=True)
class HeldMarket:
    """The pace of a market that stands still when a moment is reached, until it is let go on.

    At many times the real pace the start of a process would last a quarter of an hour; and an order
    that is about to fill is caught only in a market that waits.
    """

    speed: float
    _moment: Moment | None = None
    _is_reached: asyncio.Event = field(default_factory=asyncio.Event)
    _goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    _paced: Pace = field(init=False)

    def __post_init__(self) -> None:
        self._goes_on.set()
        self._paced = paced(self.speed, asyncio.sleep)

    async def pace(self, now_ms: int) -> None:
        """Wait for the time of the next second; stand still when the moment is reached."""
        await self._paced(now_ms)
        if self._moment is not None and self._moment():
            self._moment = None
            self._goes_on.clear()
            self._is_reached.set()
            await self._goes_on.wait()
            self._paced = paced(self.speed, asyncio.sleep)

    async def until(self, moment: Moment) -> None:
        """Go on until the moment is reached; the market stands still then."""
        self._is_reached.clear()
        self._moment = moment
        self._goes_on.set()
        await self._is_reached.wait()

    def go_on(self) -> None:
        """Let the market move again."""
        self._goes_on.set()


@dataclass(slots=True)
class ExchangeDay:
    """A day on topics and tables of its own; the exchange lives in the process of the test."""

    address: KafkaAddress
    settings: LocalSettings
    local: LocalExchange
    market: HeldMarket
    fleet: Fleet
    _playing: "asyncio.Task[None] | None" = None

    @property
    def account(self) -> Account:
        """The account at the exchange."""
        return self.local.server.exchange.account

    async def start_all(self) -> None:
        """Start the six services; return when the feed is followed."""
        for entry in START_ORDER:
            await self.fleet.start(entry.name, port=self.settings.runtime.port + entry.port_offset)
        await self.local.server.wait_for_subscribers()

    def play(self) -> None:
        """Let the day begin."""
        playing = self.local.play(no_settling, self.market.pace)
        self._playing = asyncio.create_task(playing)

    async def until(self, moment: Moment, what: str) -> None:
        """Return when the moment is reached, with the market at a stand; fail at the day's end."""
        assert self._playing is not None
        reached = asyncio.create_task(self.market.until(moment))
        await asyncio.wait([reached, self._playing], return_when=asyncio.FIRST_COMPLETED)
        if not reached.done():
            reached.cancel()
            await self._playing
            raise AssertionError(f"never happened: {what}")

    async def kill_all(self) -> None:
        """kill -9 of the six processes, all at once."""
        members = list(self.fleet.members)
        for member in members:
            member.is_wanted = False
            assert member.process is not None
            member.process.kill()
        for member in members:
            await self.fleet.stop(member)
        await until(self._is_alone, "the exchange has noticed that nobody follows", 0.01)

    async def _is_alone(self) -> bool:
        return not self.local.server.has_subscribers

    async def closed(self) -> None:
        """Return when the day is over."""
        assert self._playing is not None
        self.market.go_on()
        await self._playing

    def jump(self, tradingsymbol: str, percent_in_its_favour: float) -> None:
        """Move the underlying of an option so that its price rises (or falls, below 0)."""
        name = next(one for one in UNDERLYINGS if tradingsymbol.startswith(one))
        sign = 1 if tradingsymbol.endswith("CE") else -1
        factor = 1 + sign * percent_in_its_favour / 100
        exchange = self.local.server.exchange
        exchange.apply(Jump(kind="jump", tradingsymbol=UNDERLYINGS[name], factor=factor))

    def working(self, transaction_type: str, order_types: tuple[str, ...]) -> list[Row]:
        """Orders that are in the exchange's book and may still fill."""
        return [
            row
            for row in self.account.orders()
            if row["status"] in ("OPEN", "TRIGGER PENDING")
            and row["transaction_type"] == transaction_type
            and row["order_type"] in order_types
        ]

    async def events(self, topic: str) -> list[Event]:
        """What a topic holds."""
        async with started_bus(KafkaBus(self.address)) as bus:
            return [event_of(message) async for message in bus.read([topic])]

    async def book_agrees(self) -> None:
        """Return when our fills, each once, and our positions are those of the exchange."""
        seen: list[str] = []

        async def is_so() -> bool:
            seen[:] = await self._differences()
            return not seen

        try:
            await asyncio.wait_for(until(is_so, "the book agrees", BOOK_SECONDS), 90)
        except TimeoutError:
            raise AssertionError(f"the book never was the exchange's: {seen}") from None

    async def _differences(self) -> list[str]:
        fills = [one for one in await self.events("orders") if isinstance(one, OrderFilled)]
        repeats = {key: n for key, n in Counter(map(fill_key, fills)).items() if n > 1}
        booked = {(one.broker_order_id, one.fill_id): one.fill_quantity for one in fills}
        traded = {
            (row["order_id"], row["trade_id"]): row["quantity"] for row in self.account.trades()
        }
        held, net = await self._held(), self._net()
        found = [f"fills that are there twice: {repeats}"] if repeats else []
        if booked != traded:
            found.append(f"fills: ours {booked}, the exchange's {traded}")
        if held != net:
            found.append(f"positions: ours {held}, the exchange's {net}")
        return found

    async def _held(self) -> dict[str, int]:
        """Contract → the units that our positions hold, without those that hold none."""
        last: dict[UUID, PositionEvent] = {}
        for event in await self.events("positions"):
            if isinstance(event, PositionEvent):
                last[event.position_id] = event
        held: Counter[str] = Counter()
        for position in last.values():
            held[position.contract.tradingsymbol] += position.quantity
        return {symbol: units for symbol, units in held.items() if units}

    def _net(self) -> dict[str, int]:
        rows = self.account.positions()["net"]
        return {row["tradingsymbol"]: row["quantity"] for row in rows if row["quantity"]}


@asynccontextmanager
async def exchange_day(
    kafka: KafkaAddress, database: StoreAddress, plain: LocalSettings, folder: Path, speed: float
) -> AsyncIterator[ExchangeDay]:
    """A day that is ready to begin, played so many times as fast as the market."""
    address = replace(kafka, prefix=f"{uuid4().hex[:8]}.", session_timeout_ms=6000)
    await create_topics(address, {name: topic.partitions for name, topic in TOPICS.items()})
    simulator = plain.simulator.model_copy(update={"speed": speed})
    runtime = plain.runtime.model_copy(update={"port": free_ports(20)})
    bus = plain.bus.model_copy(update={"prefix": address.prefix})
    chosen = plain.model_copy(update={"simulator": simulator, "runtime": runtime, "bus": bus})
    async with local_exchange(chosen, DAY, SEED, folder) as local:
        own = with_servers(chosen.at_market_pace(), Servers(address, database), local.kite)
        news: list[str] = []
        async with Fleet(own, folder / "logs", own.runtime.port, notify=news.append) as fleet:
            yield ExchangeDay(address, own, local, HeldMarket(speed), fleet)
        (folder / "news.txt").write_text("\n".join(news))
