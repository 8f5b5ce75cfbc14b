"""Whatever policy is accepted, a trade stays within the capital, and its stop below its price."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.executor.domain.policy import LevelRules, OrderRules, Policy, RiskLimits, Sizing
from services.executor.domain.sizing import levels_of, limit_of, size_of
from services.executor.domain.stakes import stakes_of

TICK = Decimal("0.05")
PARTS = st.decimals("-0.5", "2.5", places=3)
POLICIES = st.fixed_dictionaries(
    {
        "capital": st.decimals(-1000, 10_000_000, places=2),
        "risk": PARTS,
        "max_position": PARTS,
        "capital_at_risk": PARTS,
        "daily_loss": PARTS,
        "stop": PARTS,
        "reward": st.decimals(-1, 10, places=2),
        "limit_buffer": st.decimals("-0.1", "0.3", places=3),
        "lots": st.integers(-1, 100),
    }
)


def policy_of(drawn: dict[str, Any]) -> Policy:
    sizing = {name: drawn[name] for name in ("capital", "risk", "max_position")}
    limits = {name: drawn[name] for name in ("capital_at_risk", "daily_loss")}
    return Policy(
        sizing=Sizing(**sizing),
        limits=RiskLimits(**limits, lots_a_trade=drawn["lots"]),
        levels=LevelRules(stop=drawn["stop"], reward=drawn["reward"]),
        orders=OrderRules(limit_buffer=drawn["limit_buffer"]),
    )


def check_trade(policy: Policy, premium: Decimal, lot_size: int) -> None:
    sizing, levels = policy.sizing, levels_of(premium, TICK, policy.profile_named("standard"))
    limit = limit_of(premium, TICK, policy.orders.limit_buffer)
    risk_left = sizing.capital * policy.limits.capital_at_risk
    stop, lots_cap = policy.levels.stop, policy.limits.lots_a_trade
    size = size_of(premium, limit, levels.stop_loss, lot_size, stop, sizing, lots_cap, risk_left)
    units = size.lots * lot_size
    assert 0 <= size.lots <= lots_cap
    assert 0 < levels.stop_loss <= premium <= levels.target
    assert units * limit <= sizing.capital * sizing.max_position <= sizing.capital
    assert units * premium * stop <= sizing.capital * sizing.risk
    assert units * (limit - levels.stop_loss) <= risk_left <= sizing.capital


@given(POLICIES, st.integers(1, 40_000).map(lambda steps: steps * TICK), st.integers(1, 2000))
def test_a_policy_is_refused_or_its_trades_never_risk_more_than_the_capital(
    drawn: dict[str, Any], premium: Decimal, lot_size: int
) -> None:
    try:
        policy = policy_of(drawn)
    except ValidationError as error:
        assert error.errors()[0]["type"] == "setting"  # noqa: PT017  either outcome is right
        return
    check_trade(policy, premium, lot_size)


@given(
    st.decimals(1000, 10_000_000, places=2),
    st.tuples(*[st.integers(1, 999)] * 4).map(sorted),
    st.integers(10, 999),
    st.integers(1, 40_000).map(lambda steps: steps * TICK),
    st.integers(1, 2000),
)
def test_no_trade_of_an_accepted_policy_risks_more_than_the_capital(
    capital: Decimal, parts: list[int], stop: int, premium: Decimal, lot_size: int
) -> None:
    risk, *others = (Decimal(part) / 1000 for part in parts)
    drawn: dict[str, Any] = {
        "capital": capital,
        "risk": risk,
        "max_position": others[0],
        "capital_at_risk": others[1],
        "daily_loss": others[2],
        "stop": Decimal(stop) / 1000,
        "reward": Decimal("1.5"),
        "limit_buffer": Decimal("0.01"),
        "lots": 1000,
    }
    check_trade(policy_of(drawn), premium, lot_size)


def test_what_is_built_in_code_is_held_to_the_same_bounds() -> None:
    with pytest.raises(ValidationError, match="2 means 200 %"):
        Sizing(risk=Decimal(2))
    with pytest.raises(ValidationError, match=r"limits\.daily_loss"):
        Policy(limits=RiskLimits(daily_loss=Decimal("0.01")))


def test_what_may_be_lost_is_said_in_rupees() -> None:
    assert stakes_of(Policy()).line == (
        "Capital ₹10,00,000; at most ₹20,000 at risk in a trade, 3 positions, ₹1,50,000 together; "
        "no entry after a loss of ₹50,000 in a day."
    )
    one = Policy(sizing=Sizing(capital=Decimal(50_000)), limits=RiskLimits(positions=1))
    assert stakes_of(one).line.startswith(
        "Capital ₹50,000; at most ₹1,000 at risk in a trade, 1 position, ₹7,500 together"
    )


def test_the_stakes_name_the_riskiest_profile_in_use() -> None:
    policy = Policy(profile="conservative", profile_of={"rsi": "aggressive"})
    assert "at most ₹40,000 at risk in a trade" in stakes_of(policy).line
