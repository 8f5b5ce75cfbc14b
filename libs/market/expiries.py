"""Expiry dates by rule, to synthesise instrument dumps where there is no real one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice

from libs.market.calendar import Calendar
from libs.market.instruments import Instrument, option_tradingsymbol

_WEEK = timedelta(days=7)
_SEGMENT = "NFO"


@dataclass(frozen=True, slots=True)
class Expiry:
    """An expiry date, and whether it is the monthly one."""

    date: date
    is_monthly: bool


@dataclass(frozen=True, slots=True)
class ExpiryRule:
    """A weekday (Monday is 0) of weekly or monthly expiry, and the days between which it holds."""

    is_monthly: bool
    weekday: int
    since: date
    until: date
    source: str = ""
    is_confirmed: bool = True

    def applies_to(self, day: date) -> bool:
        """Whether a contract expires on this day by the rule, without regard to holidays."""
        is_last_of_month = (day + _WEEK).month != day.month
        return self.since <= day <= self.until and (is_last_of_month or not self.is_monthly)


def upcoming(rules: Sequence[ExpiryRule], on: date, calendar: Calendar, count: int) -> list[Expiry]:
    """Return up to `count` expiries on or after a day; a holiday moves one to the day before.

    A week with a monthly expiry has no weekly one. Holidays beyond the calendar are ignored.
    """
    monday = on - timedelta(days=on.weekday())
    mondays = (monday + week * _WEEK for week in range(6 * count + 6))
    return list(islice(_settled(rules, mondays, on, calendar), count))


def _settled(
    rules: Sequence[ExpiryRule], mondays: Iterator[date], on: date, calendar: Calendar
) -> Iterator[Expiry]:
    for monday in mondays:
        nominal = _of_week(rules, monday)
        if nominal is not None:
            day = _settlement_day(nominal.date, calendar)
            if day >= on:
                yield Expiry(day, nominal.is_monthly)


def _of_week(rules: Sequence[ExpiryRule], monday: date) -> Expiry | None:
    for rule in sorted(rules, key=lambda rule: not rule.is_monthly):
        day = monday + timedelta(days=rule.weekday)
        if rule.applies_to(day):
            return Expiry(day, rule.is_monthly)
    return None


def _settlement_day(day: date, calendar: Calendar) -> date:
    while calendar.covers(day) and not calendar.is_settlement_day(_SEGMENT, day):
        day -= timedelta(days=1)
    return day


def option_without_token(
    name: str,
    expiry: Expiry,
    strike: float,
    kind: str,
    lot_size: int,
    tick_size: Decimal,
    exchange: str = "NFO",
) -> Instrument:
    """Return an option of an underlying as the dump would list it, without a token."""
    return Instrument(
        instrument_token=0,
        exchange_token=0,
        tradingsymbol=option_tradingsymbol(name, expiry.date, strike, kind, expiry.is_monthly),
        name=name,
        last_price=0.0,
        expiry=expiry.date,
        strike=strike,
        tick_size=tick_size,
        lot_size=lot_size,
        instrument_type=kind,
        segment=f"{exchange}-OPT",
        exchange=exchange,
    )
