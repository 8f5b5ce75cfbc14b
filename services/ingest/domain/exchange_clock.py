"""The exchange's time between its stamps, and how far the machine's clock is off."""

from collections import deque
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.market.calendar import day_span_ms

AHEAD_MS = 5_000
"""A stamp that is further ahead of the time that is known is doubted."""
NEAR_MS = 60_000
"""The first stamp of a day is believed at once if it is no further ahead of the machine's clock."""
CONFIRMATIONS = 3
"""So many frames in a row that agree on a doubted time are believed."""
WINDOW_MS = 30_000
"""The offset is the least difference of so long: ticks that come late do not count."""
TOLD_MS = 1_000
"""An offset below is not told, and not removed: it may be the way of the ticks alone."""


@dataclass(slots=True)
class ExchangeClock:
    """The time at the exchange on one day: its last stamp, plus monotonic time since then.

    The machine's time of day moves it nowhere; it only says whether the first stamp can be right.
    """

    trading_day: date
    _ahead: tuple[int, int] | None = None
    """The stamp by which it is latest, and when that came (monotonic ms)."""
    _last: tuple[int, int] = (0, 0)
    _doubted: tuple[int, int, int] = (0, 0, 0)
    """A stamp that is not believed yet, when it came, and how many frames have said so."""
    _differences: deque[tuple[int, int]] = field(default_factory=deque)
    """When a frame came (monotonic ms), and the machine's clock less its stamp; ascending."""
    _day: tuple[int, int] = field(init=False, default=(0, 0))

    def __post_init__(self) -> None:
        self._day = day_span_ms(self.trading_day)

    def now_ms(self, monotonic_ms: int) -> int:
        """Return the time at the exchange (epoch ms), 0 before the first stamp."""
        return 0 if self._ahead is None else _since(self._ahead, monotonic_ms)

    def arrived(self, stamps: NDArray[Any], wall_ms: int, monotonic_ms: int) -> int:
        """Return when a frame arrived, by the exchange's time; 0 before the first stamp.

        A heartbeat, which has no stamps, arrives the time after the last frame that passed since
        then: so it never overtakes ticks that come late.
        """
        stamp = self._believed(stamps, wall_ms, monotonic_ms)
        if not stamp:
            return _since(self._last, monotonic_ms) if self._ahead is not None else 0
        self._last = stamp, monotonic_ms
        if stamp > self.now_ms(monotonic_ms):
            self._ahead = self._last
        self._note(wall_ms - stamp, monotonic_ms)
        return self.now_ms(monotonic_ms)

    @property
    def offset_ms(self) -> int:
        """How far the machine's clock is ahead of the exchange's (ms), 0 up to TOLD_MS."""
        least = self._differences[0][1] if self._differences else 0
        return least if abs(least) > TOLD_MS else 0

    def _believed(self, stamps: NDArray[Any], wall_ms: int, monotonic_ms: int) -> int:
        """Return the latest stamp that can be right, 0 without any."""
        of_day = stamps[(stamps >= self._day[0]) & (stamps < self._day[1])]
        if not len(of_day):
            return 0
        known_ms = self.now_ms(monotonic_ms)
        latest_ms = known_ms + AHEAD_MS if known_ms else wall_ms + NEAR_MS
        believed = of_day[of_day <= latest_ms]
        if len(believed):
            self._doubted = (0, 0, 0)
            return int(believed.max())
        return self._confirmed(int(np.median(of_day)), monotonic_ms)

    def _confirmed(self, stamp: int, monotonic_ms: int) -> int:
        """Return a doubted stamp once enough frames in a row have agreed on it, else 0."""
        doubted, came_ms, count = self._doubted
        agrees = abs(stamp - _since((doubted, came_ms), monotonic_ms)) <= AHEAD_MS
        count = count + 1 if agrees else 1
        self._doubted = (stamp, monotonic_ms, count)
        if count < CONFIRMATIONS:
            return 0
        self._doubted = (0, 0, 0)
        return stamp

    def _note(self, difference_ms: int, monotonic_ms: int) -> None:
        """Keep the differences of the window that may yet be the least."""
        kept = self._differences
        while kept and kept[-1][1] >= difference_ms:
            kept.pop()
        kept.append((monotonic_ms, difference_ms))
        while kept[0][0] < monotonic_ms - WINDOW_MS:
            kept.popleft()


def _since(stamp: tuple[int, int], monotonic_ms: int) -> int:
    at_ms, came_ms = stamp
    return at_ms + monotonic_ms - came_ms
