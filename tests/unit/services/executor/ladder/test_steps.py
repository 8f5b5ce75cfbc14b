"""Each step's order and price."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.broker.port import Side
from libs.market.price_limits import PriceReach
from services.executor.domain.ladder import (
    Exhausted,
    ExitView,
    LadderRules,
    LadderStep,
    PriceRange,
    step_of,
)

TICK = Decimal("0.05")
RULES = LadderRules()
VIEW = ExitView(
    touch=Decimal("99.50"),
    last_known=Decimal("100.00"),
    price_range=PriceRange(Decimal(60), Decimal(140)),
    tick_size=TICK,
)
NOTHING = Decimal(0)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, LadderStep("LIMIT", Decimal("99.50"), 1000)),
        (2, LadderStep("LIMIT", Decimal("99.50"), 1000)),
        (3, LadderStep("LIMIT", Decimal("99.50"), 3000)),
        (4, LadderStep("LIMIT", Decimal("99.50"), 3000)),
        (5, LadderStep("MARKET", NOTHING, 5000)),
        (6, Exhausted("no step of the ladder is left")),
    ],
)
def test_limits_come_first_then_the_protected_market_then_nothing(
    step: int, expected: LadderStep | Exhausted
) -> None:
    assert step_of(step, "SELL", VIEW, RULES) == expected


def test_a_later_round_goes_at_the_slow_pace() -> None:
    step = step_of(0, "SELL", VIEW, RULES, is_later_round=True)
    assert step == LadderStep("LIMIT", Decimal("99.50"), 3000)


@pytest.mark.parametrize(
    ("side", "touch", "price"),
    [
        ("SELL", "99.52", "99.50"),
        ("BUY", "99.52", "99.55"),
        ("SELL", "12.00", "60.00"),  # limit price protection refuses sales below the range
        ("BUY", "200.00", "140.00"),
        ("BUY", "12.00", "60.00"),  # and the price band all that is outside
    ],
)
def test_the_limit_is_the_touch_on_the_tick_grid_inside_the_range(
    side: Side, touch: str, price: str
) -> None:
    step = step_of(0, side, replace(VIEW, touch=Decimal(touch)), RULES)
    assert isinstance(step, LadderStep)
    assert step.price == Decimal(price)


def test_without_a_quote_the_last_known_price_stands_in_and_is_said() -> None:
    step = step_of(0, "SELL", replace(VIEW, touch=None, last_known=Decimal(50)), RULES)
    assert step == LadderStep("LIMIT", Decimal(60), 1000, is_blind=True)


@pytest.mark.parametrize("last_known", [None, NOTHING])
def test_without_any_price_the_market_is_asked_and_where_it_takes_nothing_the_ladder_ends(
    last_known: Decimal | None,
) -> None:
    view = replace(VIEW, touch=None, last_known=last_known)
    assert step_of(0, "SELL", view, RULES) == LadderStep("MARKET", NOTHING, 5000, is_blind=True)
    closed = replace(view, may_use_market=False)
    assert step_of(0, "SELL", closed, RULES) == Exhausted(
        "there is no price, and no market order is taken"
    )


def test_where_no_market_order_is_taken_the_last_step_is_a_limit_too() -> None:
    step = step_of(5, "SELL", replace(VIEW, may_use_market=False), RULES)
    assert isinstance(step, LadderStep)
    assert step.order_type == "LIMIT"


@pytest.mark.parametrize(
    ("side", "reference", "lowest", "highest"),
    [
        ("SELL", "100", "60", "500"),
        ("BUY", "100", "1", "140"),
        ("SELL", "30", "10", "500"),
        ("SELL", "15", "1", "500"),
        ("BUY", "400", "1", "500"),
    ],
)
def test_limit_price_protection_narrows_the_side_that_goes_against_us(
    side: Side, reference: str, lowest: str, highest: str
) -> None:
    band = PriceRange(Decimal(1), Decimal(500))
    protection = PriceReach(Decimal(50), Decimal(20), Decimal(40))
    allowed = band.protected(side, Decimal(reference), protection)
    assert allowed == PriceRange(Decimal(lowest), Decimal(highest))


def test_a_range_without_a_tick_in_it_gives_no_limit() -> None:
    narrow = PriceRange(Decimal("60.01"), Decimal("60.04"))
    step = step_of(0, "SELL", replace(VIEW, price_range=narrow), RULES)
    assert isinstance(step, LadderStep)
    assert step.order_type == "MARKET"


paise = st.integers(1, 100_000).map(lambda number: Decimal(number) / 100)


@given(paise, paise, paise, st.sampled_from(["SELL", "BUY"]), st.integers(0, 4))
def test_no_limit_is_ever_off_the_grid_or_out_of_the_range(
    touch: Decimal, one: Decimal, other: Decimal, side: Side, number: int
) -> None:
    allowed = PriceRange(min(one, other), max(one, other))
    step = step_of(number, side, replace(VIEW, touch=touch, price_range=allowed), RULES)
    assert isinstance(step, LadderStep)
    if step.order_type == "LIMIT":
        assert allowed.lowest <= step.price <= allowed.highest
        assert step.price % TICK == 0
        assert step.price > 0


@pytest.mark.parametrize(
    ("refusals", "wait_ms"), [(1, 1000), (2, 2000), (3, 4000), (7, 60_000), (500, 60_000)]
)
def test_the_back_off_doubles_up_to_a_minute(refusals: int, wait_ms: int) -> None:
    assert RULES.back_off_ms(refusals) == wait_ms


@pytest.mark.parametrize(
    ("unfit", "key"),
    [({"quick_ms": 5000}, "quick_ms"), ({"refused_ms": 2000, "refused_most_ms": 1000}, "refused")],
)
def test_settings_that_contradict_each_other_are_refused(unfit: dict[str, int], key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        LadderRules(**unfit)
