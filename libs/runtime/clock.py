"""The one seam through which time enters: the wall's, or the feed's."""

import time
from typing import Literal, Protocol

ClockKind = Literal["wall", "feed"]


class Clock(Protocol):
    """Epoch milliseconds, UTC."""

    def now_ms(self) -> int:
        """Return the time that staleness, market hours and square-off are judged by."""

    def observe(self, event_ms: int) -> None:
        """Tell the clock an exchange time that was seen."""


class WallClock:
    """The machine's time, for live trading."""

    def now_ms(self) -> int:
        """Return the machine's time."""
        return time.time_ns() // 1_000_000

    def observe(self, event_ms: int) -> None:
        """Ignore the feed: the wall goes on by itself."""


class FeedClock:
    """The highest exchange time seen, for simulator, replay and demo; 0 before the first."""

    def __init__(self) -> None:
        self._now_ms = 0

    def now_ms(self) -> int:
        """Return the feed's time."""
        return self._now_ms

    def observe(self, event_ms: int) -> None:
        """Advance to `event_ms`, never back."""
        self._now_ms = max(self._now_ms, event_ms)


def make_clock(kind: ClockKind) -> Clock:
    """Return the clock of a setting."""
    return WallClock() if kind == "wall" else FeedClock()


def monotonic_ms() -> int:
    """Return a steady time for durations, backoff and checkpoints; it has no date."""
    return time.monotonic_ns() // 1_000_000
