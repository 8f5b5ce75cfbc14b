"""Exit after a longest holding time."""

from dataclasses import dataclass

from libs.events.event import ms_from_utc
from libs.events.positions import PositionEvent
from services.position.domain.exit_rules.rule import Exit, Mark


@dataclass(frozen=True, slots=True)
class HoldingTime:
    """Exits `holding_ms` after the opening; None or 0: never."""

    holding_ms: int | None

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything when the time is over."""
        if not self.holding_ms:
            return None
        is_over = mark.now_ms >= ms_from_utc(position.opened_at) + self.holding_ms
        return Exit("holding_time") if is_over else None
