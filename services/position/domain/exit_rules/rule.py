"""The interface of an exit rule: what it gets, and what it returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from math import inf
from typing import Protocol, runtime_checkable

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
    """A wish to sell `lots` of a position, or all of it (None); `step` tells bookings apart."""

    reason: ExitReason
    lots: int | None = None
    step: int | None = None


class ExitRule(Protocol):
    """A rule that exits positions, for a reason of its own.

    It keeps no state: the caller remembers which exits were requested already.
    """

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return the exit that is due now, or None; must not raise."""


@runtime_checkable
class LiftsStop(Protocol):
    """A rule that lifts the stop loss of a position once its price has risen far enough."""

    def acts_from(self, position: PositionEvent) -> float | None:
        """Return the price (rupees) from which it lifts the stop; None: never."""

    def level(self, highest: float, position: PositionEvent) -> Decimal | None:
        """Return where the stop lies after this highest price, on the tick grid; None: not yet."""


def lifting_of(rules: Sequence[ExitRule]) -> tuple[LiftsStop, ...]:
    """Return the rules that lift a stop."""
    return tuple(rule for rule in rules if isinstance(rule, LiftsStop))


def lifted_stop(rules: Sequence[LiftsStop], position: PositionEvent, highest: float) -> Decimal:
    """Return the stop of a position (rupees) at this highest price.

    It never falls below the one of the position's last event.
    """
    levels = (rule.level(highest, position) for rule in rules)
    return max(one for one in (*levels, position.stop_loss) if one is not None)


def lifts_from(rules: Sequence[LiftsStop], position: PositionEvent) -> float:
    """Return the next price (rupees) at which a rule begins to lift the stop; inf: at none."""
    reached = float(position.highest_price)
    begins = (rule.acts_from(position) for rule in rules)
    return min((one for one in begins if one is not None and one > reached), default=inf)


def planned_stop(position: PositionEvent) -> Decimal:
    """Return the stop loss that the entry planned, before anything lifted it."""
    return position.stop_loss if position.planned_stop is None else position.planned_stop


def on_grid(price: Decimal, tick_size: Decimal, rounding: str = ROUND_FLOOR) -> Decimal:
    """Return a price on the tick grid, at least a tick."""
    return max((price / tick_size).to_integral_value(rounding), Decimal(1)) * tick_size
