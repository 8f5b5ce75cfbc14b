from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.domain.policy import LevelRules, Policy, Sizing
from services.executor.domain.profiles import Profile
from services.executor.domain.sizing import Size, levels_of, limit_of, size_of, to_tick

TICK = Decimal("0.05")


def standard(rules: LevelRules) -> Profile:
    return Policy(levels=rules).profile_named("standard")


premiums = st.integers(1, 200_000).map(lambda steps: steps * TICK)


def size(
    premium: str | Decimal,
    lot_size: int = 75,
    lots_cap: int = 1000,
    risk_left: int = 150_000,
    sizing: Sizing | None = None,
) -> Size:
    price = Decimal(premium)
    rules = LevelRules()
    return size_of(
        premium=price,
        limit=limit_of(price, TICK, Decimal("0.01")),
        stop_loss=levels_of(price, TICK, standard(rules)).stop_loss,
        lot_size=lot_size,
        stop=rules.stop,
        sizing=sizing or Sizing(),
        lots_cap=lots_cap,
        risk_left=Decimal(risk_left),
    )


def test_lots_by_risk_are_capital_times_risk_over_what_a_lot_risks() -> None:
    # 1,000,000 × 2 % ÷ (100 × 30 % × 75) = 8.88…
    assert size("100").caps["by_risk"] == 8
    assert size("100").lots == 8


@pytest.mark.parametrize(("premium", "lots"), [("88.85", 10), ("88.90", 9)])
def test_lots_are_never_rounded_up(premium: str, lots: int) -> None:
    assert size(premium).lots == lots  # 20,000 ÷ (premium × 22.5): 10.004 and 9.998


@pytest.mark.parametrize(
    ("cap", "lots_cap", "risk_left", "sizing", "lots"),
    [
        ("by_risk", 1000, 150_000, Sizing(), 8),
        ("by_cost", 1000, 150_000, Sizing(max_position=Decimal("0.04")), 5),
        ("by_capital_at_risk", 1000, 7000, Sizing(), 3),
        ("by_lots_a_trade", 2, 150_000, Sizing(), 2),
    ],
)
def test_the_smallest_cap_wins(
    cap: str, lots_cap: int, risk_left: int, sizing: Sizing, lots: int
) -> None:
    result = size("100", lots_cap=lots_cap, risk_left=risk_left, sizing=sizing)
    assert result.lots == lots == result.caps[cap] == min(map(float, result.caps.values()))
    assert result.refusal is None


@pytest.mark.parametrize(
    ("premium", "risk_left", "cap"),
    [
        ("900", 150_000, "by_risk"),  # 20,000 ÷ 20,250
        ("100", 2000, "by_capital_at_risk"),
        ("100", -5000, "by_capital_at_risk"),
    ],
)
def test_no_lots_at_all_is_a_refusal_with_the_numbers(
    premium: str, risk_left: int, cap: str
) -> None:
    result = size(premium, risk_left=risk_left)
    assert result.lots == 0
    assert result.refusal is not None
    assert result.refusal.reason == "zero_lots"
    assert result.refusal.numbers[cap] == 0
    assert result.refusal.numbers["risk_of_lot"] == float(Decimal(premium) * 75 * Decimal("0.3"))
    assert result.refusal.numbers["cost_of_lot"] == float(Decimal(premium) * 75 * Decimal("1.01"))


def test_no_premium_is_a_refusal() -> None:
    result = size("0")
    assert result.lots == 0
    assert result.refusal is not None
    assert (result.refusal.reason, result.refusal.numbers) == ("no_premium", {"premium": 0.0})


@given(premiums, st.sampled_from([15, 65, 75, 550]), st.integers(0, 40), st.integers(0, 200_000))
def test_cost_and_risk_stay_within_their_fractions_of_the_capital(
    premium: Decimal, lot_size: int, lots_cap: int, risk_left: int
) -> None:
    result = size(premium, lot_size, lots_cap, risk_left)
    limit = limit_of(premium, TICK, Decimal("0.01"))
    stop_loss = levels_of(premium, TICK, standard(LevelRules())).stop_loss
    quantity = result.lots * lot_size
    assert 0 <= result.lots <= lots_cap
    assert limit * quantity <= 100_000
    assert premium * Decimal("0.30") * quantity <= 20_000
    assert (limit - stop_loss) * quantity <= risk_left
    assert (result.refusal is None) == (result.lots > 0)


@given(premiums, st.integers(1, 30))
def test_one_lot_more_would_break_a_cap(premium: Decimal, lots_cap: int) -> None:
    result = size(premium, lots_cap=lots_cap)
    quantity = (result.lots + 1) * 75
    limit = limit_of(premium, TICK, Decimal("0.01"))
    reach = max(
        limit - levels_of(premium, TICK, standard(LevelRules())).stop_loss, premium * Decimal("0.3")
    )
    assert (
        result.lots == lots_cap
        or premium * Decimal("0.3") * quantity > 20_000
        or limit * quantity > 100_000
        or reach * quantity > 150_000
    )


@pytest.mark.parametrize(
    ("premium", "stop_loss", "target"),
    [
        ("100", "70", "160"),
        ("123.45", "86.40", "197.50"),  # 86.415 and 197.52
        ("33.35", "23.35", "53.35"),  # 23.345 and 53.36
        ("0.05", "0.05", "0.10"),  # a level is never below one tick
    ],
)
def test_levels_are_thirty_percent_below_and_sixty_above_on_the_tick(
    premium: str, stop_loss: str, target: str
) -> None:
    levels = levels_of(Decimal(premium), TICK, standard(LevelRules()))
    assert (levels.stop_loss, levels.target) == (Decimal(stop_loss), Decimal(target))


def test_other_rules_give_other_levels() -> None:
    rules = LevelRules(stop=Decimal("0.20"), reward=Decimal("1.5"))
    levels = levels_of(Decimal(200), TICK, standard(rules))
    assert (levels.stop_loss, levels.target) == (Decimal(160), Decimal(260))


@given(premiums, st.sampled_from([TICK, Decimal("0.01"), Decimal(1)]))
def test_a_level_is_the_nearest_multiple_of_the_tick(premium: Decimal, tick: Decimal) -> None:
    rounded = to_tick(premium, tick)
    assert rounded % tick == 0
    assert abs(rounded - premium) <= tick / 2 or rounded == tick


@given(premiums)
def test_the_limit_is_the_first_tick_at_or_past_the_buffer(premium: Decimal) -> None:
    limit = limit_of(premium, TICK, Decimal("0.01"))
    assert limit % TICK == 0
    assert 0 <= limit - premium * Decimal("1.01") < TICK
