"""A live feed over three websockets of a simulated exchange, by the machine's clocks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from libs.broker.kite.backoff import Backoff
from libs.broker.kite.login import KiteSessions
from libs.broker.kite.ticker import Ticker
from libs.broker.port.market import TickStream
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.clock import monotonic_ms
from libs.runtime.metrics import Metrics
from libs.runtime.settings import KiteSettings
from services.ingest.domain.universe_rules import UniverseRules
from services.ingest.feed import Frame
from services.ingest.live_day import LiveDay
from services.ingest.live_feed import LiveFeed, make_live_feed
from services.ingest.settings import IngestSettings
from services.simulator.assembly import make_exchange
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings
from services.simulator.stream import Stream
from tests.integration.simulators import SYMBOLS, settings_of, small_market

PARTITIONS = 6
TIMEOUT_SECONDS = 20.0


@dataclass
class LiveDesk:
    """The feed, the exchange, and the frames that were taken, each with its time (ms)."""

    server: SimulatorServer
    feed: LiveFeed
    sessions: KiteSessions
    metrics: Metrics
    taken: list[tuple[int, Frame]] = field(default_factory=list)

    @property
    def day(self) -> LiveDay:
        """The day that is played."""
        live = self.feed._live
        assert live is not None
        return live

    def stream(self, connection: int) -> Stream | None:
        """Return the exchange's end of a connection, None while it is away."""
        own = set(self.day.lines[connection].following.modes)
        found = [
            one for one in self.server.streams if 2 * len(own & one.subscription.tokens) > len(own)
        ]
        return found[-1] if found else None

    def hit(self, connection: int | None, **fault: object) -> None:
        """Let something go wrong with a connection now, unless it is away, or with all of them."""
        stream = None if connection is None else self.stream(connection)
        if connection is not None and stream is None:
            return
        number = {} if stream is None else {"connection": stream.number}
        self.server.exchange.add_fault({**fault, **number})
        self.server.apply_faults()

    def frames(self, connection: int, since_ms: int = 0) -> list[Frame]:
        """Return the frames of a connection with ticks, since a moment of the machine."""
        of = [one for at, one in self.taken if at >= since_ms and one.connection == connection]
        return [one for one in of if len(one.columns)]

    def counted(self, connection: int, what: str) -> int:
        """Return how often something happened to a connection."""
        return self.day.lines[connection].stream.counts()[what]

    async def log_in(self) -> None:
        """Log in anew, which ends the session before."""
        _, request_token = self.server.log_in()
        await self.sessions.log_in(request_token)


async def until(holds: Callable[[], object]) -> int:
    """Return how many milliseconds it took until something held."""
    began = monotonic_ms()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not holds():  # noqa: ASYNC110  # nobody tells when
            await asyncio.sleep(0.01)
    return monotonic_ms() - began


@asynccontextmanager
async def live_desk(folder: Path, **settings: object) -> AsyncIterator[LiveDesk]:
    """Play a day at its own pace, followed over three connections, each of which has ticks."""
    own = settings_of(option_seconds=1, **settings)
    exchange = make_exchange(own, small_market())
    async with SimulatorServer(exchange, own) as server:
        kite = _kite(own, server, folder)
        sessions, metrics = KiteSessions(kite), Metrics("ingest")
        desk = LiveDesk(server, _feed(kite, metrics, exchange.now_ms), sessions, metrics)
        await desk.log_in()
        await desk.feed.open()
        await desk.feed.instruments()
        stopping = asyncio.Event()
        tasks = [asyncio.create_task(server.run(stopping)), asyncio.create_task(_take(desk))]
        try:
            await until(lambda: all(desk.frames(number) for number in range(3)))
            yield desk
        finally:
            stopping.set()
            tasks[1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await desk.feed.close()


async def _take(desk: LiveDesk) -> None:
    async for frame in desk.feed.frames(PARTITIONS):
        desk.taken.append((monotonic_ms(), frame))


def _kite(own: SimulatorSettings, server: SimulatorServer, folder: Path) -> KiteSettings:
    return KiteSettings(
        api_key=own.api_key,
        api_secret=own.api_secret,
        root=server.url,
        ws_root=server.ws_url,
        session_file=folder / "session.json",
    )


def _feed(kite: KiteSettings, metrics: Metrics, now_ms: int) -> LiveFeed:
    """Return the feed of a day that is today for it: its machine shows the exchange's time."""
    keys = tuple(f"NSE:{symbol}" for symbol in SYMBOLS)
    settings = IngestSettings(
        universe=UniverseRules(keys, expiries=1), connections=3, instruments_a_connection=60
    )
    feed = make_live_feed("kite", settings, BrokerSections(kite=kite), "feed", metrics)
    began_ms = monotonic_ms()
    feed.clock, feed.wall_ms = "wall", lambda: now_ms + monotonic_ms() - began_ms
    connect = feed.make_stream

    def soon() -> TickStream:
        """Return a stream that does not wait for long before it is opened again."""
        stream = connect()
        assert isinstance(stream, Ticker)
        stream._backoff, stream._cool_down_seconds = Backoff(0.1, 0.4), 1.0
        return stream

    feed.make_stream = soon
    return feed
