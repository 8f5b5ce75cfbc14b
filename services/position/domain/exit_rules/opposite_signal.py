"""Exit when the strategy signals the other direction."""

from dataclasses import dataclass

from libs.events.positions import PositionEvent
from libs.events.signals import SignalGenerated
from services.position.domain.exit_rules.rule import Exit


@dataclass(frozen=True, slots=True)
class OppositeSignal:
    """Exits at a signal of the same strategy and underlying in the other direction, if it `is_on`.

    A signal from before the opening is none: a backlog must not close what was opened after it.
    """

    is_on: bool = False

    def check(self, signal: SignalGenerated, position: PositionEvent) -> Exit | None:
        """Return an exit of everything that is held."""
        is_of_it = (signal.strategy, signal.underlying) == (position.strategy, position.underlying)
        is_opposite = is_of_it and signal.action != position.action
        is_later = signal.occurred_at > position.opened_at
        is_due = self.is_on and is_opposite and is_later and position.quantity > 0
        return Exit("opposite_signal") if is_due else None
