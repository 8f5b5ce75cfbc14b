"""The levels on the premium that the entry set."""

from dataclasses import dataclass

from libs.events.positions import PositionEvent
from services.position.domain.exit_rules.rule import Exit, Mark


@dataclass(frozen=True, slots=True)
class StopLoss:
    """Leaves when the price stands on the stop or below."""

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything at the stop."""
        return Exit("stop_loss") if mark.last_price <= float(position.stop_loss) else None


@dataclass(frozen=True, slots=True)
class Target:
    """Leaves when the price stands on the target or above."""

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything at the target."""
        return Exit("target") if mark.last_price >= float(position.target) else None
