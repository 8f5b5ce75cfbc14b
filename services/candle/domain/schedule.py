"""Which candles end at which minute of a trading day."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.events.candles import MINUTES, Interval
from libs.market.calendar import Session

MINUTE_MS = 60_000


class Span(NamedTuple):
    """The minutes [start, stop) of a candle, counted from the open."""

    interval: Interval
    start: int
    stop: int


@dataclass(frozen=True)
class Schedule:
    """The minutes of a trading day from the first open to the last close, and their candles.

    Candles are aligned to the open of their session; its last one may be short. A day of two
    sessions has minutes between them that are in no candle but the day's, and accept no tick.
    """

    sessions: tuple[Session, ...]

    @cached_property
    def open_ms(self) -> int:
        """First open, epoch ms."""
        return self.sessions[0].open_ms

    @cached_property
    def minutes(self) -> int:
        """Number of minutes from the first open to the last close."""
        return (self.sessions[-1].close_ms - self.open_ms + MINUTE_MS - 1) // MINUTE_MS

    def start_ms(self, minute: int) -> int:
        """Return the epoch ms at which a minute begins."""
        return self.open_ms + minute * MINUTE_MS

    def minute_of(self, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the minute of each time (epoch ms); a close belongs to the minute before it.

        Outside the day it is out of range.
        """
        minute = (at_ms - self.open_ms) // MINUTE_MS
        if len(at_ms) and at_ms.max() >= self.sessions[0].close_ms:
            for session in self.sessions:
                is_close = at_ms == session.close_ms
                minute[is_close] = (session.close_ms - 1 - self.open_ms) // MINUTE_MS
        return minute

    def is_open(self, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which times (epoch ms) are within a session, its close included."""
        within = np.zeros(len(at_ms), np.bool_)
        for session in self.sessions:
            within |= (at_ms >= session.open_ms) & (at_ms <= session.close_ms)
        return within

    @cached_property
    def ending_at(self) -> Mapping[int, Sequence[Span]]:
        """Minute → the candles that end with it, shortest first; none within a pause."""
        ending: dict[int, list[Span]] = {stop: [] for stop in range(self.minutes + 1)}
        for interval, length in MINUTES.items():
            for first, last in self._minutes_of_sessions:
                for start in range(first, last, length):
                    stop = min(start + length, last)
                    ending[stop].append(Span(interval, start, stop))
        ending[self.minutes].append(Span("day", 0, self.minutes))
        return ending

    @property
    def _minutes_of_sessions(self) -> Iterator[tuple[int, int]]:
        for one in self.sessions:
            until_ms = one.close_ms - self.open_ms
            yield (one.open_ms - self.open_ms) // MINUTE_MS, -(-until_ms // MINUTE_MS)
