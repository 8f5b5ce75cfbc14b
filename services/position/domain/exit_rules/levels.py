"""Exit at the stop loss and at the target: premiums in rupees, set at the entry."""

from dataclasses import dataclass

from libs.events.positions import PositionEvent
from services.position.domain.exit_rules.quiet import Quiet
from services.position.domain.exit_rules.rule import Exit, Mark, planned_stop


@dataclass(frozen=True, slots=True)
class StopLoss:
    """Exits when the price is at or below the stop loss that the entry planned.

    One that was lifted belongs to the rule that lifts it.
    """

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything at or below the stop loss."""
        is_reached = mark.last_price <= float(planned_stop(position))
        return Exit("stop_loss") if is_reached else None

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Nothing above the stop."""
        return Quiet(above=float(planned_stop(position)))


@dataclass(frozen=True, slots=True)
class LiftedStop:
    """Exits at a stop that was lifted under other settings than today's: it still stands."""

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything at or below the lifted stop."""
        if position.planned_stop is None or mark.last_price > float(position.stop_loss):
            return None
        return Exit(position.stop_reason)

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Nothing above the lifted stop."""
        is_lifted = position.planned_stop is not None
        return Quiet(above=float(position.stop_loss)) if is_lifted else Quiet()


@dataclass(frozen=True, slots=True)
class Target:
    """Exits when the price is at or above the target."""

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything at or above the target."""
        return Exit("target") if mark.last_price >= float(position.target) else None

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Nothing below the target."""
        return Quiet(below=float(position.target))
