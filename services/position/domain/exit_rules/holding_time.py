"""Exit after a longest holding time."""

from dataclasses import dataclass

from libs.events.event import ms_from_utc
from libs.events.positions import PositionEvent
from libs.market.calendar import Calendar
from services.position.domain.exit_rules.closing_times import is_open
from services.position.domain.exit_rules.quiet import Quiet
from services.position.domain.exit_rules.rule import Exit, Mark


@dataclass(frozen=True, slots=True)
class HoldingTime:
    """Exits `holding_ms` after the opening; None or 0: never. A position's own plan goes before.

    Nights count. Where the exchange is closed by then it exits at the next open.
    """

    holding_ms: int | None
    calendar: Calendar

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything when the time is over."""
        if mark.now_ms < self.quiet(position, mark.highest).until_ms:
            return None
        is_now = is_open(self.calendar, position.contract.exchange, mark.now_ms)
        return Exit("holding_time") if is_now else None

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Nothing before the time is over."""
        plan = position.exit_plan
        holding_ms = self.holding_ms if plan is None else plan.holding_ms
        if not holding_ms:
            return Quiet()
        return Quiet(until_ms=ms_from_utc(position.opened_at) + holding_ms)
