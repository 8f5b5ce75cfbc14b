"""When the executor examines itself: once on each trading day, at a time in India."""

from dataclasses import dataclass
from datetime import date, time

from libs.events.event import utc_from_ms
from libs.market.calendar import IST, Calendar


@dataclass(slots=True)
class Schedule:
    """Due from `at` on, once a day, if the exchange trades; a later start is not too late."""

    at: time
    _done: date | None = None

    def is_due(self, now_ms: int, calendar: Calendar) -> bool:
        """Return whether it is due, and note that it is done then; epoch ms, 0: no time yet."""
        if now_ms <= 0:
            return False
        now = utc_from_ms(now_ms).astimezone(IST)
        day = now.date()
        if day == self._done or now.time() < self.at or not calendar.covers(day):
            return False
        self._done = day
        return calendar.is_trading_day("NSE", day)
