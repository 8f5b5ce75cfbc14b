"""Gives and ends armings for the control endpoints."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from libs.events.control import ControlUsed
from libs.events.event import Event
from libs.runtime.clock import Clock
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.live.asking import Asked, Readiness, armed, arming_refusal

Objections = Callable[[], Awaitable[Sequence[str]]]
"""Returns what speaks against live trading now, each with what to do."""


@dataclass(frozen=True, slots=True)
class ArmingDesk:
    """The executor's arming, as a person asks for it."""

    executor: OptionsExecutor
    clock: Clock
    objections: Objections

    async def refusal(self, asked: Asked) -> str:
        """Return why an arming is not given, empty if it is."""
        executor = self.executor
        against = await self.objections() if executor.mode == "live" else ()
        ready = Readiness(executor.mode, executor.market.calendar, against)
        return arming_refusal(asked, ready, executor.arming, self.clock.now_ms())

    def armed(self, asked: Asked, use: ControlUsed) -> list[Event]:
        """Return the events of an arming."""
        return [use, armed(asked, use, self.executor.arming)]

    def disarmed(self, use: ControlUsed) -> list[Event]:
        """Return the events of its end; only the use where nothing is armed."""
        reason = f"disarmed by {use.token}" + (f": {use.reason}" if use.reason else "")
        now_ms = self.clock.now_ms()
        return [use, *self.executor.arming.ending("asked", now_ms, use.token, reason)]
