"""What is checked before a start alone: pure functions from facts to findings, for `doctor`.

What a running executor checks too is in services/executor/domain/doctor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.broker.errors import SessionError
from libs.broker.kite.session import KiteSession
from libs.market.calendar import IST
from services.executor.domain.doctor.finding import Finding

CLOCK_TOLERANCE = timedelta(minutes=1)
LOG_IN = "alphastocks login"


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
