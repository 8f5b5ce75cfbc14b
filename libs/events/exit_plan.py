"""How a position is to be left: what its entry planned beside stop loss and target.

The plan travels with the orders of an entry and with the position, so that a position keeps the
rules under which it was opened, whatever the settings say after a restart.
"""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Booking(_Frozen):
    """A part of what was bought is sold at `price` (rupees a unit), before the target.

    `part` is a fraction of the lots that were bought, rounded down to whole lots.
    """

    price: Decimal
    part: Decimal


class Trail(_Frozen):
    """A stop that follows the price once it has risen by `gain`, a fraction of the price paid.

    It lies by `fall` below the highest price since the opening: a fraction of that price, or
    points, which are rupees a unit.
    """

    gain: Decimal
    fall: Decimal
    unit: Literal["fraction", "points"] = "fraction"


class ExitPlan(_Frozen):
    """The exits of a position beside its stop loss and its target.

    `cost_after`: once the price has risen by this fraction of the price paid, the stop loss is at
    least the price paid. `holding_ms`: the longest time to hold it. A position that `overnight`
    may keep is not squared off at the end of the day.
    """

    profile: str
    bookings: tuple[Booking, ...] = ()
    trail: Trail | None = None
    cost_after: Decimal | None = None
    holding_ms: int | None = None
    overnight: bool = False
