"""Whether an arming that a person asks for is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from libs.events.control import Armed, ControlUsed
from libs.events.event import utc_from_ms
from libs.events.orders import Mode
from libs.market.calendar import IST, Calendar, CalendarError, day_in_india
from services.executor.domain.live.arming import Arming

SEGMENTS = ("NFO", "BFO", "MCX")
"""Where options are traded: an arming lasts no longer than the last of them is open."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: a time of today in India, limits (None: the settings'), a sentence."""

    until: time
    trades: int | None = None
    lots_a_trade: int | None = None
    sentence: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What an arming stands on: the mode, the calendar, and what speaks against it."""

    mode: Mode
    calendar: Calendar
    against: Sequence[str] = ()


def arming_refusal(asked: Asked, ready: Readiness, arming: Arming, now_ms: int) -> str:
    """Return why an arming is not given and what to do, empty if it is."""
    if ready.mode != "live":
        return f"the mode is {ready.mode}: only live is armed"
    if wrong := _wrong_time(asked.until, ready.calendar, now_ms):
        return wrong
    if arming.is_after(now_ms):
        return "the clock is behind the latest arming: wait until it has caught up"
    if ready.against:
        return "; ".join(ready.against)
    if arming.sentence is not None and asked.sentence.strip() != arming.sentence:
        return f"the first time it has to be typed: {arming.sentence}"
    return ""


def _wrong_time(until: time, calendar: Calendar, now_ms: int) -> str:
    day, now = day_in_india(now_ms), utc_from_ms(now_ms).astimezone(IST)
    closes = last_close(calendar, day)
    if closes is None:
        return f"no exchange trades options on {day}"
    at = datetime.combine(day, until, IST)
    if at <= now:
        return f"--until {until:%H:%M} is over: it is {now:%H:%M} in India"
    if at > closes:
        return f"--until {until:%H:%M} is after the last close of today, {closes:%H:%M}"
    return ""


def armed(asked: Asked, use: ControlUsed, arming: Arming) -> Armed:
    """Return the event of an arming that is given."""
    until = datetime.combine(use.trading_day, asked.until, IST)
    said = f": {asked.reason}" if asked.reason else ""
    return Armed(
        **Armed.after(use, use.event_id),
        reason=f"armed by {use.token}{said}",
        until=until,
        by=use.token,
        trades=asked.trades,
        lots_a_trade=asked.lots_a_trade,
        is_real=arming.is_real,
        holder=arming.holder,
    )


def last_close(calendar: Calendar, day: date) -> datetime | None:
    """Return when the last options of a day stop trading, in India; None: there is no session."""
    try:
        sessions = [one for name in SEGMENTS for one in calendar.sessions(name, day)]
    except CalendarError:
        return None
    closes = max((one.close_ms for one in sessions), default=None)
    return None if closes is None else utc_from_ms(closes).astimezone(IST)
