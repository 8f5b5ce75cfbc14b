"""Exit at the stop loss and at the target: premiums in rupees, set at the entry."""

from dataclasses import dataclass

from libs.events.positions import PositionEvent
from services.position.domain.exit_rules.rule import Exit, Mark


@dataclass(frozen=True, slots=True)
class StopLoss:
    """Exits when the price is at or below the stop loss."""

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything at or below the stop loss."""
        return Exit("stop_loss") if mark.last_price <= float(position.stop_loss) else None


@dataclass(frozen=True, slots=True)
class Target:
    """Exits when the price is at or above the target."""

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything at or above the target."""
        return Exit("target") if mark.last_price >= float(position.target) else None
