"""Runs a consumer group, and restarts it where its failure must not end the service."""

import asyncio
from collections.abc import Callable

import structlog

from libs.events.errors import EventError
from libs.runtime.clock import monotonic_ms
from libs.runtime.consumer import ConsumerLoop
from libs.runtime.dead_letters import TooManyDeadLetters
from libs.runtime.health import Health

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0


class Group:
    """Runs the loop of a subscription; with `may_fail` a failed loop is restarted with backoff.

    The new loop begins at the last commit. Until it has started, the group's health shows the
    error. An error of the bus always ends the service.
    """

    def __init__(
        self,
        make_loop: Callable[[], ConsumerLoop],
        health: Health,
        log: structlog.typing.FilteringBoundLogger,
        may_fail: bool,
    ) -> None:
        self.loop = make_loop()
        self._make_loop = make_loop
        self._health = health
        self._log = log
        self._may_fail = may_fail
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Join the group and restore state."""
        await self.loop.start()

    async def run(self) -> None:
        """Handle messages until `stop`."""
        wait_seconds, began_ms = FIRST_WAIT_SECONDS, monotonic_ms()
        while (error := await self._failure()) is not None:
            if monotonic_ms() - began_ms > LONGEST_WAIT_SECONDS * 1000:
                wait_seconds = FIRST_WAIT_SECONDS
            self._report(error, wait_seconds)
            if await self._stops_within(wait_seconds):
                return
            wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)
            began_ms = monotonic_ms()
            self.loop = self._make_loop()
            self._note_unwell(error)

    def stop(self) -> None:
        """End `run` after the message that is being handled."""
        self._stopping.set()
        self.loop.stop()

    async def _failure(self) -> Exception | None:
        """Run the loop to its end; return the error that ended it if the service can go on."""
        try:
            if not self.loop.is_joined:
                await self.loop.start()
            await self.loop.run()
        except Exception as error:
            if not self._may_fail or _is_of_the_bus(error):
                raise
            return error
        return None

    async def _stops_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _report(self, error: Exception, wait_seconds: float) -> None:
        self._log.error(
            "group failed and will restart",
            group=self.loop.group,
            reason=f"{type(error).__name__}: {error}",
            wait_seconds=wait_seconds,
        )
        self._note_unwell(error)

    def _note_unwell(self, error: Exception) -> None:
        self._health.unwell(self.loop.group, f"{type(error).__name__}: {error}")


def _is_of_the_bus(error: Exception) -> bool:
    if isinstance(error, TooManyDeadLetters):
        return False
    return isinstance(error, EventError) and not error.is_retriable
