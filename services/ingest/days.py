"""Waits for the next trading day: by the wall clock, or at a simulated exchange."""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, NoReturn, Protocol

from libs.broker.errors import BrokerError, SessionError
from libs.events.event import utc_from_ms
from libs.market.calendar import IST, Calendar, CalendarError
from libs.market.market_hours import MarketHours
from libs.runtime.health import LOGIN, Waiting
from libs.runtime.logs import logger_of
from libs.runtime.retry import is_retriable

EARLY = timedelta(minutes=45)
"""How long before the open a day is opened."""
LISTED_AT = time(8, 30)
"""Kite lists the day's instruments at about that time in India; MCX opens at 09:00."""
POLL_SECONDS, LONGEST_SLEEP_SECONDS = 1.0, 60.0
Sleep = Callable[[float], Awaitable[None]]
NextDay = Callable[[date | None, Waiting], Coroutine[None, None, None]]
"""Waits until there is a trading day to open after the one that was played (None: any)."""


class Opening(NamedTuple):
    """A trading day, the time in India from which it is opened, and that of the market's open."""

    day: date
    at: datetime
    market: datetime


class Dated(Protocol):
    """A feed that knows the current day at its exchange."""

    async def today(self) -> date:
        """Return the day of the latest quotes."""


def wall_days(hours: MarketHours, now_ms: Callable[[], int], sleep: Sleep) -> NextDay:
    """Return a wait for the next session by the wall clock; without one it waits and says so."""

    async def wait(played: date | None, waiting: Waiting) -> None:
        opening = next_opening(hours, now_ms(), played)
        if opening is None:
            await _stay(hours.calendar, waiting, sleep)
            return
        at = opening.at.isoformat()
        logger_of("ingest").info("next trading day", day=opening.day.isoformat(), opens_at=at)
        with waiting.on(f"the next trading day ({opening.market:%A %Y-%m-%d %H:%M} in India)"):
            await wait_until(opening.at, now_ms, sleep)

    return wait


def next_opening(hours: MarketHours, now_ms: int, played: date | None) -> Opening | None:
    """Return the next day to open, and when; None if the calendar knows none."""
    try:
        day = _next(hours, utc_from_ms(now_ms).astimezone(IST), played)
    except CalendarError:
        return None
    opens_at = min(one.opens_at for one in hours.sessions(day)).astimezone(IST)
    listed_at = datetime.combine(day, LISTED_AT, IST)
    return Opening(day, max(opens_at - EARLY, listed_at), opens_at)


def what_to_do(calendar: Calendar) -> str:
    """Return what a person must do where the calendar has ended."""
    return (
        f"a calendar after {calendar.last_day}: add calendar-YEAR.toml to the folder of your own "
        "rules (rules.folder), then start again"
    )


async def _stay(calendar: Calendar, waiting: Waiting, sleep: Sleep) -> None:
    """Wait for a person: without a calendar no day is opened, and nothing ends."""
    logger_of("ingest").error("no further trading day is known", wanted=what_to_do(calendar))
    with waiting.on(what_to_do(calendar)):
        await for_ever(sleep)


async def for_ever(sleep: Sleep) -> NoReturn:
    """Wait until somebody ends the process."""
    while True:
        await sleep(LONGEST_SLEEP_SECONDS)


async def wait_until(at: datetime, now_ms: Callable[[], int], sleep: Sleep) -> None:
    """Return at a time by the wall clock."""
    while (left := (at - utc_from_ms(now_ms())).total_seconds()) > 0:
        await sleep(min(left, LONGEST_SLEEP_SECONDS))  # short, since a clock may jump


def exchange_days(exchange: Dated, sleep: Sleep) -> NextDay:
    """Return a wait until the exchange has begun another day."""

    async def wait(played: date | None, waiting: Waiting) -> None:
        with waiting.on("the next trading day of the simulated exchange"):
            while await exchange.today() == played:
                await sleep(POLL_SECONDS)

    return wait


async def retry_until_open(
    attempt: Callable[[], Awaitable[None]], sleep: Sleep, waiting: Waiting
) -> None:
    """Attempt until there is a session and the broker answers; log each kind of error once."""
    logged = ""
    with waiting.on(""):
        while True:
            try:
                return await attempt()
            except BrokerError as error:
                what = awaited(error)
                if not what:
                    raise
                if type(error).__name__ != logged:
                    logger_of("ingest").error(
                        "the day cannot be opened yet, retrying", reason=str(error)
                    )
                logged, waiting.reason = type(error).__name__, f"{what} ({error})"
                await sleep(POLL_SECONDS)


def awaited(error: BrokerError) -> str:
    """Return what ends an error by itself: a login, or the broker's answer; "" for nothing."""
    if isinstance(error, SessionError):
        return LOGIN
    return "an answer of the broker" if is_retriable(error) else ""


def _next(hours: MarketHours, now: datetime, played: date | None) -> date:
    """Return today if it has a session that is not over and was not played, else a later day."""
    sessions = hours.sessions(now.date())
    if sessions and now < sessions[-1].closes_at and now.date() != played:
        return now.date()
    return hours.next_trading_day(now.date())
