"""The trading day, and how far calendar and rules are known."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from libs.market.calendar import IST, Calendar, CalendarError, Session
from libs.market.facts import Fact
from libs.market.market_hours import MarketHours
from services.executor.domain.doctor.finding import Finding, failed_or_ok

CALENDAR_DAYS = 30
_NEWER = "install a version that has the next year"


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
    action = _NEWER
    if not calendar.covers(today):
        return Finding("calendar", "failed", f"{today} is not in it", action)
    last = today + timedelta(days=reach)
    return Finding("calendar", "waits", f"ends on {last}, in {reach} days", action)


def expiries_finding(calendar: Calendar, today: date, held: Iterable[date]) -> Finding:
    """Check that the calendar knows today and the expiry days of all that is held."""
    days = sorted({today, *held})
    unknown = [str(day) for day in days if not calendar.covers(day)]
    reason = f"{', '.join(unknown)} not in it" if unknown else f"knows {days[0]} to {days[-1]}"
    return failed_or_ok("calendar", reason, _NEWER, is_bad=bool(unknown))


def rules_finding(facts: Iterable[Fact], on: date) -> Finding:
    """Check that every rule of the exchange that has a value is known on a day."""
    ended = [one for one in facts if one.until is not None and one.until < on]
    names = ", ".join(f"{one.topic} of {one.name}" for one in ended[:3])
    more = f" and {len(ended) - 3} more" if len(ended) > 3 else ""
    reason = f"not known any more: {names}{more}" if ended else f"all known on {on}"
    action = "look at `alphastocks rules check`, and set yours in rules.folder"
    return failed_or_ok("rules", reason, action, is_bad=bool(ended))


def instruments_finding(listed_on: date | None, today: date) -> Finding:
    """Check that the contracts that can be traded are those of today's list."""
    reason = "no list has been read" if listed_on is None else f"the list is of {listed_on}"
    action = "wait until ingest has read today's, from 08:30 on; else look at its log"
    return failed_or_ok("instruments", reason, action, is_bad=listed_on != today)
