"""What is checked before a start: pure functions from facts to findings, for `alphastocks doctor`.

A check that waits is healthy: something has to come first (a login, the next trading day), and the
services wait for it. Only one that failed has to be mended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from libs.broker.errors import SessionError
from libs.broker.kite.session import KiteSession
from libs.market.calendar import IST, Calendar, CalendarError, Session
from libs.market.market_hours import MarketHours

LEAST_FREE_GIB = 2
"""A day of ticks and its tables take less than 1 GiB; merging them needs as much again."""
ENOUGH_FREE_GIB = 10
CALENDAR_DAYS = 30
CLOCK_TOLERANCE = timedelta(minutes=1)
LOG_IN = "alphastocks login"
State = Literal["ok", "waits", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found; `action` says what to do about it."""

    check: str
    state: State
    reason: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a start will listen on; `holder` is who does now: "" nobody."""

    purpose: str
    number: int
    setting: str
    holder: str = ""
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a server answered; `error` says why not."""

    name: str
    address: str
    setting: str
    error: str = ""


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing has failed."""
    return all(one.state != "failed" for one in findings)


def key_finding(api_key: str, variable: str) -> Finding:
    """Check that there is an API key."""
    if api_key:
        return Finding("API key", "ok", "is set")
    return Finding("API key", "failed", "is not set", f"export {variable}=(your app's key at Kite)")


def session_finding(
    found: KiteSession | SessionError, api_key: str, opens_at: datetime | None, login: str = LOG_IN
) -> Finding:
    """Check the login's session: of this key, and valid still when the market opens next."""
    if isinstance(found, SessionError):
        return Finding("session", "waits", str(found).partition(": run ")[0], f"log in: {login}")
    until = found.expires_at.astimezone(IST)
    shown = f"of {found.user_id}, until {until:%Y-%m-%d %H:%M} in India"
    if api_key and found.api_key != api_key:
        return Finding("session", "failed", "belongs to another API key", f"log in: {login}")
    if opens_at is not None and found.expires_at <= opens_at:
        when = f"{shown}, before the market opens"
        return Finding("session", "waits", when, f"log in after {until:%H:%M}: {login}")
    return Finding("session", "ok", shown)


def ports_finding(ports: Sequence[Port]) -> Finding:
    """Check that the ports are free, or held by what we have started ourselves."""
    taken = [port for port in ports if port.holder and not port.is_ours]
    if taken:
        told = ", ".join(f"{port.number} ({port.purpose}) by {port.holder}" for port in taken)
        settings = ", ".join(dict.fromkeys(port.setting for port in taken))
        action = f"stop what holds it, or set another: {settings}"
        return Finding("ports", "failed", f"taken: {told}", action)
    ours = [port for port in ports if port.is_ours]
    numbers = ", ".join(str(port.number) for port in ports)
    if ours:
        return Finding("ports", "ok", f"{numbers}: held by what runs already")
    return Finding("ports", "ok", f"free: {numbers}")


def disk_finding(folder: Path, free_bytes: int) -> Finding:
    """Check the free space where state is kept."""
    free_gib = free_bytes / 2**30
    reason = f"{free_gib:.1f} GiB free at {folder}"
    if free_gib < LEAST_FREE_GIB:
        return Finding("disk", "failed", reason, f"free at least {LEAST_FREE_GIB} GiB")
    if free_gib < ENOUGH_FREE_GIB:
        action = f"soon: free some; {ENOUGH_FREE_GIB} GiB last for days"
        return Finding("disk", "ok", reason, action)
    return Finding("disk", "ok", reason)


def day_finding(hours: MarketHours, now: datetime) -> Finding:
    """Check whether an exchange that is followed trades today."""
    today = now.astimezone(IST).date()
    try:
        session = next_session(hours, now)
        closed = hours.closed_reason(today)
    except CalendarError as error:
        return Finding("trading day", "failed", str(error), "install a version that has the year")
    opens, closes = (at.astimezone(IST) for at in (session.opens_at, session.closes_at))
    if session.day == today:
        return Finding("trading day", "ok", f"today, {opens:%H:%M} to {closes:%H:%M} in India")
    why = f"closed today ({closed})" if closed else "today's session is over"
    return Finding("trading day", "waits", f"{why}; the next one is {opens:%A %Y-%m-%d %H:%M}")


def next_session(hours: MarketHours, now: datetime) -> Session:
    """Return what is left of today from its first open to its last close, else the next day.

    Raises CalendarError where none is known.
    """
    day = now.astimezone(IST).date()
    left = [one for one in hours.sessions(day) if now < one.closes_at]
    if not left:
        day = hours.next_trading_day(day)
        left = hours.sessions(day)
    return Session(day, min(one.opens_at for one in left), left[-1].closes_at)


def calendar_finding(calendar: Calendar, today: date) -> Finding:
    """Check how far the calendar's data reach."""
    reach = 0
    while reach < CALENDAR_DAYS and calendar.covers(today + timedelta(days=reach + 1)):
        reach += 1
    if reach == CALENDAR_DAYS:
        return Finding("calendar", "ok", f"known for more than {CALENDAR_DAYS} days")
    action = "install a version that has the next year"
    if not calendar.covers(today):
        return Finding("calendar", "failed", f"{today} is not in it", action)
    last = today + timedelta(days=reach)
    return Finding("calendar", "waits", f"ends on {last}, in {reach} days", action)


def clock_finding(now: datetime, latest: datetime | None, of_what: str) -> Finding:
    """Check the clock against the latest time that is on record here: it cannot be earlier."""
    shown = f"{now.astimezone(IST):%Y-%m-%d %H:%M:%S} in India"
    if latest is not None and now < latest - CLOCK_TOLERANCE:
        record = f"{of_what} is of {latest.astimezone(IST):%Y-%m-%d %H:%M}"
        action = "set the clock, by NTP; log in again if it was ahead before"
        return Finding("clock", "failed", f"{shown}, but {record}", action)
    return Finding("clock", "ok", f"{shown}: compare it with a clock you trust")


def server_finding(answer: Answer) -> Finding:
    """Check that a server which the settings name answers."""
    if answer.error:
        reason = f"no answer at {answer.address}: {answer.error}"
        return Finding(answer.name, "failed", reason, f"start it, or correct {answer.setting}")
    return Finding(answer.name, "ok", f"answers at {answer.address}")
