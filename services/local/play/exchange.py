"""A simulated Kite in this process, served over HTTP and a websocket on localhost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from libs.broker.kite.login import KiteSessions
from libs.broker.port.venue import Venue
from libs.runtime.brokers.orders import connect_venue
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import ClockKind, FeedClock
from libs.runtime.settings import KiteSettings
from services.ingest.live_feed import LiveFeed, make_live_feed
from services.ingest.settings import IngestSettings
from services.local.play.system import Wiring, service_metrics
from services.local.settings import LocalSettings
from services.simulator.assembly import make_exchange, synthetic_market
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings

CLOCK: ClockKind = "feed"
TIMEOUT_SECONDS = 10.0
"""Longer than a REST call may take."""
TURNS, POLL_SECONDS = 500, 0.0005
Settle = Callable[[], Awaitable[None]]
Pace = Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class LocalExchange:
    """The simulator, the settings that reach it, and the feed and venue connected to it."""

    server: SimulatorServer
    kite: KiteSettings
    timeouts: int = 0
    _connected: tuple[LiveFeed, Venue] | None = None
    _frames_lost: int = 0
    _postbacks_lost: int = 0

    def wiring(self, settings: IngestSettings, pace: float = 0.0) -> Wiring:
        """Return the wiring of a system: a feed over the websocket, and an order client.

        `pace` is the market's speed; 0: in lockstep the stamps alone are the time.
        """
        clock, metrics = FeedClock(pace), service_metrics()
        sections = BrokerSections(kite=self.kite)
        feed = make_live_feed("kite", settings, sections, CLOCK, metrics["ingest"])
        around = surroundings("executor", CLOCK, clock, metrics["executor"])
        venue = connect_venue("simulator", sections, around)
        self._connected = (feed, venue)
        return Wiring(feed, clock, venue, metrics=metrics)

    async def play(self, settle: Settle, pace: Pace) -> None:
        """Play the day second by second: match orders, settle, send ticks, settle."""
        await self.server.wait_for_subscribers()
        await settle()
        while not self.server.exchange.is_over:
            if await self.server.trade():
                await settle()
            await self.server.tick()
            await settle()
            await pace(self.server.exchange.now_ms)

    async def received(self) -> None:
        """Return when feed and venue have received everything that was sent, or at the timeout.

        What is missing then was lost with its connection; it is not waited for again.
        """
        await until(lambda: not self._missing(), TIMEOUT_SECONDS)
        if missing := self._missing():
            self.timeouts += 1
            self._frames_lost += missing[0]
            self._postbacks_lost += missing[1]

    def _missing(self) -> tuple[int, int] | None:
        """Return how many frames and postbacks were sent but not received; None if all were."""
        if self._connected is None:
            return None
        feed, venue = self._connected
        orders = venue.describe()
        sent = [stream.counts.updates_sent for stream in self.server.streams]
        frames = self.server.frames_sent - feed.frames_taken - self._frames_lost
        postbacks = max(sent, default=0) - orders["postbacks"] - self._postbacks_lost
        is_waiting = frames > 0 or postbacks > 0 or orders["pending"]
        return (max(frames, 0), max(postbacks, 0)) if is_waiting else None


async def until(is_so: Callable[[], bool], timeout_seconds: float) -> None:
    """Return when the condition holds, or at the timeout.

    Most conditions come true within a few turns of this event loop. For those that need a thread (a
    REST call), the loop then sleeps between the checks.
    """
    loop, turn = asyncio.get_running_loop(), 0
    deadline = loop.time() + timeout_seconds
    while not is_so() and loop.time() < deadline:
        turn += 1
        await asyncio.sleep(0 if turn < TURNS else POLL_SECONDS)


@asynccontextmanager
async def local_exchange(
    settings: LocalSettings,
    on: date,
    seed: int,
    var: Path,
    start_ms: int | None = None,
    state: Path | None = None,
    *,
    is_lockstep: bool = False,
) -> AsyncIterator[LocalExchange]:
    """Serve a seeded day on a free port of this machine and log in to it.

    The day begins at `start_ms` (epoch ms; None: its open) with the account of the state file.
    In lockstep Kite's limits do not apply: they go by the machine's time, the outcome must not.
    """
    limits = settings.simulator.limits and not is_lockstep
    chosen = {
        "day": on,
        "seed": seed,
        "start": None,
        "state": state,
        "port": 0,
        "limits": limits,
    }
    own = settings.simulator.model_copy(update=chosen)
    exchange = make_exchange(own, synthetic_market(own), start_ms)
    async with SimulatorServer(exchange, own) as server:
        kite = settings.kite.model_copy(update=_kite_settings(own, server, var))
        _, request_token = server.log_in()
        await KiteSessions(kite).log_in(request_token)
        yield LocalExchange(server, kite)


def persistent_exchange(
    settings: LocalSettings, on: date, seed: int, var: Path, start_ms: int | None
) -> AbstractAsyncContextManager[LocalExchange]:
    """Serve a day whose account is kept in a file over restarts."""
    state = var / "simulator" / "account.json"
    return local_exchange(settings, on, seed, var, start_ms, state)


def _kite_settings(own: SimulatorSettings, server: SimulatorServer, var: Path) -> dict[str, object]:
    """Return the [kite] settings that connect to a server."""
    return {
        "api_key": own.api_key,
        "api_secret": own.api_secret,
        "root": server.url,
        "ws_root": server.ws_url,
        "login_root": f"{server.url}/connect/login",
        "session_file": var / "simulator" / "session.json",
        # The outcome must not depend on how fast this machine answers.
        "fill_seconds": 2 * TIMEOUT_SECONDS,
    }
