"""What each protection is for: without it one schedule breaks an invariant, with it none."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.chaos.protections import (
    without_the_cancel_before_the_exit,
    without_the_day_in_ids,
    without_the_fence_at_the_call,
    without_the_look_up,
    without_the_net_quantity,
    without_the_plan_before_the_call,
)
from tests.chaos.world import Directed, Outcome, Story, play_directed

Without = Callable[[], AbstractContextManager[None]]
EXIT = 1
"""The second order of a day: its visits are counted from 0."""


def broken(outcome: Outcome) -> set[str]:
    """Return the invariants that did not hold."""
    assert outcome.happened
    return {violation.invariant for violation in outcome.violations}


SCHEDULES = {
    "the reply to an exit is lost, no update comes, and nobody buys": (
        without_the_look_up,
        Directed(
            "place.after:timeout",
            Story(move_second=9, dry_seconds=6, is_deaf=True, has_stops=False),
            visit=EXIT,
        ),
        "one_order_a_plan",
    ),
    "an executor wakes with an exit in its hand after its successor has sold": (
        without_the_fence_at_the_call,
        Directed("place.before:pause", Story(has_stops=False), visit=EXIT, seconds=14.0),
        "never_short",
    ),
    "each acknowledgement of the bus takes a second": (
        without_the_plan_before_the_call,
        Directed("flush.before:slow", Story(), times=1000, seconds=1.0),
        "plan_first",
    ),
    "a position is closed by hand before its stop is met": (
        without_the_net_quantity,
        Directed("sale_by_hand:early", Story(move_second=9, has_stops=False)),
        "never_short",
    ),
    "the account cannot be read while a stop rests at the exchange": (
        without_the_cancel_before_the_exit,
        Directed("contract.before:server_error", Story("left_then_falls"), times=100),
        "never_short",
    ),
    "trade ids begin anew on the day on which the position is left": (
        without_the_day_in_ids,
        Directed("night:early", Story(has_stops=False)),
        "book_agrees",
    ),
}


@pytest.mark.parametrize("story", SCHEDULES)
def test_without_its_protection_a_schedule_breaks_an_invariant(story: str) -> None:
    without, schedule, invariant = SCHEDULES[story]
    with without():
        assert invariant in broken(play_directed(schedule))


@pytest.mark.parametrize("story", SCHEDULES)
def test_with_its_protection_the_same_schedule_does_not(story: str) -> None:
    _, schedule, invariant = SCHEDULES[story]
    assert invariant not in broken(play_directed(schedule))
