"""The exit rules in their order of precedence, and their settings."""

from datetime import time
from decimal import Decimal
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT
from libs.market.calendar import Calendar
from libs.market.time_of_day import TimeOfDay, refuse_unreached
from libs.market.units import Count, Fraction, Milliseconds
from services.position.domain.exit_rules.expiry import BeforeExpiry
from services.position.domain.exit_rules.holding_time import HoldingTime
from services.position.domain.exit_rules.levels import LiftedStop, StopLoss, Target
from services.position.domain.exit_rules.rule import ExitRule
from services.position.domain.exit_rules.square_off import SquareOff
from services.position.domain.exit_rules.stop_to_cost import StopToCost
from services.position.domain.exit_rules.trailing_stop import TrailingStop, TrailingStopSettings

MINUTE_MS, HOUR_MS = 60_000, 3600 * 1000
SQUARE_OFF = time(15, 15)
_IF_SET = Field(exclude_if=lambda value: value is None)
"""Left out of the settings' text, which names databases, unless it is set."""


@dataclass(frozen=True, slots=True, config=STRICT)
class ExitSettings:
    """`square_off` is the time in India at which every position is exited.

    On a day that closes earlier (Muhurat trading, say) it is `before_close_ms` before the close.
    `before_expiry_ms`: a contract is exited so long before the close of its expiry day. An option
    that is settled in shares is exited `before_settlement_days` trading days earlier; None means
    those in which the exchange asks for the shares' margin.
    `holding_ms`: the longest holding time; None for no limit. `trailing_stop`: none by default;
    `{ gain = "0.20", fall = "0.10" }`, for example, exits a position that has been 20 % above its
    entry price when it falls 10 % below its highest price; `points = "15"` instead of `fall` are
    rupees a unit. `cost_after`: after this gain, a fraction, the stop loss is the price paid.
    `opposite_signal`: a signal of the same strategy and underlying in the other direction exits
    the position.
    A position that was opened under a profile keeps that profile's trailing stop, stop at cost and
    holding time.
    """

    square_off: Annotated[time, TimeOfDay()] = SQUARE_OFF
    before_close_ms: Annotated[int, Milliseconds(MINUTE_MS, 6 * HOUR_MS)] = HOUR_MS // 4
    before_expiry_ms: Annotated[int, Milliseconds(MINUTE_MS, 6 * HOUR_MS)] = HOUR_MS
    before_settlement_days: Annotated[int, Count(0, 20, of="trading days")] | None = None
    holding_ms: Annotated[int, Milliseconds(MINUTE_MS, 24 * HOUR_MS)] | None = None
    trailing_stop: TrailingStopSettings | None = None
    opposite_signal: Annotated[bool, Field(exclude_if=lambda is_on: not is_on)] = False
    cost_after: Annotated[Annotated[Decimal, Fraction(0, 10)] | None, _IF_SET] = None

    def __post_init__(self) -> None:
        if self.square_off != SQUARE_OFF:
            refuse_unreached("square_off", self.square_off, self.before_close_ms)


def exit_rules(settings: ExitSettings, calendar: Calendar) -> tuple[ExitRule, ...]:
    """Return the rules in order of precedence: if several hold at once, the first gives the reason.

    Stop loss first, then what takes a profit, then the times. What these sell is everything; a
    booking, which sells a part, is looked at after them (exit_requests.py).
    """
    return (
        StopLoss(),
        Target(),
        TrailingStop(settings.trailing_stop),
        StopToCost(settings.cost_after),
        LiftedStop(),
        SquareOff(settings.square_off, settings.before_close_ms, calendar),
        before_expiry(settings, calendar),
        HoldingTime(settings.holding_ms, calendar),
    )


def before_expiry(settings: ExitSettings, calendar: Calendar) -> BeforeExpiry:
    """Return the rule of the contract's last day, which holds for positions over night too."""
    return BeforeExpiry(settings.before_expiry_ms, calendar, settings.before_settlement_days)
