"""A decision's record holds all that it stood on: it is made again from the record alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from libs.broker.port import Margin
from libs.events.codec import decode, encode
from libs.events.control import TradingHalted
from libs.events.event import identity, utc_from_ms
from libs.events.orders import OrderPlanned
from libs.events.positions import PositionClosed
from libs.events.signals import ExecutionDecided
from libs.market.time_windows import Window
from services.executor.domain.day_limits import ProfitLock
from services.executor.domain.entry_limits import ReEntry, RiskBudgets
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.live.outcome import Footing
from services.executor.domain.policy import (
    ChainFilter,
    EntryFilter,
    LevelRules,
    OrderRules,
    Policy,
    RiskLimits,
    ScoreWeights,
    Sizing,
)
from services.executor.domain.profiles import PRESETS, Profile, StrikeChoice
from tests.recomputed import differences, read
from tests.unit.services.executor.builders import (
    DAY,
    EXPIRY,
    INDEX_TOKEN,
    LOT,
    NOW,
    SPOT,
    at,
    chain_listed,
    chain_rows,
    list_chain,
    make_executor,
    position,
    signal,
    ticks,
)
from tests.unit.services.executor.test_decision import of_shares


def decided(executor: OptionsExecutor, now_ms: int = NOW, **changes: Any) -> ExecutionDecided:
    effects = executor.on_event(signal(now_ms=now_ms, **changes), now_ms)
    (event,) = (one for one in effects if isinstance(one, ExecutionDecided))
    return event


def again(event: ExecutionDecided) -> list[str]:
    """What differs when the decision is made again from the bytes of its event."""
    return differences(read(encode(event).decode())[0])


def with_policy(**parts: Any) -> OptionsExecutor:
    return list_chain(make_executor(policy=Policy(**parts)))


def halted() -> OptionsExecutor:
    executor = list_chain(make_executor())
    envelope = TradingHalted.without_cause("t", occurred_at=utc_from_ms(NOW), trading_day=DAY)
    list(executor.on_event(TradingHalted(**envelope, reason="news at noon"), NOW))
    return executor


def exposed(distance: int = 30, underlying: str = "NIFTY") -> OptionsExecutor:
    executor = list_chain(make_executor())
    executor.risk.enter(identity("other"), underlying, LOT, Decimal(distance), DAY)
    return executor


def with_margin(available: str) -> OptionsExecutor:
    executor = list_chain(make_executor())
    margin = Margin(available=Decimal(available), used=Decimal(0))
    executor.truth.watch.reconciler.margins = {"equity": margin}
    return executor


def changed(**fields: Any) -> OptionsExecutor:
    executor = list_chain(make_executor())
    for name, value in fields.items():
        setattr(executor, name, value)
    return executor


def quarantined() -> OptionsExecutor:
    executor = list_chain(make_executor())
    executor.risk.quarantined = {"NIFTY": "the account holds 75 more"}
    return executor


@dataclass(frozen=True, slots=True)
class Old:
    hop: str = "candle"
    age_ms: int = 61_000
    budget_ms: int = 60_000


def aged() -> OptionsExecutor:
    return changed(
        too_old=lambda _: Old(),
        ages=lambda _: {"exchange": 61_500, "candle": 61_000},
        budgets_ms=lambda: {"exchange": 90_000, "candle": 60_000},
    )


Make = Callable[[], tuple[OptionsExecutor, dict[str, Any]]]
CASES: dict[str, Make] = {
    "": lambda: (list_chain(make_executor()), {}),
    "disabled": lambda: (list_chain(make_executor("disabled")), {}),
    "underlying_not_allowed": lambda: (
        with_policy(entry=EntryFilter(underlyings=("BANKNIFTY",))),
        {},
    ),
    "stale": lambda: (
        with_policy(entry=EntryFilter(max_age_seconds=5)),
        {"occurred_at": utc_from_ms(NOW - 5001)},
    ),
    "too_late_in_the_day": lambda: (list_chain(make_executor(), at(15, 0)), {"now_ms": at(15, 0)}),
    "low_confidence": lambda: (list_chain(make_executor()), {"confidence": 0.59}),
    "low_expected_move": lambda: (list_chain(make_executor()), {"expected_move": 0.9}),
    "kill_switch": lambda: (halted(), {}),
    "quarantine": lambda: (quarantined(), {}),
    "daily_profit": lambda: (_with_a_locked_profit(), {}),
    "positions_per_underlying": lambda: (exposed(), {}),
    "no_chain": lambda: (list_chain(make_executor()), {"underlying": "RELIANCE"}),
    "expiry_is_over": lambda: (
        list_chain(make_executor(), at(10, 0, day=EXPIRY)),
        {"now_ms": at(10, 0, day=EXPIRY + timedelta(days=1)), "trading_day": EXPIRY}
        | {"occurred_at": utc_from_ms(at(10, 0, day=EXPIRY) + 86_400_000)},
    ),
    "expiry_is_near": lambda: (
        list_chain(make_executor(), at(14, 20, day=EXPIRY)),
        {"now_ms": at(14, 20, day=EXPIRY)},
    ),
    "more_expiries_needed": lambda: (
        list_chain(
            make_executor(policy=Policy(entry=EntryFilter(near_expiry="next"))),
            at(14, 20, day=EXPIRY),
        ),
        {"now_ms": at(14, 20, day=EXPIRY)},
    ),
    "not_listed_today": lambda: (
        list_chain(make_executor()),
        {"now_ms": at(10, 30, day=DAY + timedelta(days=1))},
    ),
    "calendar_ends": lambda: (
        list_chain(make_executor(), at(10, 30, day=date(2026, 12, 30)), date(2027, 1, 5)),
        {"now_ms": at(10, 30, day=date(2026, 12, 30))},
    ),
    "expiry_unknown": lambda: (list_chain(make_executor(), expiry=date(2026, 6, 14)), {}),
    "old_spot": lambda: (list_chain(make_executor(), NOW - 6_000), {}),
    "old_quotes": lambda: (_only_the_index(), {}),
    "no_contract": lambda: (with_policy(chain=ChainFilter(min_oi=10**9)), {}),
    "zero_lots": lambda: (
        with_policy(sizing=Sizing(capital=Decimal(20_000), risk=Decimal("0.01"))),
        {},
    ),
    "clock_off": lambda: (changed(clock_off_ms=lambda: 2_001), {}),
    "feed_silent": lambda: (changed(silent_since_ms=NOW - 30_000), {}),
    "old_data": lambda: (aged(), {}),
    "margin_short": lambda: (with_margin("100"), {}),
    "outside_price_range": lambda: (
        _last_traded_far_below(),
        {},
    ),
    "market_closed": lambda: (
        list_chain(make_executor(), at(9, 10)),
        {"now_ms": at(9, 10)},
    ),
    "outside_entry_windows": lambda: (
        with_policy(entry=EntryFilter(windows=(Window(time(11), time(12)),))),
        {},
    ),
    "far_from_wanted": lambda: (
        with_policy(profile="own", profiles={"own": own(StrikeChoice("premium", (3_000.0,)))}),
        {},
    ),
    "not_armed": lambda: (_live(), {}),
    "impossible_price": lambda: (list_chain(make_executor()), {"stop_loss": -1.0}),
    "expiry_day": lambda: (
        list_chain(
            make_executor(policy=Policy(entry=EntryFilter(expiry_day="refuse"))),
            at(10, 0, day=EXPIRY),
        ),
        {"now_ms": at(10, 0, day=EXPIRY)},
    ),
    "strategy_capital_at_risk": lambda: (_with_a_budget(), {}),
    "reentry_too_soon": lambda: (_stopped(), {}),
    "margin_pause": lambda: (_paused(), {}),
    "no_calendar": lambda: (
        list_chain(make_executor()),
        {"now_ms": at(10, 30, day=date(2027, 2, 3))},
    ),
    "capital_at_risk": lambda: (exposed(distance=2_001, underlying="BANKNIFTY"), {}),
}
"""Reason → an executor that refuses for it, and what is changed of the signal."""


def _with_a_locked_profit() -> OptionsExecutor:
    limits = RiskLimits(profit_lock=ProfitLock(Decimal("0.01")))
    executor = with_policy(limits=limits)
    executor.risk.start_day(DAY)
    executor.risk.day_limits.news({"": Decimal(20_000)})
    return executor


def _with_a_budget() -> OptionsExecutor:
    executor = with_policy(budgets=RiskBudgets(each_strategy=Decimal("0.001")))
    distance, other = Decimal(20), "BANKNIFTY"
    executor.risk.enter(identity("other"), other, LOT, distance, DAY, "ma_crossover")
    return executor


def _stopped() -> OptionsExecutor:
    executor = with_policy(reentry=ReEntry(most_a_day=2, after_ms=600_000))
    stopped = position(9, PositionClosed, at_ms=NOW - 60_000, exit_reason="stop_loss")
    list(executor.on_event(stopped, NOW - 60_000))
    return executor


def _paused() -> OptionsExecutor:
    executor = list_chain(make_executor())
    executor.margin_pauses._until_ms["NIFTY"] = NOW + 60_000
    return executor


def _live() -> OptionsExecutor:
    executor = list_chain(make_executor("live"))
    executor.footing = Footing("simulator", "feed", "local")
    return executor


def _only_the_index() -> OptionsExecutor:
    """The index is quoted now, the options a minute ago."""
    executor = list_chain(make_executor(), NOW - 60_000)
    rows = [row for row in chain_rows() if row.instrument_token == INDEX_TOKEN]
    list(executor.on_event(ticks(rows), NOW))
    return executor


def _last_traded_far_below() -> OptionsExecutor:
    """Options that were last traded far below what is asked for them."""
    executor = list_chain(make_executor())
    rows = [
        row if row.instrument_token == INDEX_TOKEN else replace(row, last_price=0.3)
        for row in chain_rows()
    ]
    list(executor.on_event(ticks(rows), NOW))
    return executor


@pytest.mark.parametrize("reason", CASES)
def test_a_decision_and_its_reason_follow_from_the_record_alone(reason: str) -> None:
    executor, changes = CASES[reason]()
    event = decided(executor, **changes)
    assert event.reason == reason, event.numbers
    assert again(event) == []
    assert decode("decisions", encode(event)) == event


def test_a_share_of_an_expiry_that_is_settled_in_shares_is_refused_by_its_record() -> None:
    executor, now_ms = of_shares(date(2026, 6, 23)), at(10, 30, day=date(2026, 6, 23))
    signalled: dict[str, Any] = {"underlying": "RELIANCE", "tradingsymbol": "RELIANCE"}
    event = decided(executor, now_ms, **signalled)
    assert event.reason == "settled_in_shares"
    assert again(event) == []


def own(choice: StrikeChoice) -> Profile:
    third, target = Decimal("0.3"), Decimal("0.9")
    return Profile(stop=third, target=target, risk=Decimal("0.01"), strike=choice, min_delta=0.1)


OWN = (
    StrikeChoice("strikes", (1.0, -2.0)),
    StrikeChoice("delta", (0.4,)),
    StrikeChoice("premium", (150.0,), 0.5),
    StrikeChoice("moneyness", (-0.4, 0.3), 1),
)
POLICIES: dict[str, tuple[Policy, dict[str, Any]]] = {
    "put": (Policy(), {"action": "SELL"}),
    "weights": (Policy(weights=ScoreWeights(0.0, 0.0, 1.0, 0.0, 0.0)), {}),
    "levels": (Policy(levels=LevelRules(Decimal("0.17"), Decimal("3.3"))), {}),
    "wide": (Policy(chain=ChainFilter(strikes_from_atm=5, rate=0.1)), {}),
    "limit": (Policy(orders=OrderRules(limit_buffer=Decimal("0.033"))), {}),
    "rich": (Policy(sizing=Sizing(capital=Decimal(9_000_000), risk=Decimal("0.05"))), {}),
    "logged": (Policy(), {}),
    **{name: (Policy(profile=name), {}) for name in PRESETS},
    **{f"{name} put": (Policy(profile=name), {"action": "SELL"}) for name in PRESETS},
    **{f"own by {one.by}": (Policy(profile="own", profiles={"own": own(one)}), {}) for one in OWN},
}


@pytest.mark.parametrize("name", POLICIES)
def test_each_rule_that_decides_is_in_the_record(name: str) -> None:
    policy, changes = POLICIES[name]
    mode = "logging_only" if name == "logged" else "paper"
    event = decided(list_chain(make_executor(mode, policy)), **changes)
    is_beyond = name.startswith("aggressive")  # its strike is not among those of this chain
    assert event.reason == ("far_from_wanted" if is_beyond else "")
    assert again(event) == []


def test_a_record_that_was_changed_is_told() -> None:
    record = read(encode(decided(list_chain(make_executor()))).decode())[0]
    others = (
        record | {"lots": record["lots"] + 1},
        record
        | {"inputs": record["inputs"] | {"plan": record["inputs"]["plan"] | {"target": "1"}}},
        record | {"reason": "stale"},
        record | {"candidates": record["candidates"][1:]},
    )
    assert all(differences(one) for one in others)


def test_without_tight_quotes_the_forward_is_the_grown_spot_and_the_record_says_so() -> None:
    executor = make_executor(policy=Policy(chain=ChainFilter(max_spread=1.0)))
    for listing in chain_listed():
        list(executor.on_event(listing, NOW))
    rows = [replace(row, bid_price=row.bid_price * 0.9) for row in chain_rows()]
    list(executor.on_event(ticks(rows), NOW))
    event = decided(executor)
    assert event.inputs is not None
    assert event.inputs.chain is not None
    assert (event.inputs.chain.forward_by, event.inputs.chain.pairs) == ("spot", ())
    assert event.inputs.spot is not None
    assert event.inputs.spot.price == SPOT
    assert again(event) == []


def test_the_slices_of_a_large_order_are_in_the_record() -> None:
    executor = list_chain(make_executor())
    effects = executor.on_event(signal(), NOW)
    plans = [one.quantity for one in effects if isinstance(one, OrderPlanned)]
    (event,) = (one for one in effects if isinstance(one, ExecutionDecided))
    assert event.inputs is not None
    assert event.inputs.checks is not None
    assert list(event.inputs.checks.quantities) == plans


def test_a_record_of_before_inputs_were_kept_still_reads() -> None:
    event = decided(list_chain(make_executor()))
    old = encode(event.model_copy(update={"inputs": None}))
    read_back = decode("decisions", old)
    assert isinstance(read_back, ExecutionDecided)
    assert read_back.inputs is None
