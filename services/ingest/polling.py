"""Quotes by request, for what no websocket brings."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from libs.broker.errors import BrokerError
from libs.broker.port.market import MarketData
from libs.events.ticks import TickColumns
from services.ingest.domain.rounds import Rounds
from services.ingest.feed_log import FeedLog

POLL_SECONDS = 1.0
"""The broker answers one request for quotes a second."""
A_CALL, MOST = 500, 2_500
"""Instruments of one request, and of five: each is quoted at least every five seconds."""


@dataclass(slots=True)
class Poller:
    """Asks the broker for quotes as long as something is wanted.

    `wanted` are the tokens that nobody brings, the most important first; `keys` their names: what
    has none is told as not quoted. `deliver` takes what came. A packet without a time gets
    `no_time`.
    """

    market_data: MarketData
    keys: Mapping[int, str]
    wanted: Callable[[], Sequence[int]]
    deliver: Callable[[TickColumns], None]
    log: FeedLog
    no_time: int
    rounds: Rounds = field(default_factory=lambda: Rounds(A_CALL, MOST))

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(POLL_SECONDS)

    async def ask(self) -> None:
        """Ask once for what is wanted now."""
        wanted = self.wanted()
        named = [token for token in wanted if token in self.keys]
        chosen = self.rounds.next(named)
        polled = len(named) - self.rounds.left_out
        self.log.note_polled(polled, len(wanted) - polled)
        if not chosen:
            return
        try:
            ticks = await self.market_data.ticks([self.keys[one] for one in chosen], self.no_time)
        except BrokerError as error:
            self.log.note_poll(str(error))
        else:
            self.log.note_poll("")
            self.deliver(ticks)
