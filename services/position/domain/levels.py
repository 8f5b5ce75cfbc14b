"""Stop, target and bookings of a position: as far from the price paid as its entry planned."""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Self

from libs.events.exit_plan import ExitPlan
from libs.events.orders import OrderFilled
from libs.events.positions import PositionEvent


@dataclass(frozen=True, slots=True)
class Levels:
    """Stop loss and target, rupees a unit; a level of 0 is not set.

    `planned_stop`: where the stop lay before it was lifted, None if it was not.
    """

    stop_loss: Decimal
    target: Decimal
    planned_stop: Decimal | None = None
    exit_plan: ExitPlan | None = None

    @classmethod
    def of(cls, position: PositionEvent) -> Self:
        """Return the levels of a position's last event."""
        return cls(position.stop_loss, position.target, position.planned_stop, position.exit_plan)

    def lifted(self, stop: Decimal) -> "Levels":
        """Return these levels with a stop that is at least `stop`."""
        if stop <= self.stop_loss:
            return self
        planned = self.stop_loss if self.planned_stop is None else self.planned_stop
        return replace(self, stop_loss=stop, planned_stop=planned)


def levels_after(before: PositionEvent | None, fill: OrderFilled, paid: Decimal) -> Levels:
    """Return the levels after a fill; `paid` is the average price paid so far, rupees.

    Purchases of an entry move them; sales, and what is bought back, leave them as they are.
    """
    if fill.leg == "exit" and before is not None:
        return Levels.of(before)
    premium = fill.premium or _supposed_premium(fill, paid)
    ratio, tick_size = paid / premium, fill.contract.tick_size
    stop_loss = _moved(fill.stop_loss, ratio, tick_size)
    return Levels(
        stop_loss=_below(stop_loss, paid, tick_size) if ratio != 1 else stop_loss,
        target=_moved(fill.target, ratio, tick_size),
        exit_plan=_moved_plan(fill.exit_plan, ratio, tick_size),
    )


def _moved_plan(plan: ExitPlan | None, ratio: Decimal, tick_size: Decimal) -> ExitPlan | None:
    """Return a plan whose bookings are moved; its other prices are fractions or points."""
    if plan is None or not plan.bookings:
        return plan
    moved = (
        one.model_copy(update={"price": _moved(one.price, ratio, tick_size)})
        for one in plan.bookings
    )
    return plan.model_copy(update={"bookings": tuple(moved)})


def _supposed_premium(fill: OrderFilled, paid: Decimal) -> Decimal:
    """Return the premium of a plan that does not say it: the price paid, which moves nothing.

    Beyond its own levels a position would be left at once. There the plan is taken to have had its
    target twice as far away as its stop, as the standard profile has.
    """
    if fill.stop_loss < paid < fill.target or not fill.stop_loss < fill.target:
        return paid
    return fill.stop_loss + (fill.target - fill.stop_loss) / 3


def _below(stop: Decimal, paid: Decimal, tick_size: Decimal) -> Decimal:
    """Return a stop below the price paid where the tick grid has one: at it all is sold at once."""
    if stop < paid:
        return stop
    steps = (paid / tick_size).to_integral(ROUND_CEILING) - 1
    return max(steps, Decimal(1)) * tick_size


def _moved(level: Decimal, ratio: Decimal, tick_size: Decimal) -> Decimal:
    """Return a level times a ratio, on the tick grid, at least a tick; 0 stays 0."""
    if not level or ratio == 1:
        return level
    steps = (level * ratio / tick_size).to_integral(ROUND_HALF_UP)
    return max(steps, Decimal(1)) * tick_size
