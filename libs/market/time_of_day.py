"""Times of the trading day in settings: times in India, within the exchange's hours."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from functools import cached_property
from typing import Any

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from libs.market.bounds import refusal, refuse
from libs.market.calendar import load_calendar
from libs.market.units import span_text

_HOURS = re.compile(r"(\d{1,2})[:.h ]?(\d{2})?(?::?00)?\s*([ap]m)?", re.IGNORECASE)
_SESSIONS_BEGIN = time(6, 0)
_HALF_DAY, MINUTE_MS = 12, 60_000


@dataclass(frozen=True)
class TimeOfDay:
    """A time in India within the usual hours of a segment, those of any year since 2021."""

    segment: str = "NFO"

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the time; a number, which pydantic takes as seconds, is refused."""
        return core_schema.no_info_wrap_validator_function(self._checked, handler(source))

    @cached_property
    def hours(self) -> tuple[time, time]:
        """The earliest open and the latest close."""
        return load_calendar().widest_hours(self.segment)

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        first, last = self.hours
        return f"from {first:%H:%M} to {last:%H:%M}"

    def holds(self, value: time) -> bool:
        """Whether a time is within the hours."""
        first, last = self.hours
        return value.tzinfo is None and first <= value <= last

    def _checked(self, value: Any, read: Callable[[Any], Any]) -> time:
        try:
            is_time = isinstance(value, time) or (isinstance(value, str) and ":" in value)
            at = read(value) if is_time else None
        except ValidationError:
            at = None
        if isinstance(at, time) and self.holds(at):
            return at
        if isinstance(at, time) and at.tzinfo is not None:
            raise refusal(f"{at} names a zone; a time in India is wanted: write '{at:%H:%M}'")
        shown = f"{at:%H:%M}" if at else _shown(value)
        wanted = f"a time in India {self.bounds} is wanted"
        meant = self._meant(shown)
        raise refusal(
            f"{shown} is outside the session; {wanted}{meant}"
            if at
            else f"{shown}{' is no time; ' if shown else ''}{wanted}{meant}"
        )

    def _meant(self, shown: str) -> str:
        """Return the time that was probably meant by `3:15`, `1515` or `03:15`."""
        found = _HOURS.fullmatch(shown)
        if found is None:
            return ""
        hour, minute = int(found[1]), int(found[2] or 0)
        for likely in (hour, hour + _HALF_DAY):
            if likely < 2 * _HALF_DAY and minute < 60 and self.holds(time(likely, minute)):
                return f': write "{likely:02}:{minute:02}"'
        return ""


@dataclass(frozen=True)
class TimeSinceLogin(TimeOfDay):
    """A time in India from 06:00, when the sessions at the broker begin, to the latest close."""

    @cached_property
    def hours(self) -> tuple[time, time]:
        """Six o'clock and the latest close."""
        return _SESSIONS_BEGIN, TimeOfDay(self.segment).hours[1]


def refuse_unreached(key: str, at: time, before_close_ms: int) -> None:
    """Refuse a time that no day reaches, since `before_close_ms` before the close comes first.

    Only for a time that was chosen: with the default the earlier of the two is what is meant.
    """
    _, close = TimeOfDay().hours
    reached = minutes_of(close) - before_close_ms / MINUTE_MS
    if minutes_of(at) > reached:
        hour, minute = divmod(int(reached), 60)
        refuse(
            key,
            f"{at:%H:%M} is never reached: before_close_ms, {span_text(before_close_ms)}, comes "
            f'first; no session closes after {close:%H:%M}: write "{hour:02}:{minute:02}", '
            "or less for before_close_ms",
        )


def minutes_of(at: time) -> float:
    """Return the minutes since midnight."""
    return at.hour * 60 + at.minute + at.second / 60


def _shown(value: object) -> str:
    """Return a value that is to be shown: a number, or text that looks like a time."""
    is_time = isinstance(value, str) and _HOURS.fullmatch(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_time or is_number else ""
