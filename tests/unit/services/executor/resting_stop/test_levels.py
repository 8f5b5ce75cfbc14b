"""Trigger and limit that the exchange takes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.price_limits import PriceReach
from services.executor.domain.resting_stop import (
    RestingStopRules,
    StopLevels,
    levels_of,
)

TICK = Decimal("0.05")
OPTIONS = PriceReach(boundary=Decimal(50), rupees=Decimal(10), percent=Decimal(20))
RULES = RestingStopRules()


@pytest.mark.parametrize(
    ("stop", "trigger", "limit"),
    [
        ("84", "84.00", "67.20"),
        ("84.03", "84.00", "67.20"),
        ("50", "50.00", "40.00"),
        ("30", "30.00", "20.00"),  # ten rupees below fifty
        ("70.01", "70.00", "56.00"),
        ("51.15", "51.15", "40.95"),  # 40.92, rounded towards the trigger
        ("6", "6.00", "0.05"),
        ("0.01", "0.05", "0.05"),
    ],
)
def test_the_limit_lies_a_fifth_below_the_trigger_and_ten_rupees_below_fifty(
    stop: str, trigger: str, limit: str
) -> None:
    levels = levels_of(Decimal(stop), None, TICK, OPTIONS, RULES)
    assert levels == StopLevels(Decimal(trigger), Decimal(limit))


def test_a_smaller_gap_can_be_set() -> None:
    rules = RestingStopRules(gap=Decimal("0.1"))
    levels = levels_of(Decimal(200), None, TICK, OPTIONS, rules)
    assert levels == StopLevels(Decimal(200), Decimal(180))


@pytest.mark.parametrize(("last", "is_taken"), [("84.00", False), ("84.05", True), ("70", False)])
def test_no_trigger_at_or_above_the_last_price_is_asked_for(last: str, is_taken: bool) -> None:
    levels = levels_of(Decimal(84), Decimal(last), TICK, OPTIONS, RULES)
    assert (levels is not None) == is_taken


@given(
    st.integers(1, 1_000_000).map(lambda paise: Decimal(paise) / 100),
    st.sampled_from([Decimal("0.01"), Decimal("0.05")]),
    st.integers(1, 100).map(lambda part: Decimal(part) / 100),
)
def test_every_pair_is_on_the_grid_and_inside_the_gap_that_the_exchange_takes(
    stop: Decimal, tick: Decimal, gap: Decimal
) -> None:
    levels = levels_of(stop, None, tick, OPTIONS, RestingStopRules(gap=gap))
    assert levels is not None
    assert levels.trigger_price % tick == levels.price % tick == 0
    assert 0 < levels.price <= levels.trigger_price
    assert levels.trigger_price - levels.price <= OPTIONS.reach(levels.trigger_price)
