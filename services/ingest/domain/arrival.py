"""Arrival time of frames by the feed's timestamps, where the wall clock does not apply."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.market.calendar import day_span_ms


@dataclass(slots=True)
class FeedArrival:
    """Arrival by feed time: the median of a frame's timestamps of the day, never going back.

    A simulated market may run at any speed, so the wall clock does not apply. A median is not
    moved by a few wrong times. 0 until a frame has a timestamp of the trading day.
    """

    trading_day: date
    _last_ms: int = 0
    _day: tuple[int, int] = field(init=False, default=(0, 0))

    def __post_init__(self) -> None:
        self._day = day_span_ms(self.trading_day)

    def of(self, exchange_timestamps: NDArray[Any]) -> int:
        """Return the arrival of a frame with these timestamps, epoch ms."""
        is_of_day = (exchange_timestamps >= self._day[0]) & (exchange_timestamps < self._day[1])
        stamps = exchange_timestamps[is_of_day]
        if len(stamps):
            self._last_ms = max(self._last_ms, int(np.median(stamps)))
        return self._last_ms
