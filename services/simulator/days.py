"""Plays one trading day after another; a restart resumes where the last run stopped."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import date
from typing import NamedTuple

from libs.market.calendar import Calendar, CalendarError, load_calendar
from services.simulator.assembly import make_exchange, synthetic_market
from services.simulator.domain.india_time import at_time
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings
from services.simulator.state_file import StateFile

LINGER_SECONDS = 5.0
"""How long the exchange still answers after a day, so that clients receive its last second."""
SAVE_SECONDS = 5.0
"""How often the resume point is saved."""
SECOND_MS = 1000
OnDay = Callable[[SimulatorServer], None]


class ResumePoint(NamedTuple):
    """A day, and the time in it at which the market is (epoch ms; None: the beginning)."""

    day: date
    at_ms: int | None


async def run_days(settings: SimulatorSettings, stopping: asyncio.Event, on_day: OnDay) -> None:
    """Play days until stopped, or until the calendar ends; raises SettingsError.

    A day begins when a client subscribes, so that its first second is received. Between two days
    the exchange is down for a moment, and connections end.
    """
    calendar, saved = load_calendar(), _SavedPoint(settings)
    point: ResumePoint | None = saved.point(calendar)
    while point is not None and not stopping.is_set():
        own = settings.model_copy(update={"day": point.day, "start": None})
        exchange = make_exchange(own, synthetic_market(own), point.at_ms)
        async with SimulatorServer(exchange, own) as server:
            on_day(server)
            await _first(stopping, server.wait_for_subscribers())
            keeping = asyncio.create_task(saved.keep(server))
            try:
                await server.run(stopping, is_one_of_many=True)
                await _first(stopping, asyncio.sleep(LINGER_SECONDS))
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
                saved.write(server)
        if server.exchange.is_over:
            point = _after(point.day, calendar)


async def _first(stopping: asyncio.Event, awaited: Coroutine[None, None, object]) -> None:
    """Return when one of the two is done."""
    tasks = [asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(awaited)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _after(day: date, calendar: Calendar) -> ResumePoint | None:
    with suppress(CalendarError):
        return ResumePoint(calendar.next_trading_day("NSE", day), None)
    return None


class _SavedPoint:
    """Saves the resume point in a file beside the account's, if the settings name one."""

    def __init__(self, settings: SimulatorSettings) -> None:
        starts_ms = at_time(settings.day, settings.start) if settings.start else None
        self._start = ResumePoint(settings.day, starts_ms)
        self._file = StateFile(settings.state.with_suffix(".place")) if settings.state else None

    def point(self, calendar: Calendar) -> ResumePoint | None:
        """Return where to resume: after the end of a day, at the next one."""
        written = self._file.read() if self._file else None
        if self._file is None or written is None:
            return self._start
        try:
            day, at_ms = date.fromisoformat(written["day"]), int(written["at_ms"])
            is_over = bool(written["is_over"])
        except (KeyError, TypeError, ValueError):
            raise self._file.unusable() from None
        return _after(day, calendar) if is_over else ResumePoint(day, at_ms)

    def write(self, server: SimulatorServer) -> None:
        """Save where the market is."""
        exchange = server.exchange
        if self._file is not None:
            day = exchange.trading_day.isoformat()
            at_ms = exchange.now_ms + SECOND_MS  # the next second to play
            self._file.write({"day": day, "at_ms": at_ms, "is_over": exchange.is_over})

    async def keep(self, server: SimulatorServer) -> None:
        """Save it every few seconds until cancelled."""
        while True:
            self.write(server)
            await asyncio.sleep(SAVE_SECONDS)
