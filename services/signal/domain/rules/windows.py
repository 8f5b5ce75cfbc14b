"""Refuse signals outside the windows of the day."""

from dataclasses import dataclass
from datetime import time
from itertools import pairwise
from typing import Annotated

from pydantic.dataclasses import dataclass as pydantic_dataclass

from libs.events.signals import StrategySignal
from libs.market.bounds import STRICT, refuse
from libs.market.calendar import IST
from libs.market.time_of_day import TimeOfDay
from services.signal.domain.rules.rule import Refusal, Standing


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class Window:
    """A part of the day, times in India; a signal at its `first` or `last` time is inside."""

    first: Annotated[time, TimeOfDay()]
    last: Annotated[time, TimeOfDay()]

    def __post_init__(self) -> None:
        if self.first >= self.last:
            refuse("first", f"{self.first:%H:%M} is not before last, {self.last:%H:%M}")

    def __str__(self) -> str:
        return f"{self.first:%H:%M}-{self.last:%H:%M}"


@dataclass(frozen=True, slots=True)
class Windows:
    """Refuses a signal whose candle closed in none of the windows; no windows: never."""

    windows: tuple[Window, ...]

    def check(self, signal: StrategySignal, standing: Standing) -> Refusal | None:
        """Return a refusal of a signal of another time of the day."""
        at = signal.occurred_at.astimezone(IST).time()
        if not self.windows or any(one.first <= at <= one.last for one in self.windows):
            return None
        allowed = ", ".join(str(one) for one in self.windows)
        return Refusal("outside_the_windows", {"time": f"{at:%H:%M:%S}", "windows": allowed})


def refuse_overlaps(key: str, windows: tuple[Window, ...]) -> None:
    """Refuse windows of which one begins before another one ends."""
    for one, following in pairwise(sorted(windows, key=lambda window: window.first)):
        if following.first < one.last:
            refuse(key, f"{one} and {following} overlap: write one window for both")
