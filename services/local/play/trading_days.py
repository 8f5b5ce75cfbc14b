"""Waits for the next trading day at a real account, and says so."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date

from libs.broker.errors import BrokerError
from libs.market.market_hours import MarketHours
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.clock import WallClock
from libs.runtime.health import LOGIN, Waiting
from services.ingest.days import (
    Sleep,
    awaited,
    exchange_days,
    for_ever,
    next_opening,
    retry_until_open,
    wait_until,
    what_to_do,
)
from services.ingest.live_feed import LiveFeed, make_live_feed
from services.local.settings import LocalSettings

OnWait = Callable[[str], None]
"""Called with what is waited for while no service runs, "" when that is over."""


def not_noted(_: str) -> None:
    """Note no wait: the services run meanwhile, and say themselves what they wait for."""


async def until_open(
    settings: LocalSettings, played: date | None, notify: Callable[[str], None], on_wait: OnWait
) -> None:
    """Return when the day after the one that was played can be opened (None: any day).

    A login is waited for too.
    """
    kind = settings.runtime.clock
    feed = make_live_feed("kite", settings.ingest, BrokerSections(kite=settings.kite), kind)
    try:
        if kind == "wall":
            await until_opening(feed.hours, played, notify, WallClock().now_ms, on_wait=on_wait)
        elif played is not None:
            on_wait("the next trading day of the simulated exchange")
        await until_opened(lambda: _open_after(feed, played), notify, on_wait)
    finally:
        on_wait("")
        await feed.close()


async def until_opened(
    attempt: Callable[[], Awaitable[None]],
    notify: Callable[[str], None],
    on_wait: OnWait,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Attempt until there is a session and the broker answers; say once what is waited for."""
    said = ""

    async def attempted() -> None:
        nonlocal said
        try:
            await attempt()
        except BrokerError as error:
            what = _said(awaited(error))
            if what not in ("", said):
                said = what
                on_wait(what)
                notify(f"Waiting for {what}. Ctrl-C stops it. {error}")
            raise

    await retry_until_open(attempted, sleep, Waiting())


def _said(what: str) -> str:
    """Return what is waited for, for who sits at the terminal."""
    return "a login in another terminal: alphastocks login" if what == LOGIN else what


async def until_opening(
    hours: MarketHours,
    played: date | None,
    notify: Callable[[str], None],
    now_ms: Callable[[], int],
    sleep: Sleep = asyncio.sleep,
    on_wait: OnWait = not_noted,
) -> date:
    """Wait for the next trading day by the wall clock, say so, and return it."""
    opening = next_opening(hours, now_ms(), played)
    if opening is None:
        wanted = what_to_do(hours.calendar)
        notify(f"Waiting for {wanted}. Ctrl-C stops it.")
        on_wait(wanted)
        await for_ever(sleep)
    if opening.at.timestamp() * 1000 > now_ms():
        notify(
            f"Waiting for the next trading day, {opening.day}: it is opened at {opening.at:%H:%M}, "
            "India's time. Ctrl-C stops it."
        )
        on_wait(
            f"the next trading day, {opening.day}; the executor starts at {opening.at:%H:%M}, "
            "India's time"
        )
    await wait_until(opening.at, now_ms, sleep)
    return opening.day


async def until_closed(hours: MarketHours, day: date, now_ms: Callable[[], int]) -> None:
    """Return when the last session of a day is over by the wall clock."""
    await wait_until(hours.sessions(day)[-1].closes_at, now_ms, asyncio.sleep)


def is_after_close(hours: MarketHours, day: date, now_ms: int) -> bool:
    """Return whether the last session of a day is over."""
    return now_ms >= hours.sessions(day)[-1].close_ms


async def _open_after(feed: LiveFeed, played: date | None) -> None:
    if feed.clock != "wall":
        await exchange_days(feed, asyncio.sleep)(played, Waiting())
    await feed.open()
