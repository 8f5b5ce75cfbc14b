"""Exit every position on the day of its opening, but for those that may be held over night."""

from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache

from libs.events.event import ms_from_utc
from libs.events.positions import PositionEvent
from libs.market.calendar import IST, Calendar
from services.position.domain.exit_rules.closing_times import last_close_ms
from services.position.domain.exit_rules.quiet import Quiet
from services.position.domain.exit_rules.rule import Exit, Mark


@dataclass(frozen=True, slots=True)
class SquareOff:
    """Exits at a time in India, or `before_close_ms` before an earlier close.

    Not what its plan lets be held over night: that is left before its expiry.
    """

    at: time
    before_close_ms: int
    calendar: Calendar

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything from that time on."""
        if position.exit_plan is not None and position.exit_plan.overnight:
            return None
        return Exit("square_off") if mark.now_ms >= self.at_ms(position) else None

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Nothing before that time, and never of what is held over night."""
        if position.exit_plan is not None and position.exit_plan.overnight:
            return Quiet()
        return Quiet(until_ms=self.at_ms(position))

    def at_ms(self, position: PositionEvent) -> int:
        """Return the time (epoch ms) on the day of the position's opening."""
        return _at_ms(self, position.opened_at, position.contract.exchange)


@lru_cache(maxsize=1024)
def _at_ms(rule: SquareOff, opened_at: datetime, exchange: str) -> int:
    """Return the time (epoch ms), found once for a position: each tick asks for it."""
    opened_on = opened_at.astimezone(IST).date()
    at_ms = ms_from_utc(datetime.combine(opened_on, rule.at, IST))
    close_ms = last_close_ms(rule.calendar, exchange, opened_on)
    return at_ms if close_ms is None else min(at_ms, close_ms - rule.before_close_ms)
