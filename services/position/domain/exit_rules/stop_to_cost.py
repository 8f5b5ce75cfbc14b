"""After a gain the stop loss lies at the price paid: the position cannot lose much any more."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from libs.events.positions import PositionEvent
from services.position.domain.exit_rules.quiet import Quiet
from services.position.domain.exit_rules.rule import Exit, Mark, on_grid


@dataclass(frozen=True, slots=True)
class StopToCost:
    """Exits at the price paid once the price has risen by `after`, a fraction of it; None: never.

    A position's own plan goes before `after`. Charges are not in the price paid.
    """

    after: Decimal | None

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        """Return an exit of everything at or below the price paid, after the gain."""
        level = self.level(mark.highest, position)
        if level is None or mark.last_price > float(level):
            return None
        return Exit("stop_to_cost")

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Nothing before the gain, and above the price paid after it."""
        level = self.level(highest, position)
        return Quiet() if level is None else Quiet(above=float(level))

    def acts_from(self, position: PositionEvent) -> float | None:
        """Return the price of the gain (rupees), at least a tick above the price paid."""
        plan = position.exit_plan
        after = self.after if plan is None else plan.cost_after
        if after is None:
            return None
        tick_size = position.contract.tick_size
        return float(max(position.entry_price * (1 + after), _cost(position) + tick_size))

    def level(self, highest: float, position: PositionEvent) -> Decimal | None:
        """Return the price paid, rounded up to the tick grid, once the gain was reached."""
        begins = self.acts_from(position)
        return None if begins is None or highest < begins else _cost(position)


def _cost(position: PositionEvent) -> Decimal:
    return on_grid(position.entry_price, position.contract.tick_size, ROUND_CEILING)
