"""The exchange's time between its stamps, and how far the machine's clock is off."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.market.calendar import day_span_ms

AHEAD_MS = 1_000
"""Stamps are whole seconds: one that is further ahead of the known time is doubted."""
NEAR_MS = 60_000
"""The first stamp of a day is believed at once if it is no further from the machine's clock."""
CONFIRMATIONS = 3
"""So many frames in a row that agree on a doubted time confirm it."""
LATE_MS = 30_000
"""Stamps that are late for so long, while the machine's clock agrees with them, set time back."""
TOLD_MS = 1_000
"""An offset below is not told, and not removed: it may be the way of the ticks alone."""


@dataclass(slots=True)
class ExchangeClock:
    """The time at the exchange on one day: its stamps, and monotonic time between them.

    The machine's time of day moves it nowhere. It is asked only where stamps contradict what is
    known: whether a first stamp, a jump ahead, or time that ran ahead of all stamps can be right.
    A time is kept as its lead, epoch ms less monotonic ms: it stays the same while time passes.
    """

    trading_day: date
    _lead: int | None = None
    _newest: int = 0
    """The newest stamp that was believed, and its lead when it came."""
    _newest_lead: int = 0
    _last: int = 0
    _doubted: tuple[int, int] = (0, 0)
    """The lead of a doubted time, and how many frames in a row have agreed on it."""
    _ahead: int = 0
    """The newest stamp that was doubted, though it can be right."""
    _late_since: int | None = None
    _least_late: int = 0
    _offset_ms: int = 0
    _day: tuple[int, int] = field(init=False, default=(0, 0))

    def __post_init__(self) -> None:
        self._day = day_span_ms(self.trading_day)

    def now_ms(self, monotonic_ms: int) -> int:
        """Return the time at the exchange (epoch ms), 0 before the first stamp."""
        return 0 if self._lead is None else self._lead + monotonic_ms

    def reached_ms(self, monotonic_ms: int) -> int:
        """Return the newest stamp and the time since that came, 0 before the first.

        It is behind `now_ms` while stamps come late.
        """
        return self._newest_lead + monotonic_ms if self._newest else 0

    @property
    def offset_ms(self) -> int:
        """How far the machine's clock was ahead at the last frame (ms), 0 up to TOLD_MS."""
        return self._offset_ms if abs(self._offset_ms) > TOLD_MS else 0

    def arrived(self, stamps: NDArray[Any], wall_ms: int, monotonic_ms: int) -> tuple[int, bool]:
        """Return when a frame arrived, and whether a stamp in it is newer than all before.

        So is one that is doubted, as long as it can be right: the connection is alive.
        A heartbeat, which has no stamps, arrives the time after the newest stamp that passed since
        that came: so it never overtakes ticks that come late. It is 0 before the first stamp.
        """
        ahead = self._ahead
        stamp = self._believed(stamps, wall_ms, monotonic_ms)
        is_other = stamp != self._last and abs(wall_ms - stamp) <= AHEAD_MS
        is_news = stamp > self._newest or is_other or self._ahead > ahead
        self._last = stamp or self._last
        if stamp > self._newest:
            self._newest, self._newest_lead = stamp, stamp - monotonic_ms
        if stamp:
            self._set_back(stamp, wall_ms, monotonic_ms)
        now_ms = self.now_ms(monotonic_ms)
        if now_ms:
            self._offset_ms = wall_ms - now_ms
        if not len(stamps) and now_ms:
            return self._newest_lead + monotonic_ms, False
        return now_ms, is_news

    def _believed(self, stamps: NDArray[Any], wall_ms: int, monotonic_ms: int) -> int:
        """Return the latest stamp that can be right, 0 without any; move time ahead by it."""
        of_day = stamps[(stamps >= self._day[0]) & (stamps < self._day[1])]
        if not len(of_day):
            return 0
        known_ms = self.now_ms(monotonic_ms)
        if not known_ms:
            return self._first(of_day, wall_ms, monotonic_ms)
        plausible = of_day[of_day <= known_ms + AHEAD_MS]
        stamp = int(plausible.max()) if len(plausible) else 0
        if stamp > self._newest:
            self._doubted = (0, 0)
        elif len(plausible) < len(of_day):
            ahead = int(np.median(of_day[of_day > known_ms + AHEAD_MS]))
            can_be = self._can_be(ahead, known_ms, wall_ms)
            self._ahead = max(self._ahead, ahead if can_be else 0)
            stamp = (can_be and self._confirmed(ahead, monotonic_ms)) or stamp
        if stamp:
            self._lead = max(self._lead or 0, stamp - monotonic_ms)
        return stamp

    def _can_be(self, ahead_ms: int, known_ms: int, wall_ms: int) -> bool:
        """Whether a time ahead may be right: a far one only if the machine does not contradict."""
        is_known_near = abs(wall_ms - known_ms) <= NEAR_MS
        is_nearer = abs(wall_ms - ahead_ms) < abs(wall_ms - known_ms)
        return ahead_ms - known_ms <= NEAR_MS or is_nearer or not is_known_near

    def _first(self, of_day: NDArray[Any], wall_ms: int, monotonic_ms: int) -> int:
        """Return the first stamp: near the machine's clock, or one that others agree with."""
        near = np.sort(of_day[np.abs(of_day - wall_ms) <= NEAR_MS])
        stamp = int(near[(len(near) - 1) // 2]) if len(near) else 0
        stamp = stamp or self._confirmed(int(np.median(of_day)), monotonic_ms)
        if stamp:
            self._lead = stamp - monotonic_ms
        return stamp

    def _confirmed(self, stamp: int, monotonic_ms: int) -> int:
        """Return a doubted stamp once enough frames in a row have agreed on its lead, else 0."""
        lead, count = self._doubted
        agrees = count > 0 and abs(stamp - monotonic_ms - lead) <= AHEAD_MS
        self._doubted = (stamp - monotonic_ms, count + 1 if agrees else 1)
        if self._doubted[1] < CONFIRMATIONS:
            return 0
        self._doubted = (0, 0)
        return stamp

    def _set_back(self, stamp: int, wall_ms: int, monotonic_ms: int) -> None:
        """Set time back where every stamp of a while is late and the machine agrees with them."""
        late = self.now_ms(monotonic_ms) - stamp
        if late <= AHEAD_MS:
            self._late_since = None
        if late <= AHEAD_MS or abs(wall_ms - stamp) > AHEAD_MS:
            return
        if self._late_since is None:
            self._late_since, self._least_late = monotonic_ms, late
        self._least_late = min(self._least_late, late)
        if monotonic_ms - self._late_since >= LATE_MS and self._lead is not None:
            self._lead -= self._least_late
            self._newest, self._newest_lead = stamp, stamp - monotonic_ms
            self._late_since = None
