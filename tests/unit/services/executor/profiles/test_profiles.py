"""The presets as they are promised, levels on the grid, and lots that no cap is below."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.events.exit_plan import Booking, Trail
from libs.events.orders import OrderPlanned
from libs.events.signals import ExecutionDecided
from services.executor.domain.planned_exits import PlannedExits, planned_exits
from services.executor.domain.policy import OrderRules, Policy, Refusal, RiskLimits, Sizing
from services.executor.domain.profiles import PRESETS, BookingRule, Profile, TrailRule
from services.executor.domain.sizing import limit_of, size_of
from services.executor.settings import ExecutorSettings
from tests.unit.services.executor.builders import NOW, list_chain, make_executor, signal

TICK = Decimal("0.05")
HOUR_MS = 3_600_000
NAMES = sorted(PRESETS)


@pytest.mark.parametrize(
    ("name", "strike", "delta", "stop", "bookings", "target", "risk", "hours", "trail"),
    [
        ("ultra_safe", "moneyness 0.5", 0.60, "0.20", [], "0.30", "0.015", 3, None),
        (
            *("conservative", "moneyness 0", 0.45, "0.30", [("0.45", "0.60")]),
            *("0.70", "0.02", 4, "0.25"),
        ),
        (
            *("balanced", "moneyness 0 or -0.75", 0.35, "0.35"),
            *([("0.50", "0.50"), ("0.60", "0.25")], "1.00", "0.03", 6, "0.30"),
        ),
        (
            *("aggressive", "moneyness -1.5", 0.25, "0.50", [("1.00", "0.50")]),
            *("1.50", "0.04", 12, None),
        ),
    ],
)
def test_a_preset_is_what_is_promised(
    name: str,
    strike: str,
    delta: float,
    stop: str,
    bookings: list[tuple[str, str]],
    target: str,
    risk: str,
    hours: int,
    trail: str | None,
) -> None:
    preset = PRESETS[name]
    assert (str(preset.strike), preset.min_delta) == (strike, delta)
    assert (preset.stop, preset.target, preset.risk) == tuple(map(Decimal, (stop, target, risk)))
    assert [(one.gain, one.part) for one in preset.bookings] == [
        (Decimal(at), Decimal(part)) for at, part in bookings
    ]
    assert preset.holding_ms == hours * HOUR_MS
    after = None if preset.trail is None else preset.trail.gain
    assert after == (None if trail is None else Decimal(trail))
    assert preset.overnight == (name == "aggressive")
    Policy(profile=name)


def exits_of(name: str, premium: str) -> PlannedExits:
    exits = planned_exits(name, Policy().profile_named(name), Decimal(premium), TICK)
    assert isinstance(exits, PlannedExits)
    return exits


def test_a_profile_plans_levels_and_the_other_exits() -> None:
    exits = exits_of("balanced", "100.00")
    assert (exits.levels.stop_loss, exits.levels.target) == (Decimal(65), Decimal(200))
    plan = exits.exit_plan
    assert plan is not None
    assert plan.bookings == (
        Booking(price=Decimal(150), part=Decimal("0.50")),
        Booking(price=Decimal(160), part=Decimal("0.25")),
    )
    assert plan.trail == Trail(gain=Decimal("0.30"), fall=Decimal("0.20"))
    assert (plan.profile, plan.holding_ms, plan.overnight) == ("balanced", 6 * HOUR_MS, False)


def test_a_stop_may_trail_by_points_and_move_to_cost() -> None:
    own = Profile(
        stop=Decimal("0.2"),
        target=Decimal("0.5"),
        risk=Decimal("0.01"),
        trail=TrailRule(gain=Decimal("0.1"), points=Decimal("7.5")),
        cost_after=Decimal("0.2"),
    )
    exits = planned_exits("calm", own, Decimal(100), TICK)
    assert isinstance(exits, PlannedExits)
    assert exits.exit_plan is not None
    trail = Trail(gain=Decimal("0.1"), fall=Decimal("7.5"), unit="points")
    assert (exits.exit_plan.trail, exits.exit_plan.cost_after) == (trail, Decimal("0.2"))


def test_standard_plans_no_other_exits() -> None:
    exits = exits_of("standard", "100.00")
    assert exits.exit_plan is None
    assert (exits.levels.stop_loss, exits.levels.target) == (Decimal(70), Decimal(160))


@pytest.mark.parametrize(
    ("name", "premium", "is_refused"),
    [
        *(("ultra_safe", "0.10", True), ("ultra_safe", "0.15", False)),
        *(("conservative", "0.10", True), ("conservative", "0.15", False)),
        *(("standard", "0.05", True), ("standard", "0.10", False)),
    ],
)
def test_a_premium_of_few_ticks_whose_levels_collapse_is_refused(
    name: str, premium: str, is_refused: bool
) -> None:
    exits = planned_exits(name, Policy().profile_named(name), Decimal(premium), TICK)
    assert isinstance(exits, Refusal) == is_refused
    if isinstance(exits, Refusal):
        assert exits.reason == "levels_collapse"
        assert exits.numbers["premium"] == float(premium)


fractions = st.integers(10, 990).map(lambda part: Decimal(part) / 1000)
gains = st.lists(st.integers(1, 300), min_size=1, max_size=4, unique=True).map(
    lambda drawn: [Decimal(one) / 100 for one in sorted(drawn)]
)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    *bookings, target = draw(gains)
    return Profile(
        stop=draw(fractions),
        target=target,
        risk=Decimal("0.02"),
        bookings=tuple(BookingRule(gain, Decimal("0.25")) for gain in bookings),
    )


@given(
    st.one_of(st.sampled_from(NAMES).map(PRESETS.__getitem__), profiles()),
    st.integers(2, 40_000),
    st.sampled_from(["0.05", "0.10", "1"]),
)
def test_levels_are_on_the_grid_and_in_their_order_or_refused(
    profile: Profile, steps: int, tick: str
) -> None:
    tick_size = Decimal(tick)
    premium = steps * tick_size
    exits = planned_exits("own", profile, premium, tick_size)
    if isinstance(exits, Refusal):
        gaps = [high - low for low, high in pairwise([Decimal(0), *_gains(profile)])]
        assert min(profile.stop, *gaps) * steps <= 1, "a grid that is fine enough refuses none"
        return
    assert exits.exit_plan is not None
    booked = [one.price for one in exits.exit_plan.bookings]
    assert booked == sorted(booked)
    prices = [exits.levels.stop_loss, premium, *booked[:1], exits.levels.target]
    assert all(low < high for low, high in pairwise(prices))
    assert all(price < exits.levels.target for price in booked)
    assert all(price % tick_size == 0 for price in [*prices, *booked])


def _gains(profile: Profile) -> list[Decimal]:
    return [*(one.gain for one in profile.bookings), profile.target]


@given(
    st.sampled_from(["standard", *NAMES]),
    st.integers(20, 40_000),
    st.integers(1, 2000),
    st.integers(1, 100),
    st.decimals("1000", "10000000", places=2),
    st.decimals("-5000", "500000", places=2),
)
def test_lots_are_never_above_any_cap_whatever_the_profile(
    name: str, steps: int, lot_size: int, most: int, capital: Decimal, risk_left: Decimal
) -> None:
    premium, buffer = steps * TICK, OrderRules().limit_buffer
    policy = Policy(sizing=Sizing(capital=capital), limits=RiskLimits(lots_a_trade=most))
    profile = policy.profile_named(name)
    levels, limit = exits_of(name, str(premium)).levels, limit_of(premium, TICK, buffer)
    sizing = policy.sizing_of(profile)
    size = size_of(
        premium, limit, levels.stop_loss, lot_size, profile.stop, sizing, most, risk_left
    )
    units = size.lots * lot_size
    assert 0 <= size.lots <= most
    assert units * premium * profile.stop <= capital * profile.risk
    assert units * limit <= capital * Decimal("0.10")
    assert units * (limit - levels.stop_loss) <= max(risk_left, Decimal(0))
    assert bool(size.refusal) == (size.lots == 0)


@pytest.mark.parametrize(
    ("name", "strike"), [("ultra_safe", 24_900), ("conservative", 25_000), ("balanced", 25_000)]
)
def test_an_entry_carries_the_levels_and_the_exits_of_its_strategys_profile(
    name: str, strike: float
) -> None:
    policy = Policy(profile_of={"rsi": name}, limits=RiskLimits(lots_a_trade=1))
    executor = list_chain(make_executor(policy=policy))
    effects = executor.on_event(signal(strategy="rsi"), NOW)
    plan = next(one for one in effects if isinstance(one, OrderPlanned))
    assert plan.contract.strike == strike
    exits = exits_of(name, str(plan.premium))
    assert (plan.stop_loss, plan.target) == (exits.levels.stop_loss, exits.levels.target)
    assert plan.exit_plan == exits.exit_plan
    decided = next(one for one in effects if isinstance(one, ExecutionDecided))
    assert decided.numbers["profile"] == name
    assert all("off_wanted" in row for row in decided.candidates)


def test_what_a_profile_wants_and_is_not_listed_is_refused_by_name() -> None:
    executor = list_chain(make_executor(policy=Policy(profile="aggressive")))
    effects = executor.on_event(signal(), NOW)  # five strikes are listed, and 7.5 are wanted
    decided = next(one for one in effects if isinstance(one, ExecutionDecided))
    assert (decided.outcome, decided.reason) == ("refused", "far_from_wanted")
    assert decided.numbers["wanted"] == "moneyness -1.5"


def test_the_other_strategies_stay_with_the_standard_profile() -> None:
    executor = list_chain(make_executor(policy=Policy(profile_of={"rsi": "conservative"})))
    effects = executor.on_event(signal(), NOW)
    plan = next(one for one in effects if isinstance(one, OrderPlanned))
    assert plan.exit_plan is None
    decided = next(one for one in effects if isinstance(one, ExecutionDecided))
    assert "profile" not in decided.numbers
    assert all("off_wanted" not in row and "wanted" not in row for row in decided.candidates)


OWN: dict[str, Any] = {"stop": "0.25", "target": "0.5", "risk": "0.01"}


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"profile": "balnced"}, "profile", "did you mean 'balanced'?"),
        ({"profile_of": {"rsi": "calm"}}, "profile_of.rsi", "no profile is called 'calm'"),
        ({"profiles": {"balanced": OWN}}, "profiles.balanced", "choose another name"),
        (
            {"profiles": {"calm": {**OWN, "target": "45"}}, "profile": "calm"},
            "profiles.calm.target",
            "means 4500 %",
        ),
        (
            {"profiles": {"calm": {**OWN, "risk": "0.2"}}, "profile": "calm"},
            "profiles.calm",
            "more than max_position, 0.10",
        ),
        (
            {"profile": "aggressive", "orders": {"product": "MIS"}},
            "profile",
            "holds over night",
        ),
        (
            {"profile": "aggressive", "limits": {"daily_loss": "0.03"}},
            "limits.daily_loss",
            "0.03 is less than one trade may risk, 0.04 (profile aggressive)",
        ),
    ],
)
def test_a_profile_that_cannot_be_is_refused_with_its_key(
    settings: dict[str, Any], key: str, words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        ExecutorSettings(**settings)
    error = caught.value.errors()[0]
    assert ".".join(map(str, error["loc"])) == key
    assert words in error["msg"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bookings": [{"gain": "0.6", "part": "0.5"}]}, "0.6 is not below the target, 0.5"),
        (
            {"bookings": [{"gain": "0.3", "part": "0.5"}, {"gain": "0.2", "part": "0.1"}]},
            "do not rise",
        ),
        (
            {"bookings": [{"gain": "0.2", "part": "0.5"}, {"gain": "0.3", "part": "0.5"}]},
            "leave nothing for the target",
        ),
        ({"trail": {"gain": "0.2"}}, "either fall or points"),
        ({"strike": {"by": "score", "wanted": [1]}}, "score wants no number"),
        ({"strike": {"by": "delta"}}, "write [0.4], a delta without its sign"),
        ({"strike": {"by": "delta", "wanted": [40]}}, "40 is not within 0.01 to 0.99"),
        ({"strike": {"by": "strikes", "wanted": [0.5]}}, "0.5 is not within -20 to 20"),
        ({"strike": {"by": "moneyness", "wanted": [50]}}, "percent of the forward"),
    ],
)
def test_a_profile_of_your_own_that_contradicts_itself_is_refused(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match="own") as caught:
        ExecutorSettings(profiles={"own": {**OWN, **changes}})
    assert words in caught.value.errors()[0]["msg"]


def test_a_profile_of_your_own_is_traded_by() -> None:
    settings = ExecutorSettings.model_validate(
        {"profiles": {"calm": {**OWN, "strike": {"by": "strikes", "wanted": [1]}}}}
        | {"profile": "calm"}
    )
    executor = list_chain(make_executor(policy=settings.policy()))
    effects = executor.on_event(signal(), NOW)
    plan = next(one for one in effects if isinstance(one, OrderPlanned))
    assert plan.contract.strike == 24_950
    assert plan.exit_plan is not None
    assert plan.exit_plan.profile == "calm"


def test_settings_without_profiles_are_written_as_before() -> None:
    assert not [name for name in ExecutorSettings().model_dump() if name.startswith("profile")]
