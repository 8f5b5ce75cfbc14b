"""Parts of the trading day in settings."""

from collections.abc import Iterable
from datetime import time
from itertools import pairwise
from typing import Annotated

from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT, refuse
from libs.market.time_of_day import TimeOfDay


@dataclass(frozen=True, slots=True, config=STRICT)
class Window:
    """A part of the day, times in India; its `first` and `last` time are inside."""

    first: Annotated[time, TimeOfDay()]
    last: Annotated[time, TimeOfDay()]

    def __post_init__(self) -> None:
        if self.first >= self.last:
            refuse("first", f"{self.first:%H:%M} is not before last, {self.last:%H:%M}")

    def __str__(self) -> str:
        return f"{self.first:%H:%M}-{self.last:%H:%M}"

    def holds(self, at: time) -> bool:
        """Whether a time in India is inside."""
        return self.first <= at <= self.last


def are_open(windows: Iterable[Window], at: time) -> bool:
    """Whether a time in India is inside of one of the windows; without windows it is."""
    given = tuple(windows)
    return not given or any(one.holds(at) for one in given)


def refuse_overlaps(key: str, windows: tuple[Window, ...]) -> None:
    """Refuse windows of which one begins before another one ends."""
    for one, following in pairwise(sorted(windows, key=lambda window: window.first)):
        if following.first < one.last:
            refuse(key, f"{one} and {following} overlap: write one window for both")
