"""Settings of the exit ladder."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT, refuse
from libs.market.units import Count, Milliseconds

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, config=STRICT)
class LadderRules:
    """How an exit is repriced until it fills.

    Of `steps` limits at the touch the first `quick_steps` stand for `quick_ms` each, the others
    for `slow_ms`, the protected market order after them for `market_ms`. A refused order is sent
    again after `refused_ms`, twice as long each time, at most `refused_most_ms`; the refusal of
    number `alert_at` alerts, and from then on one each `alert_again_ms` does.
    """

    steps: Annotated[int, Count(1, 20, of="steps")] = 5
    quick_steps: Annotated[int, Count(0, 20, of="steps")] = 3
    quick_ms: Annotated[int, Milliseconds(500, MINUTE_MS)] = 1000
    slow_ms: Annotated[int, Milliseconds(500, 10 * MINUTE_MS)] = 3000
    market_ms: Annotated[int, Milliseconds(1000, 10 * MINUTE_MS)] = 5000
    refused_ms: Annotated[int, Milliseconds(500, MINUTE_MS)] = 1000
    refused_most_ms: Annotated[int, Milliseconds(1000, 10 * MINUTE_MS)] = MINUTE_MS
    alert_at: Annotated[int, Count(1, 20, of="refusals")] = 3
    alert_again_ms: Annotated[int, Milliseconds(1000, 60 * MINUTE_MS)] = MINUTE_MS

    def __post_init__(self) -> None:
        if self.quick_ms > self.slow_ms:
            refuse("quick_ms", f"{self.quick_ms} is more than slow_ms, {self.slow_ms}")
        if self.refused_ms > self.refused_most_ms:
            refuse(
                "refused_ms",
                f"{self.refused_ms} is more than refused_most_ms, {self.refused_most_ms}",
            )

    def wait_ms(self, step: int, *, is_later_round: bool = False) -> int:
        """Return how long the limit of a step, counted from 0, stands before the next one."""
        is_quick = step < self.quick_steps and not is_later_round
        return self.quick_ms if is_quick else self.slow_ms

    def back_off_ms(self, refusals: int) -> int:
        """Return how long to wait after so many refusals in a row, at least one."""
        doublings = min(refusals - 1, 20)
        return int(min(self.refused_most_ms, self.refused_ms * 2**doublings))
