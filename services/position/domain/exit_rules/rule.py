"""What a rule is asked, and what it answers."""

from dataclasses import dataclass
from typing import Protocol

from libs.events.positions import ExitReason, PositionEvent


@dataclass(frozen=True, slots=True)
class Mark:
    """A position's contract at `now_ms` (epoch ms): prices in rupees, extremes since the opening.

    After a restart the extremes are those of the position's last event.
    """

    now_ms: int
    last_price: float
    highest: float
    lowest: float


@dataclass(frozen=True, slots=True)
class Exit:
    """A wish to leave `lots` of a position, or all of it (None)."""

    reason: ExitReason
    lots: int | None = None


class ExitRule(Protocol):
    """A rule by which positions are left. Each rule has a reason of its own.

    It remembers nothing: whether its exit was asked for already is seen to by its caller.
    """

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return what is to be left now, None for nothing; it must not raise."""
