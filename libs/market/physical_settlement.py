"""Until when an option that is settled in shares may be bought and held."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from libs.market.calendar import Calendar, CalendarError
from libs.market.dated import DatedSeries
from libs.market.packaged import kept, load_table

_SEGMENT = "NFO"


class Expiring(Protocol):
    """What is looked at of a contract."""

    @property
    def underlying(self) -> str:
        """Name of its underlying, as its options have it."""

    @property
    def expiry(self) -> date:
        """Its expiry day."""


@dataclass(frozen=True, slots=True)
class PhysicalSettlement:
    """Which underlyings have options settled in cash, and the dated days of margin before expiry.

    A day that the calendar does not hold makes the answer None, as for options settled in cash.
    """

    indices: frozenset[str]
    margin_days: DatedSeries[int]

    def is_in_shares(self, underlying: str) -> bool:
        """Whether options of an underlying are settled in shares; those of an index are not."""
        return underlying not in self.indices

    def last_day(
        self, underlying: str, expiry: date, calendar: Calendar, days: int | None = None
    ) -> date | None:
        """Return the last day on which an option may be bought and held, None without limit.

        `days` before the expiry day are left out, by default those of the dated rule.
        """
        if not self.is_in_shares(underlying):
            return None
        left_out = self.margin_days.at(expiry).value if days is None else days
        day = expiry
        try:
            for _ in range(left_out + 1):
                day = calendar.previous_trading_day(_SEGMENT, day)
        except CalendarError:
            return None
        return day

    def must_leave_by(
        self, contract: Expiring, calendar: Calendar, days: int | None = None
    ) -> int | None:
        """Return the close (epoch ms) of the last day on which a contract may be held, or None."""
        day = self.last_day(contract.underlying, contract.expiry, calendar, days)
        return None if day is None else calendar.sessions(_SEGMENT, day)[-1].close_ms


@kept
def load_physical_settlement() -> PhysicalSettlement:
    """Return the packaged rule."""
    table = load_table("physical_settlement.toml")
    margin_days = DatedSeries.of(table["margin_days"], int)
    return PhysicalSettlement(frozenset(table["indices"]), margin_days)


def must_leave_by(contract: Expiring, calendar: Calendar, days: int | None = None) -> int | None:
    """Return until when (epoch ms) a contract may be held before it is settled in shares.

    None for an option that is settled in cash, and where the calendar does not know the days.
    """
    return load_physical_settlement().must_leave_by(contract, calendar, days)
