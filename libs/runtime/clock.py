"""The clocks of a service: the machine's time, or the feed's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import ClassVar, Literal, Protocol

from libs.market.calendar import day_in_india, load_calendar

ClockKind = Literal["wall", "feed"]
AFTER_CLOSE_MS = 60_000
"""So long after the day's last close the feed's clock still goes by itself: what waits for a
timeout or a look-up then is decided."""
_SEGMENTS = ("NSE", "NFO")


def monotonic_ms() -> int:
    """Return milliseconds for durations, backoff and checkpoints; not a date."""
    return time.monotonic_ns() // 1_000_000


def _machine_ms() -> int:
    return time.time_ns() // 1_000_000


FOUND_WITHIN_MS = 60_000
"""An offset that was found longer ago may have been mended since: a backlog is no news of it."""


class Clock(Protocol):
    """Epoch milliseconds, UTC."""

    @property
    def pace(self) -> float:
        """Seconds of this clock in one of the machine, while nothing is observed; 0: it stands."""

    @property
    def runs(self) -> bool:
        """Whether time passes although no message comes."""

    def now_ms(self) -> int:
        """Return the time for staleness, data age, market hours and square-off."""

    def observe(self, event_ms: int) -> None:
        """Note an exchange time that was seen now."""

    def remember(self, event_ms: int) -> None:
        """Note the time of a past event: it is not earlier than that."""

    @property
    def offset_ms(self) -> int:
        """How far the machine's clock is ahead of the exchange's; 0 where that does not matter."""

    def correct(self, offset_ms: int, found_ms: int) -> None:
        """Note how far the machine's clock is ahead of the exchange's.

        `found_ms` is what the machine that found it said then (epoch ms).
        """


@dataclass(slots=True)
class WallClock:
    """The machine's time, for live trading, without what it is known to be ahead of the exchange's.

    Ages are right then, so that stops and exits go on while the machine's clock is off.
    """

    offset_ms: int = 0
    pace: ClassVar[float] = 1.0
    runs: ClassVar[bool] = True

    def now_ms(self) -> int:
        """Return the machine's time, corrected."""
        return _machine_ms() - self.offset_ms

    def correct(self, offset_ms: int, found_ms: int) -> None:
        """Take this off the machine's time from now on; not what was found a while ago."""
        if abs(_machine_ms() - found_ms) <= FOUND_WITHIN_MS:
            self.offset_ms = offset_ms

    def observe(self, event_ms: int) -> None:
        """Ignore the feed: the machine's clock runs by itself."""

    def remember(self, event_ms: int) -> None:
        """Ignore the past."""


OWN_PACE = 60.0
"""How many times the machine's time a feed's clock goes by itself at most."""


class FeedClock:
    """The highest exchange time seen, plus the machine's time since then × `pace`; never goes back.

    By itself it goes on until AFTER_CLOSE_MS after the last close of the stamp's day, so a dead
    feed stops neither square-off nor timeouts, and the night does not pass in between. On a day
    without a known session, and with pace 0 (replay, demo, backtest), the stamps alone are the
    time. It is 0 before the first stamp. A market that is played very fast moves it by its stamps:
    by itself it goes at most OWN_PACE times the machine's time, or what is on its way would be old.
    """

    offset_ms = 0

    def __init__(self, pace: float = 0.0, monotonic: Callable[[], int] = monotonic_ms) -> None:
        self.pace = pace
        self._monotonic = monotonic
        self._shown_ms = 0
        self._stamp_ms = 0
        self._stamped_at = 0
        self._ends_ms = 0

    @property
    def runs(self) -> bool:
        """Whether time passes between two stamps."""
        return self.pace > 0

    def now_ms(self) -> int:
        """Return the feed's time."""
        if self._stamp_ms < self._ends_ms:
            passed_ms = int((self._monotonic() - self._stamped_at) * min(self.pace, OWN_PACE))
            self._shown_ms = max(self._shown_ms, min(self._stamp_ms + passed_ms, self._ends_ms))
        return self._shown_ms

    def observe(self, event_ms: int) -> None:
        """Advance to `event_ms`, and go on from there; an older stamp changes nothing."""
        if event_ms <= self._stamp_ms:
            return
        self._stamp_ms = event_ms
        self._shown_ms = max(self._shown_ms, event_ms)
        if self.pace > 0:
            self._stamped_at = self._monotonic()
            self._ends_ms = _last_close_ms(day_in_india(event_ms)) + AFTER_CLOSE_MS

    def correct(self, offset_ms: int, found_ms: int) -> None:
        """Do nothing: the machine's time of day plays no part."""

    def remember(self, event_ms: int) -> None:
        """Advance to `event_ms`, without going on from there."""
        self._shown_ms = max(self._shown_ms, event_ms)


def make_clock(kind: ClockKind, pace: float = 0.0) -> Clock:
    """Return the clock that `runtime.clock` names; `pace` is the feed's speed."""
    return WallClock() if kind == "wall" else FeedClock(pace)


def kind_of(clock: Clock) -> ClockKind:
    """Return the kind of a clock."""
    return "wall" if isinstance(clock, WallClock) else "feed"


@lru_cache(maxsize=4)
def _last_close_ms(day: date) -> int:
    """Return when the last session of a day closes, epoch ms; 0 on a day without one."""
    calendar = load_calendar()
    names = _SEGMENTS if calendar.covers(day) else ()
    sessions = [one for name in names for one in calendar.sessions(name, day)]
    return max((one.close_ms for one in sessions), default=0)
