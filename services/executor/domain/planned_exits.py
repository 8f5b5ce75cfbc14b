"""Stop, target and the exit plan of a trade, by its profile and its premium."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, pairwise

from libs.events.exit_plan import Booking, ExitPlan, Trail
from services.executor.domain.policy import Refusal
from services.executor.domain.profiles import STANDARD, Profile, TrailRule
from services.executor.domain.sizing import Levels, levels_of, to_tick


@dataclass(frozen=True, slots=True)
class PlannedExits:
    """The levels (rupees), and the other exits of a profile; `standard` has none."""

    levels: Levels
    exit_plan: ExitPlan | None


def planned_exits(
    name: str, profile: Profile, premium: Decimal, tick_size: Decimal
) -> PlannedExits | Refusal:
    """Return the exits; a refusal where the tick grid is too coarse for so low a premium.

    A stop that would lie at the premium is not moved away from it: the loss would be more than
    the profile allows.
    """
    levels = levels_of(premium, tick_size, profile)
    booked = [to_tick(premium * (1 + one.gain), tick_size) for one in profile.bookings]
    ladder = list(chain((levels.stop_loss, premium), booked[:1], (levels.target,)))
    rises = all(low < high for low, high in pairwise(ladder))
    if not rises or any(price >= levels.target for price in booked):
        return Refusal(
            "levels_collapse",
            {
                "premium": float(premium),
                "tick_size": float(tick_size),
                "stop_loss": float(levels.stop_loss),
                "target": float(levels.target),
            },
        )
    return PlannedExits(levels, None if name == STANDARD else _plan(name, profile, booked))


def _plan(name: str, profile: Profile, booked: list[Decimal]) -> ExitPlan:
    parts = (one.part for one in profile.bookings)
    return ExitPlan(
        profile=name,
        bookings=tuple(
            Booking(price=price, part=part) for price, part in zip(booked, parts, strict=True)
        ),
        trail=None if profile.trail is None else _trail(profile.trail),
        cost_after=profile.cost_after,
        holding_ms=profile.holding_ms,
        overnight=profile.overnight,
    )


def _trail(rule: TrailRule) -> Trail:
    if rule.points is not None:
        return Trail(gain=rule.gain, fall=rule.points, unit="points")
    return Trail(gain=rule.gain, fall=rule.fall or Decimal(0))
