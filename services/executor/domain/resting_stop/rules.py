"""Settings of resting stops."""

from decimal import Decimal
from typing import Annotated

from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT
from libs.market.units import Count, Fraction, Milliseconds

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, config=STRICT)
class RestingStopRules:
    """How the stop at the exchange is kept, where the venue keeps stops and it `is_on`.

    `gap` is the part of the trigger by which the limit lies below it; the exchange's bound holds
    besides. A trailing stop is moved from `step` (a part of the trigger) on, at most each
    `move_ms`; `spare_modifications` are kept for changes of the quantity. One that was triggered
    and has not filled after `triggered_ms` is handed to the ladder; one that does not stand for
    `missing_ms` is said. A refused one is placed again after `again_ms`,
    then after twice as long each time, at most half a minute: each one counts as an order.
    """

    is_on: bool = True
    gap: Annotated[Decimal, Fraction("0.01", 1)] = Decimal("0.2")
    step: Annotated[Decimal, Fraction(0, "0.2")] = Decimal("0.01")
    move_ms: Annotated[int, Milliseconds(1000, MINUTE_MS)] = 1000
    spare_modifications: Annotated[int, Count(0, 20, of="modifications")] = 5
    triggered_ms: Annotated[int, Milliseconds(200, MINUTE_MS)] = 1000
    missing_ms: Annotated[int, Milliseconds(1000, MINUTE_MS)] = 5000
    again_ms: Annotated[int, Milliseconds(500, MINUTE_MS)] = 2000

    def back_off_ms(self, refusals: int) -> int:
        """Return how long to wait after so many refusals in a row, at least one."""
        longest_ms = max(self.again_ms, MINUTE_MS // 2)
        return int(min(longest_ms, self.again_ms * 2 ** min(refusals - 1, 20)))
