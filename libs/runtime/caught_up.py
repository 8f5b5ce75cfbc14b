"""Whether a consumer that gets no messages has read everything, or is cut off from the bus."""

import asyncio

from libs.events.bus import Bus
from libs.runtime.retry import is_retriable

STEADY_SECONDS = 5.0
"""How long the bus must answer: after an outage a consumer needs a moment to read on."""


class CaughtUp:
    """To be asked again and again while no message comes."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._since = 0.0
        self._asked: float | None = None

    async def is_sure(self) -> bool:
        """Return whether the bus has answered each time for STEADY_SECONDS."""
        try:
            await self._bus.ping()
        except Exception as error:
            if not is_retriable(error):
                raise
            self._asked = None
            return False
        return self._note(asyncio.get_running_loop().time())

    def _note(self, now: float) -> bool:
        if self._asked is None or now - self._asked > STEADY_SECONDS:
            self._since = now
        self._asked = now
        return now - self._since >= STEADY_SECONDS
