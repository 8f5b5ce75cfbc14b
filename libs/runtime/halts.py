"""What a failure publishes: a halt of new entries, told as far as the bus still answers."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from libs.events.control import TradingHalted
from libs.events.errors import EventError
from libs.events.event import utc_from_ms
from libs.market.calendar import IST
from libs.runtime.clock import Clock

TELL_SECONDS = 10.0
"""How long a service that has failed waits for the bus, before it ends without having told."""


def halt(clock: Clock, reason: str, *id_parts: object) -> TradingHalted:
    """Return a halt of new entries, at the clock's time; equal parts make an equal id."""
    at = utc_from_ms(clock.now_ms())
    day = at.astimezone(IST).date()
    envelope = TradingHalted.without_cause(*id_parts, occurred_at=at, trading_day=day)
    return TradingHalted(**envelope, reason=reason)


def halt_after(clock: Clock, where: str, error: Exception) -> TradingHalted:
    """Return the halt after a defect that no message has caused."""
    reason = f"{where} failed: {type(error).__name__}: {error}"
    return halt(clock, reason, where, clock.now_ms(), error)


async def tell(
    telling: Callable[[], Awaitable[None]], log: structlog.typing.FilteringBoundLogger
) -> None:
    """Publish what a failure asks for; a bus that does not take it must not hide the failure."""
    try:
        async with asyncio.timeout(TELL_SECONDS):
            await telling()
    except (TimeoutError, EventError) as error:
        reason = str(error) or f"no answer within {TELL_SECONDS:g} s"
        log.error("the failure could not be told on the bus", reason=reason)
