"""The broker's candles of today, in the place of those that the feed missed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TypeAlias

from libs.events.candles import Candle, CandleBatch, Interval, length_ms

Series: TypeAlias = tuple[str, Interval]
"""Key of the instrument (exchange:tradingsymbol), and interval."""


@dataclass(slots=True)
class Patches:
    """Candles of one trading day that a broker was asked for.

    It is asked for what is missing of `intervals`: the candles behind that wait for it.
    """

    day: date = date.min
    intervals: frozenset[Interval] = frozenset()
    _candles: dict[Series, dict[int, Candle]] = field(default_factory=dict)

    def begin(self, day: date) -> None:
        """Begin a trading day, if it is a later one."""
        if day > self.day:
            self.day = day
            self._candles.clear()

    def note(self, batch: CandleBatch) -> None:
        """Note candles; those of earlier days are history, not patches."""
        if batch.trading_day < self.day or batch.source != "backfill":
            return
        self.begin(batch.trading_day)
        for candle in batch.candles():
            self._candles.setdefault((candle.key, candle.interval), {})[candle.opened_ms] = candle

    def are_awaited(self, candle: Candle) -> bool:
        """Return whether the broker is asked for what is missing before a candle."""
        return candle.trading_day == self.day and candle.interval in self.intervals

    def of(self, candle: Candle) -> Candle | None:
        """Return the broker's candle in the place of another, None if there is none."""
        return self._candles.get((candle.key, candle.interval), {}).get(candle.opened_ms)

    def before(
        self, candle: Candle, intervals: Iterable[Interval], last: dict[Interval, Candle]
    ) -> list[Candle]:
        """Return the candles between the last ones of each interval and another, by their close.

        Of those that close at the same time the shorter interval comes first: whatever closed
        before the other candle has been there before it, if it is there at all.
        """
        found = [
            one
            for interval in intervals
            for one in self._candles.get((candle.key, interval), {}).values()
            if at_close(one) < at_close(candle)
            and (interval not in last or one.opened_ms > last[interval].opened_ms)
        ]
        return sorted(found, key=at_close)


def at_close(candle: Candle) -> tuple[int, int]:
    """Order of candles as they are published: by their close, the shorter interval first."""
    return candle.closes_ms, length_ms(candle.interval)
