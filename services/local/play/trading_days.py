"""Waits for the next trading day at a real account, and says so."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime

from libs.market.calendar import load_calendar
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.clock import WallClock
from libs.runtime.health import Waiting
from services.ingest.days import (
    SEGMENTS,
    Sleep,
    exchange_days,
    next_opening,
    retry_until_open,
    wait_until,
)
from services.ingest.live_feed import LiveFeed, make_live_feed
from services.local.settings import LocalSettings


async def until_open(
    settings: LocalSettings, played: date | None, notify: Callable[[str], None]
) -> None:
    """Return when the day after the one that was played can be opened (None: any day).

    After the first day a new login is waited for; before it, its absence is the caller's error.
    """
    kind = settings.runtime.clock
    if kind == "wall":
        await until_opening(played, notify, WallClock().now_ms)
    if played is None:
        return
    feed = make_live_feed("kite", settings.ingest, BrokerSections(kite=settings.kite), kind)
    try:
        await retry_until_open(lambda: _open_after(feed, played), asyncio.sleep, Waiting())
    finally:
        await feed.close()


async def until_opening(
    played: date | None,
    notify: Callable[[str], None],
    now_ms: Callable[[], int],
    sleep: Sleep = asyncio.sleep,
) -> date:
    """Wait for the next trading day by the wall clock, say so, and return it."""
    opening = next_opening(load_calendar(), now_ms(), played)
    if opening.at.timestamp() * 1000 > now_ms():
        notify(
            f"Waiting for the next trading day, {opening.day}: it is opened at {opening.at:%H:%M}, "
            "India's time. Ctrl-C stops it."
        )
    await wait_until(opening.at, now_ms, sleep)
    return opening.day


async def until_closed(day: date, now_ms: Callable[[], int]) -> None:
    """Return when the last session of a day is over by the wall clock."""
    await wait_until(_closes_at(day), now_ms, asyncio.sleep)


def is_after_close(day: date, now_ms: int) -> bool:
    """Return whether the last session of a day is over."""
    return now_ms >= _closes_at(day).timestamp() * 1000


def _closes_at(day: date) -> datetime:
    calendar = load_calendar()
    sessions = [one for segment in SEGMENTS for one in calendar.sessions(segment, day)]
    return max(session.closes_at for session in sessions)


async def _open_after(feed: LiveFeed, played: date) -> None:
    if feed.clock != "wall":
        await exchange_days(feed, asyncio.sleep)(played, Waiting())
    await feed.open()
