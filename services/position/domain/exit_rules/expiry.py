"""Exit before the contract expires, or has to be settled in shares."""

from dataclasses import dataclass

from libs.events.positions import PositionEvent
from libs.market.calendar import Calendar
from services.position.domain.exit_rules.closing_times import last_close_ms, last_day
from services.position.domain.exit_rules.quiet import Quiet
from services.position.domain.exit_rules.rule import Exit, Mark


@dataclass(frozen=True, slots=True)
class BeforeExpiry:
    """Exits `before_ms` before the close of the contract's expiry day, if that is known.

    An option that is settled in shares is exited `settlement_days` trading days earlier; None
    means those of the dated rule, in which the exchange asks for the shares' margin.
    """

    before_ms: int
    calendar: Calendar
    settlement_days: int | None = None

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything from that time on."""
        at_ms = self.at_ms(position)
        return Exit("expiry") if at_ms is not None and mark.now_ms >= at_ms else None

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Nothing before that time."""
        at_ms = self.at_ms(position)
        return Quiet() if at_ms is None else Quiet(until_ms=at_ms)

    def at_ms(self, position: PositionEvent) -> int | None:
        """Return the time (epoch ms); None if that day has no known session."""
        contract = position.contract
        last = last_day(self.calendar, contract.underlying, contract.expiry, self.settlement_days)
        close_ms = last_close_ms(self.calendar, contract.exchange, last)
        return None if close_ms is None else close_ms - self.before_ms
