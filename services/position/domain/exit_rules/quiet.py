"""While nothing can be due: no rule is asked about a price or a time within these bounds."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple, Protocol, TypeGuard

from libs.events.positions import PositionEvent
from services.position.domain.exit_rules.booking import booked_lots
from services.position.domain.exit_rules.rule import ExitRule

FOREVER_MS = 2**62


class Quiet(NamedTuple):
    """Nothing is due while the price lies between these (rupees), before a time (epoch ms)."""

    above: float = -inf
    below: float = inf
    until_ms: int = FOREVER_MS


NEVER = Quiet(inf, -inf, 0)


class TellsQuiet(Protocol):
    """A rule that says beforehand where its `check` has nothing to want."""

    def quiet(self, position: PositionEvent, highest: float) -> Quiet:
        """Return the bounds for this state and this highest price since the opening (rupees).

        They hold until one of both changes; `check` must want nothing within them.
        """


def quiet_of(rules: Sequence[ExitRule], position: PositionEvent, highest: float) -> Quiet:
    """Return where no rule and no booking wants anything; NEVER if a rule does not say."""
    each = [rule.quiet(position, highest) if tells_quiet(rule) else NEVER for rule in rules]
    above, below, until_ms = zip(_booking_quiet(position), *each, strict=True)
    return Quiet(max(above), min(below), min(until_ms))


def tells_quiet(rule: ExitRule) -> TypeGuard[TellsQuiet]:
    """Return whether a rule says where it wants nothing."""
    return hasattr(rule, "quiet")


def _booking_quiet(position: PositionEvent) -> Quiet:
    if position.exit_plan is None:
        return Quiet()
    steps = zip(position.exit_plan.bookings, booked_lots(position), strict=True)
    return Quiet(below=min((float(one.price) for one, lots in steps if lots), default=inf))
