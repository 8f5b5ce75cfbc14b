"""Stop and target of a position: as far from the price paid as the plan had them from its own."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from libs.events.orders import OrderFilled
from libs.events.positions import PositionEvent


@dataclass(frozen=True, slots=True)
class Levels:
    """Stop loss and target, rupees a unit; a level of 0 is not set."""

    stop_loss: Decimal
    target: Decimal


def levels_after(before: PositionEvent | None, fill: OrderFilled, paid: Decimal) -> Levels:
    """Return the levels after a fill; `paid` is the average price paid so far, rupees.

    Purchases of an entry move them; sales, and what is bought back, leave them as they are.
    """
    if fill.leg == "exit" and before is not None:
        return Levels(before.stop_loss, before.target)
    premium = fill.premium or _supposed_premium(fill, paid)
    tick_size = fill.contract.tick_size
    return Levels(
        _moved(fill.stop_loss, paid / premium, tick_size),
        _moved(fill.target, paid / premium, tick_size),
    )


def _supposed_premium(fill: OrderFilled, paid: Decimal) -> Decimal:
    """Return the premium of a plan that does not say it: the price paid, which moves nothing.

    Beyond its own levels a position would be left at once. There the plan is taken to have had its
    target twice as far away as its stop, as the standard profile has.
    """
    if fill.stop_loss < paid < fill.target or not fill.stop_loss < fill.target:
        return paid
    return fill.stop_loss + (fill.target - fill.stop_loss) / 3


def _moved(level: Decimal, ratio: Decimal, tick_size: Decimal) -> Decimal:
    """Return a level times a ratio, on the tick grid, at least a tick; 0 stays 0."""
    if not level or ratio == 1:
        return level
    steps = (level * ratio / tick_size).to_integral(ROUND_HALF_UP)
    return max(steps, Decimal(1)) * tick_size
