"""The day's cumulative volume before the open: what the opening auction traded is in no candle."""

import numpy as np

from services.candle.domain.run import UNKNOWN_VOLUME, Array, Ticks


class OpeningVolume:
    """The last cumulative volume of each instrument that was seen before the open."""

    def __init__(self) -> None:
        self.volume: Array = np.empty(0, np.int64)
        self._at_ms: Array = np.empty(0, np.int64)

    def grow(self, count: int) -> None:
        """Add `count` instruments at the end."""
        self.volume = np.concatenate([self.volume, np.full(count, UNKNOWN_VOLUME, np.int64)])
        self._at_ms = np.concatenate([self._at_ms, np.zeros(count, np.int64)])

    def note(self, ticks: Ticks, is_before: Array, is_within: Array, has_begun: Array) -> None:
        """Note volumes of ticks before the open, in order of arrival.

        `is_within`: ticks of the session; once one has come, the volume before it stands.
        `has_begun`: instruments that had one in an earlier run.
        """
        if not is_before.any():
            return
        number = np.arange(len(ticks))
        begins = np.where(has_begun, -1, len(ticks))
        np.minimum.at(begins, ticks.row[is_within], number[is_within])
        chosen = number[is_before & (ticks.volume >= 0) & (number < begins[ticks.row])]
        chosen = chosen[ticks.at_ms[chosen] >= self._at_ms[ticks.row[chosen]]]
        latest = chosen[np.argsort(ticks.at_ms[chosen], kind="stable")]
        rows = ticks.row[latest]  # of equal rows numpy keeps the last one
        self.volume[rows], self._at_ms[rows] = ticks.volume[latest], ticks.at_ms[latest]

    def settle(self, rows: Array, first: Array) -> Array:
        """Return the base of instruments whose first volume of the session is known.

        It is the volume before the open, unless that is higher: then it was not this day's.
        """
        before = self.volume[rows]
        is_sound = (before >= 0) & (before <= first)
        self.volume[rows] = np.where(is_sound, before, UNKNOWN_VOLUME)
        return np.where(is_sound, before, first)
