"""The simulated exchange on a port: HTTP, websocket, and the market's clock."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from libs.runtime.clock import monotonic_ms
from libs.runtime.http_guard import Guard
from services.simulator.app import KiteApp, make_app
from services.simulator.control import Control
from services.simulator.domain.exchange import Exchange, Posting
from services.simulator.domain.india_time import clock
from services.simulator.domain.pacing import Pacing
from services.simulator.http_faults import HttpFaults
from services.simulator.hub import Hub
from services.simulator.listener import Listener
from services.simulator.settings import SimulatorSettings
from services.simulator.state_file import StateFile
from services.simulator.stream import Stream

_PAUSE_SECONDS = 0.05
_MOST_BYTES = 256 * 1024
"""A basket of orders and a call for 1,000 instruments are long."""


class SimulatorServer:
    """An exchange that listens from entering to leaving; raises SettingsError for a taken port.

    Its market moves by `trade` and `tick`, or by itself while `run` runs.
    """

    def __init__(self, exchange: Exchange, settings: SimulatorSettings) -> None:
        self.exchange, self._settings = exchange, settings
        self.pacing: Pacing | None = None
        self._file = StateFile(settings.state) if settings.state else None
        self._hub = Hub(exchange, settings)
        self._kite = KiteApp(exchange, settings, self)
        self._listener: Listener | None = None
        self._ending = asyncio.Event()
        self._late: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.keep()
        app = make_app(self._kite, self._hub.connect, Control(self).routes())
        faulty = HttpFaults(app, self.exchange, self._wait)
        guarded = Guard(faulty, most_bytes=_MOST_BYTES)
        self._listener = Listener(guarded, self._settings.host, self._settings.port)
        await self._listener.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        for task in self._late:
            task.cancel()
        self._hub.end()
        if self._listener is not None:
            await self._listener.stop()

    @property
    def port(self) -> int:
        """The port on which it listens."""
        if self._listener is None:
            raise RuntimeError("the server is not listening yet")
        return self._listener.port

    @property
    def url(self) -> str:
        """Address of the REST interface."""
        return f"http://{self._listener_host()}:{self.port}"

    @property
    def ws_url(self) -> str:
        """Address of the websocket."""
        return f"ws://{self._listener_host()}:{self.port}"

    @property
    def streams(self) -> Sequence[Stream]:
        """The open websocket connections, oldest first, each with its `counts`."""
        return self._hub.streams

    @property
    def frames_sent(self) -> int:
        """Frames with ticks sent so far, over all connections."""
        return self._hub.counts.frames_sent

    @property
    def postbacks_sent(self) -> int:
        """Order updates sent so far, over all connections."""
        return self._hub.counts.updates_sent

    @property
    def has_subscribers(self) -> bool:
        """Whether a connection follows any instrument."""
        return self._hub.has_subscribers

    async def wait_for_subscribers(self) -> None:
        """Return when a connection follows an instrument."""
        await self._hub.wait_for_subscribers()

    def log_in(self) -> tuple[str, str]:
        """Return the API key and a fresh request token, as the login page would give it."""
        api_key = self._settings.api_key
        return api_key, self._kite.begin_login(api_key)

    async def trade(self) -> bool:
        """Play a second's first half: match, and send the order updates to every connection.

        Returns whether there were any.
        """
        postings = self._play()
        for posting in postings:
            await self._post(posting)
        return bool(postings)

    async def tick(self) -> None:
        """Play its second half: send the ticks, and wait until the network has taken them."""
        await self._hub.send(self.exchange.ticks())

    async def run(self, stopping: asyncio.Event, *, is_one_of_many: bool = False) -> None:
        """Play at the settings' speed until stopped; after the day only the clock goes on.

        A day that is one of many ends with its last second.
        """
        self.pacing = Pacing(self._settings.speed)
        try:
            while not (stopping.is_set() or (is_one_of_many and self.exchange.is_over)):
                if await self._is_due(self.pacing, stopping):
                    self.pacing.played()
                    for posting in self._play():
                        self._send_later(posting)
                    self._hub.offer(self.exchange.ticks())
        finally:
            self.pacing = None

    def keep(self) -> None:
        """Save the account, if the settings name a file."""
        if self._file is not None:
            self._file.write(self.exchange.account.dump())

    async def send_early(self) -> None:
        """Send the order updates that are to come before the reply of a request."""
        for posting in self.exchange.take_early():
            await self._post(posting)

    def apply_faults(self) -> None:
        """Apply the faults of connections that are due."""
        for fault in self.exchange.faults.due_on_sockets(self.exchange.now_ms):
            self._hub.apply(fault)

    def state(self) -> dict[str, Any]:
        """Describe the exchange, its connections and its counts."""
        exchange, pacing = self.exchange, self.pacing
        return {
            "trading_day": exchange.trading_day.isoformat(),
            "now": clock(exchange.now_ms),
            "now_ms": exchange.now_ms,
            "is_over": exchange.is_over,
            "speed": pacing.speed if pacing else None,
            "is_paused": pacing.is_paused if pacing else None,
            "orders": len(exchange.account.orders()),
            "frames_sent": self.frames_sent,
            "postbacks_sent": self.postbacks_sent,
            "connections": [stream.row() for stream in self.streams],
        }

    def _listener_host(self) -> str:
        host = self._settings.host
        return f"[{host}]" if ":" in host else host

    def _play(self) -> list[Posting]:
        postings = self.exchange.trade()
        if postings:
            self.keep()
        self.apply_faults()
        return postings

    async def _is_due(self, pacing: Pacing, stopping: asyncio.Event) -> bool:
        """Wait for the next second, but only briefly: speed and pause may change meanwhile."""
        wait = _PAUSE_SECONDS if pacing.is_paused else pacing.wait_ms(monotonic_ms()) / 1000
        if wait <= 0:
            await asyncio.sleep(0)
            return True
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), min(wait, _PAUSE_SECONDS))
        return False

    async def _post(self, posting: Posting) -> None:
        if posting.wait_seconds:
            self._send_later(posting)
        else:
            await self._hub.post(posting.update)

    def _send_later(self, posting: Posting) -> None:
        task = asyncio.create_task(self._late_post(posting))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _late_post(self, posting: Posting) -> None:
        await asyncio.sleep(posting.wait_seconds)
        await self._hub.post(posting.update)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)
