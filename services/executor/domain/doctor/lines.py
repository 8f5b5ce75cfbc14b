"""All lines of a running executor's doctor, from what is known at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from libs.broker.port import Margin, Session
from libs.market.calendar import IST, Calendar
from libs.market.facts import Fact
from services.executor.domain.doctor.account import (
    address_finding,
    funds_finding,
    logout_finding,
    margins_finding,
    owner_finding,
    rate_finding,
    reconciliation_finding,
    session_finding,
)
from services.executor.domain.doctor.day import (
    expiries_finding,
    instruments_finding,
    rules_finding,
)
from services.executor.domain.doctor.finding import Finding
from services.executor.domain.doctor.machine import (
    bus_finding,
    database_finding,
    disk_finding,
    feed_finding,
    offset_finding,
)
from services.executor.domain.live.outcome import Footing


@dataclass(frozen=True, slots=True)
class Seen:
    """What had to be asked for: errors are empty where an answer came.

    `free_bytes` are those of the database's disks, None without one; `address` is where requests
    leave from, empty where nobody was asked.
    """

    disk_bytes: int
    bus_error: str = ""
    free_bytes: int | None = None
    database_error: str = ""
    is_read_only: bool = False
    address: str = ""
    address_error: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the lines are made from; ages in ms, None: nothing yet. `now` is the service's clock.

    `closes` is today's last close, None where the session's end cannot be compared with it.
    """

    now: datetime
    footing: Footing
    seen: Seen
    folder: Path
    calendar: Calendar
    facts: Sequence[Fact]
    session: Session | None
    session_error: str
    closes: datetime | None
    user_id: str
    registered: Sequence[str]
    held: Sequence[date]
    listed_on: date | None
    offset_ms: int
    tick_age_ms: int | None
    is_open: bool
    is_silent: bool
    lag: int
    clean_age_ms: int | None
    pace: float
    capital: Decimal
    funds: Margin | None
    quarantines: Mapping[str, str] = field(default_factory=dict)
    orders_a_second: int | None = None

    @property
    def today(self) -> date:
        """The day in India."""
        return self.now.astimezone(IST).date()

    @property
    def is_real(self) -> bool:
        """Whether the account is a real one."""
        return self.footing.venue == "real"


def examine(known: Facts) -> tuple[Finding, ...]:
    """Return every line, in the order in which they are shown."""
    return (*_of_account(known), *_of_day(known), *_of_system(known), *_of_law(known))


def _of_account(known: Facts) -> tuple[Finding, ...]:
    sends = known.footing.venue != "paper"
    return (
        session_finding(known.session, known.session_error, known.closes),
        reconciliation_finding(known.clean_age_ms, known.quarantines, known.pace),
        margins_finding(known.funds, is_needed=sends),
        funds_finding(known.funds, known.capital),
    )


def _of_day(known: Facts) -> tuple[Finding, ...]:
    return (
        instruments_finding(known.listed_on, known.today),
        rules_finding(known.facts, known.today),
        expiries_finding(known.calendar, known.today, known.held),
    )


def _of_system(known: Facts) -> tuple[Finding, ...]:
    seen = known.seen
    return (
        offset_finding(known.offset_ms),
        feed_finding(
            known.tick_age_ms, known.pace, is_open=known.is_open, is_silent=known.is_silent
        ),
        bus_finding(known.footing.bus, known.lag, seen.bus_error),
        database_finding(seen.free_bytes, seen.database_error, is_read_only=seen.is_read_only),
        disk_finding(known.folder, seen.disk_bytes),
    )


def _of_law(known: Facts) -> tuple[Finding, ...]:
    seen = known.seen
    return (
        address_finding(known.registered, seen.address, seen.address_error),
        rate_finding(known.orders_a_second),
        logout_finding(known.session, known.now, is_real=known.is_real),
        owner_finding(known.session, known.user_id, is_real=known.is_real),
    )
