"""Each profile's exits in the position service: every rule's not-yet and first moment.

Bought at 100 in ten lots of 75, so that each part is a whole number of lots.
"""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from libs.events.orders import OrderFilled
from libs.events.positions import ExitRequested
from services.executor.domain.planned_exits import PlannedExits, planned_exits
from services.executor.domain.profiles import PRESETS
from services.position.domain.open_positions import OpenPositions
from tests.unit.services.position.builders import NOW, at, fill, hear, make_positions, ticks

PREMIUM, TICK, LOT, HOUR_MS = Decimal(100), Decimal("0.05"), 75, 3_600_000

LEVELS = [
    # profile, what was seen before, not yet, first, what is asked for then
    ("ultra_safe", (), 80.05, 80.0, ("stop_loss", None)),
    ("ultra_safe", (), 129.95, 130.0, ("target", None)),
    ("conservative", (), 70.05, 70.0, ("stop_loss", None)),
    ("conservative", (), 144.95, 145.0, ("booking", 6)),
    ("conservative", (145.0,), 169.95, 170.0, ("target", None)),
    ("conservative", (125.0,), 100.05, 100.0, ("trailing_stop", None)),
    ("conservative", (124.95,), 70.05, 70.0, ("stop_loss", None)),  # the trail has not begun
    ("balanced", (), 65.05, 65.0, ("stop_loss", None)),
    ("balanced", (), 149.95, 150.0, ("booking", 5)),
    ("balanced", (150.0,), 159.95, 160.0, ("booking", 2)),
    ("balanced", (160.0,), 199.95, 200.0, ("target", None)),
    ("balanced", (130.0,), 104.05, 104.0, ("trailing_stop", None)),
    ("aggressive", (), 50.05, 50.0, ("stop_loss", None)),
    ("aggressive", (), 199.95, 200.0, ("booking", 5)),
    ("aggressive", (200.0,), 249.95, 250.0, ("target", None)),
    ("aggressive", (240.0,), 50.05, 50.0, ("stop_loss", None)),  # it does not trail
]
TIMES = [
    # profile, opened, not yet, first, why
    ("ultra_safe", at(10, 0), at(12, 59, 59), at(13, 0), "holding_time"),
    ("conservative", at(10, 0), at(13, 59, 59), at(14, 0), "holding_time"),
    ("balanced", at(9, 15), at(15, 14, 59), at(15, 15), "square_off"),  # six hours: the same
    ("balanced", at(9, 16), at(15, 14, 59), at(15, 15), "square_off"),
]


def planned_of(profile: str) -> PlannedExits:
    planned = planned_exits(profile, PRESETS[profile], PREMIUM, TICK)
    assert isinstance(planned, PlannedExits)
    return planned


def entry_of(profile: str, at_ms: int = NOW) -> OrderFilled:
    planned = planned_of(profile)
    return fill(
        quantity=10 * LOT,
        price=str(PREMIUM),
        at_ms=at_ms,
        premium=PREMIUM,
        stop_loss=planned.levels.stop_loss,
        target=planned.levels.target,
        exit_plan=planned.exit_plan,
    )


def opened(profile: str, at_ms: int = NOW) -> OpenPositions:
    held = make_positions()
    hear(held, entry_of(profile, at_ms))
    return held


def along(held: OpenPositions, prices: Sequence[float], begin_ms: int) -> list[object]:
    shown = enumerate(prices, 1)
    events = [one for n, price in shown for one in hear(held, ticks(price, begin_ms + n * 1000))]
    return [(one.reason, one.lots) for one in events if isinstance(one, ExitRequested)]


@pytest.mark.parametrize(("profile", "before", "not_yet", "first", "wanted"), LEVELS)
def test_a_level_of_a_profile_acts_at_its_first_moment_and_not_before(
    profile: str,
    before: Sequence[float],
    not_yet: float,
    first: float,
    wanted: tuple[str, int | None],
) -> None:
    held = opened(profile)
    seen = along(held, (*before, not_yet), NOW)
    assert wanted not in seen
    assert along(held, (first,), NOW + 60_000)[-1] == wanted


@pytest.mark.parametrize(("profile", "opened_ms", "not_yet", "first", "reason"), TIMES)
def test_a_time_of_a_profile_acts_at_its_first_moment_and_not_before(
    profile: str, opened_ms: int, not_yet: int, first: int, reason: str
) -> None:
    held = opened(profile, opened_ms)
    asked = [one for at_ms in (not_yet, first) for one in held.on_time(at_ms)]
    requests = [one for one in asked if isinstance(one, ExitRequested)]
    assert [(one.reason, one.occurred_ms) for one in requests] == [(reason, first)]


def test_the_aggressive_profile_alone_is_held_over_night() -> None:
    for profile in PRESETS:
        held = opened(profile, at(15, 14))
        asked = [one for one in held.on_time(at(15, 15)) if isinstance(one, ExitRequested)]
        assert bool(asked) == (profile != "aggressive")


@pytest.mark.parametrize("profile", PRESETS)
def test_of_one_lot_nothing_is_booked(profile: str) -> None:
    held = make_positions()
    hear(held, entry_of(profile).model_copy(update={"fill_quantity": LOT, "filled_quantity": LOT}))
    target = float(planned_of(profile).levels.target)
    assert along(held, (target - 0.05,), NOW) == []
    assert along(held, (target,), NOW + 9000) == [("target", None)]
