"""Within the bounds that the rules tell, none of them wants anything."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import load_calendar
from services.position.domain.exit_rules.booking import due_bookings
from services.position.domain.exit_rules.quiet import NEVER, Quiet, quiet_of, tells_quiet
from services.position.domain.exit_rules.rule import Exit, Mark
from services.position.domain.exit_rules.settings import ExitSettings, exit_rules
from services.position.domain.exit_rules.trailing_stop import TrailingStopSettings
from tests.proofs import examples
from tests.unit.services.position.builders import EXPIRY, NOW, at, fill, hear, make_positions
from tests.unit.services.position.exit_rules.plans import AGGRESSIVE, BALANCED, HOUR_MS, STEPS
from tests.unit.services.position.exit_rules.positions import opened

TRAIL = TrailingStopSettings(gain=Decimal("0.20"), fall=Decimal("0.10"))
SETTINGS = [
    ExitSettings(),
    ExitSettings(trailing_stop=TRAIL, holding_ms=HOUR_MS),
    ExitSettings(cost_after=Decimal("0.10")),
]
PLANS = [None, BALANCED, STEPS, AGGRESSIVE]
prices = st.integers(1000, 5000).map(lambda steps: steps / 20)
times = st.one_of(
    st.integers(NOW, at(15, 30)), st.integers(at(9, 15, day=EXPIRY), at(15, 30, day=EXPIRY))
)


@examples(200)
@given(
    st.sampled_from(SETTINGS),
    st.sampled_from(PLANS),
    st.sampled_from([None, Decimal(70)]),
    st.integers(1, 5),
    prices,
    prices,
    times,
)
def test_within_them_no_rule_and_no_booking_is_due(
    settings: ExitSettings,
    plan: Any,
    planned_stop: Decimal | None,
    lots: int,
    price: float,
    highest: float,
    now_ms: int,
) -> None:
    state = opened().model_copy(
        update={
            "exit_plan": plan,
            "planned_stop": planned_stop,
            "quantity": 75 * lots,
            "bought_quantity": 75 * lots,
        }
    )
    rules = exit_rules(settings, load_calendar())
    assert all(map(tells_quiet, rules))
    top = max(highest, price, 120.0)
    bounds = quiet_of(rules, state, top)
    mark = Mark(now_ms, price, top, min(price, 120.0))
    wanted = [rule.check(mark, state) for rule in rules]
    if bounds.above < price < bounds.below and now_ms < bounds.until_ms:
        assert wanted == [None] * len(rules)
        assert list(due_bookings(mark, state)) == []
    elif plan is None:  # and outside something is
        assert any(wanted)


def test_they_lie_between_stop_and_target_until_the_square_off() -> None:
    bounds = quiet_of(exit_rules(ExitSettings(), load_calendar()), opened(), 120.0)
    assert bounds == Quiet(84.0, 192.0, at(15, 15))


def test_with_a_rule_that_does_not_tell_it_is_never_quiet() -> None:
    class Always:
        def check(self, mark: Mark, position: object) -> Exit | None:
            return Exit("manual")

    rules = (*exit_rules(ExitSettings(), load_calendar()), Always())
    bounds = quiet_of(rules, opened(), 120.0)
    assert (bounds.above, bounds.until_ms) == (NEVER.above, 0)
    held = make_positions()
    held.rules = rules
    hear(held, fill())
    assert held.on_time(NOW + 1000)


@pytest.mark.parametrize("fall_to", [129.6, 100.0])
def test_a_new_highest_price_moves_them(fall_to: float) -> None:
    rules = exit_rules(ExitSettings(trailing_stop=TRAIL), load_calendar())
    assert quiet_of(rules, opened(), 120.0).above == 84.0
    assert quiet_of(rules, opened(), 144.0).above == 129.6
    assert fall_to <= quiet_of(rules, opened(), 144.0).above
