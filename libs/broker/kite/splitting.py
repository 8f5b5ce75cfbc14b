"""Splits requests that are larger than Kite allows."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)  # the finest time that Kite's historical call can say


def portions(keys: Collection[str], size: int) -> Iterator[list[str]]:
    """Yield the keys in their order, at most `size` at a time."""
    ordered = list(keys)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def spans(from_at: datetime, to_at: datetime, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Yield (first, last) times that cover the range without overlap, each within `days` days.

    Raises ValueError for times without a zone.
    """
    if from_at.tzinfo is None or to_at.tzinfo is None:
        raise ValueError("times must be aware")
    start = from_at
    while start <= to_at:
        after = start + timedelta(days=days)
        yield start, min(to_at, after - _SECOND)
        start = after
