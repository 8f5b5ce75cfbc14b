"""The clocks of a service: the machine's time, or the feed's."""

import time
from typing import Literal, Protocol

ClockKind = Literal["wall", "feed"]


class Clock(Protocol):
    """Epoch milliseconds, UTC."""

    def now_ms(self) -> int:
        """Return the time for staleness, market hours and square-off."""

    def observe(self, event_ms: int) -> None:
        """Note an exchange time that was seen."""


class WallClock:
    """The machine's time, for live trading."""

    def now_ms(self) -> int:
        """Return the machine's time."""
        return time.time_ns() // 1_000_000

    def observe(self, event_ms: int) -> None:
        """Ignore the feed: the machine's clock runs by itself."""


class FeedClock:
    """The highest exchange time seen, for simulator, replay and demo; 0 before the first."""

    def __init__(self) -> None:
        self._now_ms = 0

    def now_ms(self) -> int:
        """Return the feed's time."""
        return self._now_ms

    def observe(self, event_ms: int) -> None:
        """Advance to `event_ms`; never go back."""
        self._now_ms = max(self._now_ms, event_ms)


def make_clock(kind: ClockKind) -> Clock:
    """Return the clock that `runtime.clock` names."""
    return WallClock() if kind == "wall" else FeedClock()


def monotonic_ms() -> int:
    """Return milliseconds for durations, backoff and checkpoints; not a date."""
    return time.monotonic_ns() // 1_000_000
