"""Replies of Kite's historical call: minutes of several days, folded and written as it does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from libs.market.calendar import Session, midnight_ms
from libs.market.candle_grid import opens_of
from services.simulator.domain.errors import InputError
from services.simulator.domain.india_time import day_of, days_between, stamps
from services.simulator.domain.market.candles import Candles

DAY = "day"
MINUTES: Mapping[str, int] = {
    "minute": 1,
    "3minute": 3,
    "5minute": 5,
    "10minute": 10,
    "15minute": 15,
    "30minute": 30,
    "60minute": 60,
}
"""Kite's intervals within the day and their length in minutes."""

_MINUTE_MS = 60_000
_PAISA_DIGITS = 2


@dataclass(frozen=True, slots=True)
class DayMinutes:
    """Minute candles of one instrument's day, and the sessions they are counted from."""

    day: date
    sessions: Sequence[Session]
    candles: Candles


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for: candles of an interval that open from one time to another, in epoch ms.

    Both ends are part of it. Days count as a whole. Raises InputError for an unknown interval and
    for an end before the beginning.
    """

    interval: str
    from_ms: int
    to_ms: int

    def __post_init__(self) -> None:
        if self.interval != DAY and self.interval not in MINUTES:
            raise InputError("invalid interval")
        if self.to_ms < self.from_ms:
            raise InputError("from date cannot be after to date")

    def check_length(self, span_days: Mapping[str, int]) -> None:
        """Raise InputError for more days than the interval's maximum, where there is one."""
        most = span_days.get(self.interval)
        if most is not None and days_between(self.from_ms, self.to_ms) > most:
            raise InputError(f"interval exceeds max limit: {most} days")

    def has_day(self, day: date) -> bool:
        """Whether anything of a day may be in the span."""
        return day_of(self.from_ms) <= day <= day_of(self.to_ms)


def candles_reply(span: Span, days: Iterable[DayMinutes], oi: bool) -> dict[str, Any]:
    """Candles of the span, oldest first; with `oi` each has its open interest behind."""
    parts = [_in_span(span, _folded(span.interval, one)) for one in days if span.has_day(one.day)]
    return {"candles": _written(Candles.joined(parts), oi) if parts else []}


def _folded(interval: str, one: DayMinutes) -> Candles:
    opened = one.candles.opened_at_ms
    if interval == DAY:
        return one.candles.folded(np.full(opened.size, midnight_ms(one.day), np.int64))
    length_ms = MINUTES[interval] * _MINUTE_MS
    return one.candles.folded(opens_of(opened, length_ms, one.sessions))


def _in_span(span: Span, candles: Candles) -> Candles:
    if span.interval == DAY:
        return candles
    opened = candles.opened_at_ms
    return candles.take((opened >= span.from_ms) & (opened <= span.to_ms))


def _written(candles: Candles, oi: bool) -> list[list[Any]]:
    prices = (candles.open, candles.high, candles.low, candles.close)
    columns = [np.round(column, _PAISA_DIGITS).tolist() for column in prices]
    columns.append(candles.volume.tolist())
    if oi:
        columns.append(candles.oi.tolist())
    return [list(row) for row in zip(stamps(candles.opened_at_ms), *columns, strict=True)]
