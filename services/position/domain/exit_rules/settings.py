"""Which rules there are, in which order, and what can be set of them."""

from dataclasses import dataclass
from datetime import time

from libs.market.calendar import Calendar
from services.position.domain.exit_rules.expiry import BeforeExpiry
from services.position.domain.exit_rules.holding_time import HoldingTime
from services.position.domain.exit_rules.levels import StopLoss, Target
from services.position.domain.exit_rules.rule import ExitRule
from services.position.domain.exit_rules.square_off import SquareOff
from services.position.domain.exit_rules.trailing_stop import TrailingStop, TrailingStopSettings

HOUR_MS = 3600 * 1000


@dataclass(frozen=True, slots=True)
class ExitSettings:
    """`square_off` is the time in India at which every position is left.

    On a day that closes earlier (Muhurat trading, say) it is `before_close_ms` before the close.
    `before_expiry_ms` is how long before the close of its expiry day a contract is left;
    `holding_ms` the longest holding time, None without one. `trailing_stop`, for example
    `{ gain = "0.20", fall = "0.10" }`: once the price has been 20 % above the entry, the position
    is left when it falls 10 % below its highest; None without one.
    """

    square_off: time = time(15, 15)
    before_close_ms: int = HOUR_MS // 4
    before_expiry_ms: int = HOUR_MS
    holding_ms: int | None = None
    trailing_stop: TrailingStopSettings | None = None


def exit_rules(settings: ExitSettings, calendar: Calendar) -> tuple[ExitRule, ...]:
    """Return the rules in order of precedence: of two that hold at once the first gives its reason.

    The stop comes first, then what takes a profit, then the times.
    """
    return (
        StopLoss(),
        Target(),
        TrailingStop(settings.trailing_stop),
        SquareOff(settings.square_off, settings.before_close_ms, calendar),
        BeforeExpiry(settings.before_expiry_ms, calendar),
        HoldingTime(settings.holding_ms),
    )
