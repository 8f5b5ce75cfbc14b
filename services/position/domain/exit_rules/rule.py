"""The interface of an exit rule: what it gets, and what it returns."""

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
    """A wish to sell `lots` of a position, or all of it (None)."""

    reason: ExitReason
    lots: int | None = None


class ExitRule(Protocol):
    """A rule that exits positions, for a reason of its own.

    It keeps no state: the caller remembers which exits were requested already.
    """

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return the exit that is due now, or None; must not raise."""
