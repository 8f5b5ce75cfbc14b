"""How many candles an instrument has not made before one, since it was not traded."""

import numpy as np
from numpy.typing import NDArray

from libs.events.candles import MINUTES, Interval
from libs.events.outages import Outages
from services.candle.domain.schedule import MINUTE_MS, Schedule, Span


class QuietTimes:
    """Up to which minute each instrument has had its candles, by interval; by row.

    Time in which the feed was not there is not quiet: nobody knows what was traded then.
    """

    def __init__(self, schedule: Schedule, outages: Outages) -> None:
        self._schedule = schedule
        self._outages = outages
        self._stops: dict[Interval, NDArray[np.int64]] = {}
        self._count = 0

    def grow(self, count: int) -> None:
        """Add instruments at the end."""
        self._count += count
        for interval, stops in self._stops.items():
            self._stops[interval] = np.concatenate([stops, np.zeros(count, np.int64)])

    def note(self, rows: NDArray[np.int64] | int, span: Span) -> None:
        """Note that instruments have a candle."""
        stops = self._of(span.interval)
        stops[rows] = np.maximum(stops[rows], span.stop)

    def before(self, rows: NDArray[np.int64], span: Span) -> tuple[int, ...]:
        """Return how many candles are missing before those of a span; empty where none is."""
        stops = self._of(span.interval)[rows]
        if span.interval == "day" or not (stops < span.start).any():
            return ()
        quiet = np.maximum(0, span.start - stops) // MINUTES[span.interval]
        since_ms = self._outages.there_since(self._schedule.start_ms(span.start))
        quiet[self._schedule.open_ms + stops * MINUTE_MS < since_ms] = 0
        return tuple(quiet.tolist()) if quiet.any() else ()

    def _of(self, interval: Interval) -> NDArray[np.int64]:
        if interval not in self._stops:
            self._stops[interval] = np.zeros(self._count, np.int64)
        return self._stops[interval]
