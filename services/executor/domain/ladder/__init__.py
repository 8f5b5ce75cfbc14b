"""The exit ladder: how an exit gets filled, step by step, and when a person is called.

| step | order |
|---|---|
| 1 to `steps` | LIMIT at the touch inside the price range, repriced while it does not fill |
| then | MARKET with the broker's protection |
| then | an alert with what is left, and the ladder begins anew, slower |

Without a quote the last known price inside the range is asked for, with an alert. A refused order
is sent again after a back-off that doubles; the third refusal alerts and goes on to the protected
market, and a person is called again each minute while the exit is refused. Pure: times are given.
"""

from services.executor.domain.ladder.ladder import (
    Alert,
    CancelWorking,
    ExitLadder,
    Move,
    Place,
    Reprice,
    WorkingExit,
)
from services.executor.domain.ladder.rules import LadderRules
from services.executor.domain.ladder.steps import (
    Exhausted,
    ExitView,
    LadderStep,
    PriceRange,
    step_of,
)

__all__ = [
    "Alert",
    "CancelWorking",
    "Exhausted",
    "ExitLadder",
    "ExitView",
    "LadderRules",
    "LadderStep",
    "Move",
    "Place",
    "PriceRange",
    "Reprice",
    "WorkingExit",
    "step_of",
]
