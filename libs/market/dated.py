"""Values by date, with a flag whether they are exact."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A value for a date, and whether the data file states it for that date.

    `is_exact` is False if the nearest known value is used instead. `source_date` is the start of
    the value's span (None if it has none), `source` what it was taken from.
    """

    value: T
    is_exact: bool
    source_date: date | None
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Span(Generic[T]):
    """A value stated from `since` through `until` (None: until the next span begins).

    A value that is not `is_confirmed` has no known source.
    """

    since: date
    value: T
    until: date | None = None
    is_confirmed: bool = True
    source: str = ""

    @classmethod
    def of(cls, entry: dict[str, Any], value: T) -> "Span[T]":
        """Return the span of an entry of a data file, with its value as it was read."""
        confirmed, source = entry.get("confirmed", True), entry.get("source", "")
        return cls(entry["from"], value, entry.get("until"), confirmed, source)

    def covers(self, on: date) -> bool:
        """Whether the value is stated for this date."""
        return self.since <= on and (self.until is None or on <= self.until)

    def distance(self, on: date) -> int:
        """Days between the date and the nearest one for which the value is stated."""
        last = self.until or date.max
        return max((self.since - on).days, (on - last).days, 0)


class DatedSeries(Generic[T]):
    """Spans in order of their start; the last one that has begun counts."""

    def __init__(self, spans: Iterable[Span[T]]) -> None:
        self._spans = sorted(spans, key=lambda span: span.since)
        if not self._spans:
            raise ValueError("a dated series needs at least one span")
        self._starts = [span.since for span in self._spans]

    @classmethod
    def of(
        cls, entries: Iterable[dict[str, Any]], read: Callable[[Any], T] = lambda value: value
    ) -> "DatedSeries[T]":
        """Return the series of a data file's entries; `read` makes each value what it is here."""
        return cls(Span.of(entry, read(entry["value"])) for entry in entries)

    @property
    def values(self) -> tuple[T, ...]:
        """The values of all spans, oldest first."""
        return tuple(span.value for span in self._spans)

    def at(self, on: date) -> Known[T]:
        """Value on a date, or the nearest known one with `is_exact` False."""
        begun = bisect_right(self._starts, on)
        near = self._spans[max(begun - 1, 0) : begun + 1]
        best = min(near, key=lambda span: span.distance(on))
        is_exact = best.covers(on) and best.is_confirmed
        return Known(best.value, is_exact, best.since, best.source)

    def has_begun(self, on: date) -> bool:
        """Return whether a value is stated for this day or an earlier one."""
        return self._starts[0] <= on

    def known_until(self, on: date) -> date | None:
        """Return the last day for which a value is stated without a gap from a day on.

        None: no end is stated. Before the first span it is the day before that.
        """
        begun = bisect_right(self._starts, on)
        if not begun:
            return self._starts[0] - timedelta(days=1)
        for one, following in pairwise((*self._spans[begun - 1 :], None)):
            if one is None or one.until is None:
                continue
            if following is None or following.since > one.until + timedelta(days=1):
                return one.until
        return None
