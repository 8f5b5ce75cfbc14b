"""An outage of the bus, told at its start, every ten seconds, and when it is over."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from libs.events.errors import BusUnavailable, EventError

T = TypeVar("T")
EVERY_SECONDS = 10.0
RETRY_SECONDS = 1.0
PING_SECONDS = 5.0
Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Outage:
    """Tells of an outage with its reason and seconds so far, and of its end with all seconds."""

    tell_away: Callable[[str, float], None]
    tell_back: Callable[[float], None]
    now: Callable[[], float] = time.monotonic
    _since: float | None = None
    _told: float = 0.0

    def away(self, reason: str) -> None:
        """Note a failure; it is told if nothing was for EVERY_SECONDS."""
        now = self.now()
        is_new = self._since is None
        since = self._since = now if self._since is None else self._since
        if is_new or now - self._told >= EVERY_SECONDS:
            self._told = now
            self.tell_away(reason, now - since)

    def back(self) -> None:
        """Note a success; it is told if there was an outage."""
        since, self._since = self._since, None
        if since is not None:
            self.tell_back(self.now() - since)


async def until_answered(
    ask: Callable[[], Awaitable[T]],
    outage: Outage,
    is_given_up: Callable[[], bool],
    sleep: Sleep = asyncio.sleep,
) -> T:
    """Ask until the bus answers; raise BusUnavailable when it does not and that is given up."""
    while True:
        try:
            answer = await ask()
        except BusUnavailable as error:
            if is_given_up():
                raise
            outage.away(str(error))
            await sleep(RETRY_SECONDS)
        else:
            outage.back()
            return answer


async def watch(
    ping: Callable[[], Awaitable[None]], outage: Outage, sleep: Sleep = asyncio.sleep
) -> None:
    """Ping the bus for ever, and tell of its outages."""
    while True:
        try:
            await ping()
        except EventError as error:
            outage.away(str(error))
        else:
            outage.back()
        await sleep(PING_SECONDS)


@asynccontextmanager
async def outages_told(ping: Callable[[], Awaitable[None]], outage: Outage) -> AsyncIterator[None]:
    """Watch the bus during the block."""
    watching = asyncio.create_task(watch(ping, outage))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def after(seconds: float) -> Callable[[], bool]:
    """Return a function that says whether so many seconds have passed since now."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline
