from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from libs.events.codec import decode, encode
from libs.events.event import identity, utc_from_ms
from libs.events.orders import Mode
from libs.events.reasons import in_words
from libs.events.signals import ExecutionDecided
from services.executor.domain.decision import Decision, decide
from services.executor.domain.decision_record import Around, DecisionRecords
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.live.outcome import Footing, Situation
from services.executor.domain.policy import ChainFilter, EntryFilter, Policy, RiskLimits, Sizing
from tests.unit.services.executor.builders import (
    DAY,
    EXPIRY,
    INDEX_TOKEN,
    LOT,
    MONTHLY,
    NEXT_DAY,
    NOW,
    SPOT,
    STRIKES,
    at,
    chain_listed,
    chain_rows,
    index,
    list_chain,
    listed,
    make_executor,
    option,
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


def recorded(executor: OptionsExecutor, decision: Decision) -> ExecutionDecided:
    around = Around(
        now_ms=NOW,
        situation=Situation(executor.mode, Footing(), has_session=True, is_armed=False),
        policy=executor.policy,
        market=executor.market,
        risk=executor.risk,
    )
    return DecisionRecords().decided(signal(), decision, around)


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
    executor = list_chain(make_executor(), at(10, 0, day=EXPIRY))
    refusal = decide_on(executor, the_day_after, trading_day=EXPIRY).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.numbers) == ("expiry_is_over", {"expiry": "2026-06-16"})


def test_an_expiry_on_a_day_without_a_session_is_named_as_such() -> None:
    executor = list_chain(make_executor(), expiry=date(2026, 6, 14))
    refusal = decide_on(executor).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.numbers) == ("expiry_unknown", {"expiry": "2026-06-14"})


def test_an_expiry_after_the_calendar_is_refused_since_the_calendar_ends() -> None:
    late, expiry = at(10, 30, day=date(2026, 12, 30)), date(2027, 1, 5)
    refusal = decide_on(list_chain(make_executor(), late, expiry), late).refusal
    assert refusal is not None
    numbers = {"expiry": "2027-01-05", "known_to": "2026-12-31"}
    assert (refusal.reason, refusal.numbers) == ("calendar_ends", numbers)
    assert "calendar ends" in in_words(refusal.reason)


@pytest.mark.parametrize(
    ("hour", "minute", "reason"),
    [(14, 14, None), (14, 15, "expiry_is_near"), (14, 45, "expiry_is_near")],
)
def test_a_contract_that_is_left_soon_before_its_expiry_is_not_bought(
    hour: int, minute: int, reason: str | None
) -> None:
    now_ms = at(hour, minute, day=EXPIRY)
    refusal = decide_on(list_chain(make_executor(), now_ms), now_ms).refusal
    assert (None if refusal is None else refusal.reason) == reason


def test_instead_of_a_contract_that_is_left_soon_the_next_expiry_is_bought_if_so_set() -> None:
    policy = Policy(entry=EntryFilter(near_expiry="next"))
    now_ms, next_week = at(14, 45, day=EXPIRY), date(2026, 6, 23)
    executor = list_chain(make_executor(policy=policy), now_ms)
    alone = decide_on(executor, now_ms).refusal
    assert alone is not None
    assert alone.reason == "more_expiries_needed"
    assert alone.numbers["needed"] == 2.0
    trade = decide_on(list_chain(executor, now_ms, next_week), now_ms).trade
    assert trade is not None
    assert trade.contract.expiry == next_week


def test_a_monthly_choice_among_weekly_expiries_asks_for_more_of_them() -> None:
    # NIFTY in October 2025 with two expiries listed: its monthly contract is that of the 28th
    now_ms = at(10, 30, day=date(2025, 10, 8))
    executor = make_executor(policy=Policy(chain=ChainFilter(expiry="monthly")))
    for expiry in (date(2025, 10, 14), date(2025, 10, 20)):
        list_chain(executor, now_ms, expiry)
    refusal = decide_on(executor, now_ms).refusal
    assert refusal is not None
    assert refusal.reason == "more_expiries_needed"
    assert refusal.numbers == {
        "expiry": "monthly",
        "listed": 2.0,
        "last_listed": "2025-10-20",
        "needed": 6.0,
    }
    trade = decide_on(list_chain(executor, now_ms, date(2025, 10, 28)), now_ms).trade
    assert trade is not None
    assert trade.contract.expiry == date(2025, 10, 28)


def test_a_moved_monthly_expiry_is_known_by_the_month_that_follows() -> None:
    # 2026-11-24 is closed, so the month ends on Monday, a week before the 30th
    now_ms = at(10, 30, day=date(2026, 11, 18))
    executor = make_executor(policy=Policy(chain=ChainFilter(expiry="monthly")))
    list_chain(executor, now_ms, date(2026, 11, 23))
    assert decide_on(executor, now_ms).refusal is not None
    list_chain(executor, now_ms, date(2026, 12, 1))
    trade = decide_on(list_chain(executor, now_ms, date(2026, 11, 23)), now_ms).trade
    assert trade is not None
    assert trade.contract.expiry == date(2026, 11, 23)


def test_a_listing_of_another_day_never_trades() -> None:
    tomorrow = at(10, 30, day=NEXT_DAY)
    executor = list_chain(make_executor())
    list(executor.on_event(ticks(chain_rows(tomorrow), tomorrow), tomorrow))
    refusal = decide_on(executor, tomorrow).refusal
    assert refusal is not None
    numbers = {"listed_on": "2026-06-10", "day": "2026-06-11"}
    assert (refusal.reason, refusal.numbers) == ("not_listed_today", numbers)


def of_shares(day: date, hour: int = 10, minute: int = 30) -> OptionsExecutor:
    """RELIANCE with the monthly chain, quoted at a time of a day."""
    executor, now_ms = make_executor(), at(hour, minute, day=day)
    share = replace(index("RELIANCE"), segment="NSE")
    options = [replace(option(k, "CE", MONTHLY), name="RELIANCE") for k in STRIKES]
    for one in (share, *options):
        list(executor.on_event(listed(one, day), now_ms))
    list(executor.on_event(ticks(chain_rows(now_ms, expiry=MONTHLY), now_ms), now_ms))
    return executor


def test_an_option_settled_in_shares_is_not_bought_in_the_days_of_the_margin_before_it() -> None:
    # 2026-06-30 expires; 06-26 is a holiday, so that four trading days before it is 06-23
    for day, reason in ((22, None), (23, "settled_in_shares"), (29, "settled_in_shares")):
        on = date(2026, 6, day)
        executor, now_ms = of_shares(on), at(10, 30, day=on)
        signalled = {"underlying": "RELIANCE", "tradingsymbol": "RELIANCE"}
        refusal = decide_on(executor, now_ms, **signalled).refusal
        assert (None if refusal is None else refusal.reason) == reason, day
        entry = EntryFilter(before_settlement_days=0)
        executor.policy = replace(executor.policy, entry=entry)
        assert decide_on(executor, now_ms, **signalled).trade is not None


@pytest.mark.parametrize(
    ("minute", "reason"), [(14, None), (15, "settled_in_shares"), (45, "settled_in_shares")]
)
def test_on_its_last_day_an_option_settled_in_shares_is_not_bought_to_be_left_at_once(
    minute: int, reason: str | None
) -> None:
    # positions leave it an hour before the close of 15:30
    last = date(2026, 6, 22)
    executor, now_ms = of_shares(last, 14, minute), at(14, minute, day=last)
    signalled = {"underlying": "RELIANCE", "tradingsymbol": "RELIANCE"}
    refusal = decide_on(executor, now_ms, **signalled).refusal
    assert (None if refusal is None else refusal.reason) == reason


def test_an_hour_old_spot_is_refused_and_named() -> None:
    executor = list_chain(make_executor())
    options = [row for row in chain_rows(NOW + 3_600_000) if row.instrument_token != INDEX_TOKEN]
    list(executor.on_event(ticks(options, NOW + 3_600_000), NOW + 3_600_000))
    refusal = decide_on(executor, NOW + 3_600_000).refusal
    assert refusal is not None
    numbers = {"quote": "NIFTY 50", "age_seconds": 3600.0, "budget_seconds": 5.0}
    assert (refusal.reason, refusal.numbers) == ("old_spot", numbers)


def test_without_a_quote_of_the_underlying_the_signals_price_counts_as_long_as_a_quote() -> None:
    executor = make_executor()
    for event in chain_listed():
        list(executor.on_event(event, NOW))
    options = [row for row in chain_rows() if row.instrument_token != INDEX_TOKEN]
    list(executor.on_event(ticks(options), NOW))
    assert decide_on(executor).trade is not None
    refusal = decide_on(executor, NOW, candle_closed_at=utc_from_ms(NOW - 15_001)).refusal
    assert refusal is not None
    assert refusal.numbers["quote"] == "signal of NIFTY 50"


def test_old_calls_beside_new_puts_do_not_move_the_forward() -> None:
    executor, before = make_executor(), NOW - 60_000
    for event in chain_listed():
        list(executor.on_event(event, before))
    calls = [
        replace(row, bid_price=row.bid_price + 200, ask_price=row.ask_price + 200)
        for row in chain_rows(before)
        if row.instrument_token % 256 == 2
    ]
    rest = [row for row in chain_rows() if row.instrument_token % 256 != 2]
    list(executor.on_event(ticks(calls, before), before))
    list(executor.on_event(ticks(rest), NOW))
    candidates = decide_on(executor, action="SELL").candidates
    assert [one.implied_volatility for one in candidates] == pytest.approx([0.12] * 7, abs=0.02)


def test_quotes_past_their_budget_refuse_the_whole_chain() -> None:
    now_ms = NOW + 15_001
    executor = list_chain(make_executor())
    list(executor.on_event(ticks(chain_rows()[:1], now_ms), now_ms))
    refusal = decide_on(executor, now_ms=now_ms).refusal
    assert refusal is not None
    assert refusal.reason == "old_quotes"
    assert refusal.numbers == {
        "old_quote": 7.0,
        "quote": "NIFTY26061625000CE",
        "age_seconds": 15.001,
        "budget_seconds": 15.0,
    }


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
    event = recorded(executor, decision)
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
    executor = list_chain(make_executor(policy=policy))
    event = recorded(executor, decide_on(executor))
    assert (event.outcome, event.reason, event.lots) == ("refused", "no_contract", 0)
    assert event.numbers == {"low_oi": 7.0}
    assert [row["refusal"] for row in event.candidates] == ["low_oi"] * 7


def test_a_decision_reads_back_as_it_was_written() -> None:
    executor = make_executor()
    for event in chain_listed():
        list(executor.on_event(event, NOW))
    rows = [replace(row, bid_price=0.0) for row in chain_rows()]
    list(executor.on_event(ticks(rows), NOW))
    unquoted = recorded(executor, decide_on(executor))
    assert unquoted.candidates[0]["delta"] is None
    assert decode("decisions", encode(unquoted)) == unquoted
