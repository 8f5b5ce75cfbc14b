"""The broker's candles of today, in the place of those that the feed missed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TypeAlias

from libs.events.candles import Candle, CandleBatch, HistoryFetched, Interval, length_ms

Series: TypeAlias = tuple[str, Interval]
"""Key of the instrument (exchange:tradingsymbol), and interval."""


@dataclass(slots=True)
class Patches:
    """Candles of one trading day that a broker was asked for, and of which times it was.

    It is asked for what is missing of `intervals`: the candles behind that wait for it.
    """

    day: date = date.min
    intervals: frozenset[Interval] = frozenset()
    _candles: dict[Series, dict[int, Candle]] = field(default_factory=dict)
    _asked: dict[Series, list[tuple[int, int]]] = field(default_factory=dict)

    def begin(self, day: date) -> None:
        """Begin a trading day, if it is a later one."""
        if day > self.day:
            self.day = day
            self._candles.clear()
            self._asked.clear()

    def note(self, batch: CandleBatch) -> None:
        """Note candles; those of earlier days are history, not patches."""
        if batch.trading_day < self.day or batch.source != "backfill":
            return
        self.begin(batch.trading_day)
        for candle in batch.candles():
            self._candles.setdefault((candle.key, candle.interval), {})[candle.opened_ms] = candle

    def note_asked(self, fetched: HistoryFetched) -> None:
        """Note a time of which candles were asked for: what is not among them, nobody has."""
        if self.day in fetched.days:
            span = (fetched.since_ms, fetched.until_ms)
            series = (fetched.key, fetched.interval)
            self._asked[series] = _joined([*self._asked.get(series, ()), span])

    def are_awaited(self, candle: Candle) -> bool:
        """Return whether the broker is asked for what is missing before a candle."""
        return candle.trading_day == self.day and candle.interval in self.intervals

    def are_there(self, key: str, interval: Interval, since_ms: int, until_ms: int) -> bool:
        """Return whether all candles that open and close within a time were asked for."""
        spans = self._asked.get((key, interval), ())
        return any(first <= since_ms and last >= until_ms for first, last in spans)

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


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join times that overlap or touch each other."""
    made: list[tuple[int, int]] = []
    for since_ms, until_ms in sorted(spans):
        if made and since_ms <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], until_ms))
        else:
            made.append((since_ms, until_ms))
    return made


def at_close(candle: Candle) -> tuple[int, int]:
    """Order of candles as they are published: by their close, the shorter interval first."""
    return candle.closes_ms, length_ms(candle.interval)
