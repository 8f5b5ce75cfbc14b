"""Exit before the contract expires."""

from dataclasses import dataclass

from libs.events.positions import PositionEvent
from libs.market.calendar import Calendar
from services.position.domain.exit_rules.closing_times import last_close_ms
from services.position.domain.exit_rules.rule import Exit, Mark


@dataclass(frozen=True, slots=True)
class BeforeExpiry:
    """Exits `before_ms` before the close of the contract's expiry day, if that is known."""

    before_ms: int
    calendar: Calendar

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything from that time on."""
        at_ms = self.at_ms(position)
        return Exit("expiry") if at_ms is not None and mark.now_ms >= at_ms else None

    def at_ms(self, position: PositionEvent) -> int | None:
        """Return the time (epoch ms); None if the expiry day has no known session."""
        contract = position.contract
        close_ms = last_close_ms(self.calendar, contract.exchange, contract.expiry)
        return None if close_ms is None else close_ms - self.before_ms
