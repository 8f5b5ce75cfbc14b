"""Budgets of risk by strategy and underlying, entries after a stop, and the day of the expiry."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from libs.events.control import RiskLimitReached
from libs.events.event import identity
from libs.events.orders import OrderPlanned
from libs.events.positions import PositionClosed
from libs.events.reasons import UNTRADED
from libs.events.signals import ExecutionDecided
from services.executor.domain.entry_limits import ReEntry, RiskBudgets
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.policy import EntryFilter, Policy, RiskLimits
from tests.unit.services.executor.builders import (
    DAY,
    EXPIRY,
    NEXT_DAY,
    NOW,
    at,
    list_chain,
    make_executor,
    position,
    signal,
)

MINUTE_MS = 60_000
ROOMY = RiskLimits(positions=50, positions_per_underlying=50, losses_in_a_row=50)
OTHER = identity("other position")


def executor_of(now_ms: int = NOW, **policy: Any) -> OptionsExecutor:
    return list_chain(make_executor(policy=Policy(limits=ROOMY, **policy)), now_ms)


def hold(
    executor: OptionsExecutor, rupees: int, strategy: str, underlying: str, of: UUID = OTHER
) -> None:
    executor.risk.enter(of, underlying, rupees, Decimal(1), DAY, strategy)


def decided(executor: OptionsExecutor, number: int = 1, now_ms: int = NOW, **of: Any) -> Any:
    effects = executor.on_event(signal(number, now_ms, **of), now_ms)
    return next(one for one in effects if isinstance(one, ExecutionDecided)), effects


@pytest.mark.parametrize(
    ("budgets", "reason"),
    [
        ({"each_strategy": "0.03"}, "strategy_capital_at_risk"),
        ({"strategies": {"ma_crossover": "0.03"}}, "strategy_capital_at_risk"),
        ({"each_underlying": "0.03"}, "underlying_capital_at_risk"),
        ({"underlyings": {"NIFTY 50": "0.03"}}, "underlying_capital_at_risk"),
    ],
)
def test_a_budget_refuses_from_its_last_rupee_on_and_says_so(
    budgets: dict[str, Any], reason: str
) -> None:
    executor = executor_of(budgets=RiskBudgets(**budgets))
    hold(executor, 30_000, "ma_crossover", "NIFTY")
    decision, effects = decided(executor)
    assert (decision.outcome, decision.reason) == ("refused", reason)
    assert decision.numbers == {"value": 30_000.0, "maximum": 30_000.0}
    reached = next(one for one in effects if isinstance(one, RiskLimitReached))
    assert reached.limit == reason


def test_below_its_last_rupee_a_budget_cuts_the_lots_to_what_is_left() -> None:
    full, _ = decided(executor_of())
    executor = executor_of(budgets=RiskBudgets(each_strategy=Decimal("0.03")))
    hold(executor, 25_000, "ma_crossover", "NIFTY")
    decision, effects = decided(executor)
    plan = next(one for one in effects if isinstance(one, OrderPlanned))
    assert 0 < decision.lots < full.lots
    assert plan.quantity * (plan.price - plan.stop_loss) <= 5_000
    assert decision.inputs.risk.left == 5_000
    seen = [(one.name, one.value, one.maximum) for one in decision.inputs.risk.limits]
    assert seen[-1] == ("strategy_capital_at_risk", 25_000, 30_000)
    executor = executor_of(budgets=RiskBudgets(each_strategy=Decimal("0.03")))
    hold(executor, 29_999, "ma_crossover", "NIFTY")
    assert decided(executor)[0].reason == "zero_lots"


def test_the_budget_of_one_leaves_the_others_theirs() -> None:
    own = RiskBudgets(
        each_strategy=Decimal("0.5"),
        strategies={"ma_crossover": Decimal("0.03")},
        underlyings={"BANKNIFTY": Decimal("0.01")},
    )
    executor = executor_of(budgets=own)
    hold(executor, 30_000, "ma_crossover", "BANKNIFTY")
    assert decided(executor, strategy="rsi")[0].outcome == "executed"
    assert decided(executor, 2)[0].reason == "strategy_capital_at_risk"


def stop(executor: OptionsExecutor, number: int, now_ms: int, **of: Any) -> PositionClosed:
    given = {"exit_reason": "stop_loss", **of}
    event = position(number, PositionClosed, net="-500", at_ms=now_ms, **given)
    assert isinstance(event, PositionClosed)
    executor.on_event(event, now_ms)
    return event


RULES = ReEntry(most_a_day=2, after_ms=10 * MINUTE_MS)


def test_after_a_stop_a_strategy_enters_again_at_most_so_often() -> None:
    executor = executor_of(reentry=RULES)
    for number in (10, 11):
        stop(executor, number, NOW - (30 - number) * MINUTE_MS)
    assert decided(executor, 1)[0].outcome == "executed"
    executor = executor_of(reentry=RULES)
    for number in (10, 11, 12):
        stop(executor, number, NOW - (30 - number) * MINUTE_MS)
    decision, _ = decided(executor, 1)
    assert decision.reason == "reentries_a_day"
    assert decision.numbers == {"stops": 3.0, "maximum": 2.0}


@pytest.mark.parametrize(("seconds", "is_too_soon"), [(599, True), (600, False)])
def test_after_a_stop_a_strategy_waits_its_time(seconds: int, is_too_soon: bool) -> None:
    executor = executor_of(reentry=RULES)
    stop(executor, 10, NOW - 1000 * seconds)
    decision, _ = decided(executor)
    assert (decision.reason == "reentry_too_soon") == is_too_soon
    if is_too_soon:
        assert decision.numbers == {"seconds_since": 599.0, "wanted_seconds": 600.0}


def test_only_a_signal_of_after_the_stop_counts() -> None:
    executor = executor_of(reentry=ReEntry(most_a_day=2))
    stop(executor, 10, NOW - 1000)
    effects = executor.on_event(signal(1, NOW - 1000), NOW)
    decision = next(one for one in effects if isinstance(one, ExecutionDecided))
    assert decision.reason == "signal_before_stop"
    assert decided(executor, 2)[0].outcome == "executed"


@pytest.mark.parametrize(
    "of",
    [
        {"strategy": "rsi"},
        {"underlying": "BANKNIFTY"},
        {"exit_reason": "target"},
        {"exit_reason": "square_off"},
    ],
)
def test_another_strategy_or_underlying_or_end_is_no_stop_of_it(of: dict[str, Any]) -> None:
    executor = executor_of(reentry=ReEntry(most_a_day=0))
    stop(executor, 10, NOW - 1000, **of)
    assert decided(executor)[0].outcome == "executed"


@pytest.mark.parametrize("reason", ["stop_loss", "trailing_stop", "stop_to_cost"])
def test_every_kind_of_stop_counts(reason: str) -> None:
    executor = executor_of(reentry=ReEntry(most_a_day=0))
    stop(executor, 10, NOW - 1000, exit_reason=reason)
    assert decided(executor)[0].reason == "reentries_a_day"


def test_stops_of_the_day_are_known_after_a_restart_and_forgotten_the_next_day() -> None:
    before = executor_of(reentry=ReEntry(most_a_day=0))
    event = stop(before, 10, NOW - 1000)
    executor = executor_of(reentry=ReEntry(most_a_day=0))
    executor.restore(event)
    executor.restore(event)  # the same event again is no second stop
    decision, _ = decided(executor)
    assert decision.numbers == {"stops": 1.0, "maximum": 0.0}
    tomorrow = at(10, 30, day=NEXT_DAY)
    assert decided(list_chain(executor, tomorrow), 2, tomorrow)[0].outcome == "executed"


def test_without_rules_a_stop_refuses_nothing() -> None:
    executor = executor_of()
    for number in range(10, 15):
        stop(executor, number, NOW - 1000)
    assert decided(executor)[0].outcome == "executed"


@pytest.mark.parametrize(("rule", "reason"), [("trade", ""), ("refuse", "expiry_day")])
def test_an_index_option_is_bought_on_its_expiry_day_unless_that_is_refused(
    rule: Any, reason: str
) -> None:
    now_ms = at(10, 30, day=EXPIRY)
    executor = executor_of(now_ms, entry=EntryFilter(expiry_day=rule))
    decision, _ = decided(executor, now_ms=now_ms)
    assert decision.reason == reason
    the_day_before = executor_of(entry=EntryFilter(expiry_day=rule))
    assert decided(the_day_before)[0].outcome == "executed"


def test_instead_of_what_expires_today_the_next_expiry_is_bought_if_so_set() -> None:
    now_ms, next_week = at(10, 30, day=EXPIRY), EXPIRY.replace(day=EXPIRY.day + 7)
    entry = EntryFilter(expiry_day="refuse", near_expiry="next")
    executor = list_chain(executor_of(now_ms, entry=entry), now_ms, next_week)
    decision, _ = decided(executor, now_ms=now_ms)
    assert (decision.outcome, decision.expiry) == ("executed", next_week)


def test_each_reason_of_an_entry_rule_has_its_words() -> None:
    reasons = {
        *("strategy_capital_at_risk", "underlying_capital_at_risk", "reentries_a_day"),
        *("reentry_too_soon", "signal_before_stop", "margin_pause", "expiry_day"),
        *("impossible_price", "far_from_wanted", "low_delta", "levels_collapse"),
        "outside_entry_windows",
    }
    assert reasons <= UNTRADED.keys()
