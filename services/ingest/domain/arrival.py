"""When a frame arrived, told by the feed's own stamps where no wall clock can tell."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.market.calendar import day_span_ms


@dataclass(slots=True)
class FeedArrival:
    """Arrival by feed time: the middle one of a frame's stamps of the day, never going back.

    A simulated market may run at any speed, so the wall says nothing. The median stands where
    some packets carry a wrong time. 0 until a frame has a stamp of the trading day.
    """

    trading_day: date
    _last_ms: int = 0
    _day: tuple[int, int] = field(init=False, default=(0, 0))

    def __post_init__(self) -> None:
        self._day = day_span_ms(self.trading_day)

    def of(self, exchange_timestamps: NDArray[Any]) -> int:
        """Return the arrival of a frame with these stamps, epoch ms."""
        is_of_day = (exchange_timestamps >= self._day[0]) & (exchange_timestamps < self._day[1])
        stamps = exchange_timestamps[is_of_day]
        if len(stamps):
            self._last_ms = max(self._last_ms, int(np.median(stamps)))
        return self._last_ms
