"""Trading day after trading day, going on where a restart found the last one."""

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
"""How long the exchange still answers after a day, so that everybody hears of its end."""
KEEP_SECONDS = 5.0
"""How often the place in the day is written down."""
SECOND_MS = 1000
OnDay = Callable[[SimulatorServer], None]


class Place(NamedTuple):
    """Where in which day the market is; `at_ms` None is the beginning."""

    day: date
    at_ms: int | None


async def run_days(settings: SimulatorSettings, stopping: asyncio.Event, on_day: OnDay) -> None:
    """Play days until stopped, or until the calendar ends; raises SettingsError.

    A day begins when somebody follows it, so that its first second is seen. Between two days
    the exchange is away for a moment, and connections end.
    """
    calendar, diary = load_calendar(), _Diary(settings)
    place: Place | None = diary.place(calendar)
    while place is not None and not stopping.is_set():
        own = settings.model_copy(update={"day": place.day, "start": None})
        exchange = make_exchange(own, synthetic_market(own), place.at_ms)
        async with SimulatorServer(exchange, own) as server:
            on_day(server)
            await _first(stopping, server.wait_for_subscribers())
            keeping = asyncio.create_task(diary.keep(server))
            try:
                await server.run(stopping, is_one_of_many=True)
                await _first(stopping, asyncio.sleep(LINGER_SECONDS))
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
                diary.write(server)
        if server.exchange.is_over:
            place = _after(place.day, calendar)


async def _first(stopping: asyncio.Event, awaited: Coroutine[None, None, object]) -> None:
    """Return when one of the two is there."""
    tasks = [asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(awaited)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _after(day: date, calendar: Calendar) -> Place | None:
    with suppress(CalendarError):
        return Place(calendar.next_trading_day("NSE", day), None)
    return None


class _Diary:
    """Remembers the place beside the account, where the settings name a file for that."""

    def __init__(self, settings: SimulatorSettings) -> None:
        starts_ms = at_time(settings.day, settings.start) if settings.start else None
        self._first = Place(settings.day, starts_ms)
        self._file = StateFile(settings.state.with_suffix(".place")) if settings.state else None

    def place(self, calendar: Calendar) -> Place | None:
        """Return where to go on: the next day where one was played to its end."""
        written = self._file.read() if self._file else None
        if self._file is None or written is None:
            return self._first
        try:
            day, at_ms = date.fromisoformat(written["day"]), int(written["at_ms"])
            is_over = bool(written["is_over"])
        except (KeyError, TypeError, ValueError):
            raise self._file.unusable() from None
        return _after(day, calendar) if is_over else Place(day, at_ms)

    def write(self, server: SimulatorServer) -> None:
        """Write down where the market is."""
        exchange = server.exchange
        if self._file is not None:
            day = exchange.trading_day.isoformat()
            at_ms = exchange.now_ms + SECOND_MS  # the second after the one that was played last
            self._file.write({"day": day, "at_ms": at_ms, "is_over": exchange.is_over})

    async def keep(self, server: SimulatorServer) -> None:
        """Write it down every few seconds until cancelled."""
        while True:
            self.write(server)
            await asyncio.sleep(KEEP_SECONDS)
