from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from libs.events.codec import decode, encode
from libs.events.event import identity
from libs.events.orders import Mode
from libs.events.reasons import in_words
from services.executor.domain.decision import Decision, decide, decided
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.policy import ChainFilter, Policy, RiskLimits, Sizing
from tests.unit.services.executor.builders import (
    DAY,
    EXPIRY,
    LOT,
    NOW,
    SPOT,
    at,
    chain_listed,
    chain_rows,
    list_chain,
    make_executor,
    signal,
    ticks,
)


def decide_on(executor: OptionsExecutor, now_ms: int = NOW, **changes: Any) -> Decision:
    return decide(
        signal(now_ms=now_ms, **changes),
        now_ms,
        executor.mode,
        executor.policy,
        executor.market,
        executor.risk,
    )


def test_a_signal_becomes_a_trade_in_the_contract_at_the_money() -> None:
    decision = decide_on(list_chain(make_executor()))
    trade = decision.trade
    assert trade is not None
    assert (trade.contract.strike, trade.contract.instrument_type) == (SPOT, "CE")
    assert trade.contract.underlying == "NIFTY"
    assert trade.quantity == trade.lots * LOT
    chosen = next(one for one in decision.candidates if one.strike == SPOT)
    assert trade.premium == Decimal(str(round(chosen.ask_price, 2)))
    assert trade.numbers["score"] == chosen.score
    assert trade.limit >= trade.premium * Decimal("1.01")
    assert len(decision.candidates) == 7


def test_a_sell_signal_buys_a_put() -> None:
    trade = decide_on(list_chain(make_executor()), action="SELL").trade
    assert trade is not None
    assert trade.contract.instrument_type == "PE"


def test_the_cost_of_the_whole_order_at_its_limit_stays_within_a_tenth_of_the_capital() -> None:
    tenth = Decimal("0.1")
    limits = RiskLimits(lots_a_trade=1000, daily_loss=tenth)
    policy = Policy(sizing=Sizing(risk=tenth, max_position=tenth), limits=limits)
    trade = decide_on(list_chain(make_executor(policy=policy))).trade
    assert trade is not None
    assert trade.limit * trade.quantity <= 100_000 < trade.limit * (trade.quantity + LOT)


def test_disabled_refuses_before_anything_is_looked_at() -> None:
    decision = decide_on(make_executor("disabled"))
    assert decision.refusal is not None
    assert (decision.refusal.reason, decision.candidates) == ("disabled", ())


def test_an_invalid_signal_is_refused_before_the_chain_is_looked_at() -> None:
    decision = decide_on(list_chain(make_executor()), confidence=0.1)
    assert decision.refusal is not None
    assert (decision.refusal.reason, decision.candidates) == ("low_confidence", ())


def test_a_limit_refuses_with_its_value_and_its_maximum() -> None:
    executor = list_chain(make_executor())
    executor.risk.enter(identity("other"), "NIFTY", LOT, Decimal(30), DAY)
    decision = decide_on(executor)
    assert decision.refusal is not None
    assert decision.refusal.reason == "positions_per_underlying"
    assert decision.refusal.numbers == {"value": 1.0, "maximum": 1.0}
    assert decision.breach is not None


def test_an_underlying_without_options_has_no_chain() -> None:
    refusal = decide_on(list_chain(make_executor()), underlying="RELIANCE").refusal
    assert refusal is not None
    assert (refusal.reason, refusal.numbers) == ("no_chain", {"underlying": "RELIANCE"})


def test_after_the_close_of_its_expiry_day_a_chain_is_over() -> None:
    the_day_after = at(10, 0, day=EXPIRY + timedelta(days=1))
    refusal = decide_on(list_chain(make_executor()), the_day_after, trading_day=EXPIRY).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.numbers) == ("expiry_is_over", {"expiry": "2026-06-16"})


def test_an_expiry_that_the_calendar_does_not_hold_is_named_as_such() -> None:
    executor = make_executor()
    for event in chain_listed(expiry=date(2027, 1, 5)):
        list(executor.on_event(event, NOW))
    refusal = decide_on(executor).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.numbers) == ("expiry_unknown", {"expiry": "2027-01-05"})
    assert "calendar" in in_words(refusal.reason)


@pytest.mark.parametrize(
    ("hour", "minute", "reason"),
    [(14, 14, "no_contract"), (14, 15, "expiry_is_near"), (14, 45, "expiry_is_near")],
)
def test_a_contract_that_is_left_soon_before_its_expiry_is_not_bought(
    hour: int, minute: int, reason: str
) -> None:
    decision = decide_on(list_chain(make_executor()), at(hour, minute, day=EXPIRY))
    assert decision.refusal is not None
    assert decision.refusal.reason == reason


def test_quotes_past_their_budget_refuse_the_whole_chain() -> None:
    decision = decide_on(list_chain(make_executor()), now_ms=NOW + 15_001)
    assert decision.refusal is not None
    assert decision.refusal.reason == "no_contract"
    assert decision.refusal.numbers == {"old_quote": 7.0}


def test_a_chain_without_quotes_is_refused() -> None:
    executor = make_executor()
    for event in chain_listed():
        list(executor.on_event(event, NOW))
    refusal = decide_on(executor).refusal
    assert refusal is not None
    assert refusal.numbers == {"no_two_sided_quote": 7.0}


def test_too_little_capital_for_a_lot_is_refused_with_the_table_kept() -> None:
    executor = list_chain(make_executor(policy=Policy(sizing=Sizing(capital=Decimal(10_000)))))
    decision = decide_on(executor)
    assert decision.refusal is not None
    assert decision.refusal.reason == "zero_lots"
    assert len(decision.candidates) == 7


@pytest.mark.parametrize(
    ("mode", "outcome"), [("paper", "executed"), ("live", "executed"), ("logging_only", "logged")]
)
def test_a_decision_has_contract_and_size(mode: Mode, outcome: str) -> None:
    executor = list_chain(make_executor(mode))
    decision = decide_on(executor)
    event = decided(signal(), decision, mode, NOW)
    trade = decision.trade
    assert trade is not None
    assert (event.outcome, event.reason) == (outcome, "")
    assert event.tradingsymbol == trade.contract.tradingsymbol
    assert (event.expiry, event.lots, event.quantity) == (EXPIRY, trade.lots, trade.quantity)
    assert event.premium == float(trade.premium)
    assert event.numbers == trade.numbers
    assert event.event_id == identity("ExecutionDecided", signal().signal_id)


def test_a_refusal_has_its_numbers_and_all_candidates() -> None:
    policy = Policy(chain=ChainFilter(min_oi=10**9))
    decision = decide_on(list_chain(make_executor(policy=policy)))
    event = decided(signal(), decision, "paper", NOW)
    assert (event.outcome, event.reason, event.lots) == ("refused", "no_contract", 0)
    assert event.numbers == {"low_oi": 7.0}
    assert [row["refusal"] for row in event.candidates] == ["low_oi"] * 7


def test_a_decision_reads_back_as_it_was_written() -> None:
    executor = make_executor()
    for event in chain_listed():
        list(executor.on_event(event, NOW))
    rows = [replace(row, bid_price=0.0) for row in chain_rows()]
    list(executor.on_event(ticks(rows), NOW))
    unquoted = decided(signal(), decide_on(executor), "paper", NOW)
    assert unquoted.candidates[0]["delta"] is None
    assert decode("decisions", encode(unquoted)) == unquoted
