from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from libs.events.control import (
    FeedCameBack,
    FeedFellSilent,
    RiskLimitReached,
    TradingHalted,
)
from libs.events.event import identity, utc_from_ms
from libs.events.orders import OrderCancelled, OrderFilled, OrderPlanned, OrderRejected
from libs.events.positions import PositionClosed
from libs.events.signals import (
    ExecutionDecided,
    SignalExpired,
    SignalLogged,
    SignalRejected,
)
from services.executor.domain.commands import CancelOrder
from services.executor.domain.policy import Policy, RiskLimits, Sizing
from tests.unit.services.executor.builders import (
    DAY,
    LOT,
    NEXT_DAY,
    NOW,
    at,
    chain_listed,
    chain_rows,
    exit_requested,
    list_chain,
    make_executor,
    position,
    signal,
    ticks,
)
from tests.unit.services.executor.venue import Trading

MANY_LOTS = Policy(
    sizing=Sizing(capital=Decimal(100_000_000)),
    limits=RiskLimits(lots_a_trade=50),
)


def make_trading(mode: Any = "paper", policy: Policy | None = None) -> Trading:
    return Trading(list_chain(make_executor(mode, policy)))


def with_entry(policy: Policy | None = None) -> Trading:
    """A signal was traded and its entry is working at the venue."""
    trading = make_trading(policy=policy)
    trading.hear(signal())
    return trading


def pass_time(trading: Trading, milliseconds: int) -> None:
    trading.now_ms += milliseconds
    trading.hear(ticks([], at_ms=trading.now_ms))


def test_a_signal_gives_a_plan_and_its_decision_then_an_order() -> None:
    trading = with_entry()
    assert trading.types() == ["OrderPlanned", "ExecutionDecided", "OrderPlaced"]
    (entry,) = trading.plans("entry")
    assert (entry.mode, entry.occurred_at) == ("paper", utc_from_ms(NOW))
    assert list(trading.venue.orders) == [entry.tag]


def test_a_signal_handled_twice_gives_one_decision_and_one_plan() -> None:
    trading = with_entry()
    assert trading.hear(signal()) == []
    assert len(trading.venue.orders) == 1


def test_logging_only_opens_nothing_and_publishes_its_decision() -> None:
    trading = make_trading("logging_only")
    trading.hear(signal())
    assert trading.types() == ["SignalLogged", "ExecutionDecided"]
    (decision,), (logged,) = trading.all(ExecutionDecided), trading.all(SignalLogged)
    assert (decision.outcome, decision.lots > 0) == ("logged", True)
    assert (logged.signal_id, logged.underlying) == (signal().signal_id, "NIFTY")
    assert trading.executor.risk.at_risk == 0
    assert not trading.venue.orders


def test_disabled_refuses_every_signal_by_an_event() -> None:
    trading = make_trading("disabled")
    trading.hear(signal())
    assert trading.types() == ["SignalRejected", "ExecutionDecided"]
    (rejected,) = trading.all(SignalRejected)
    assert rejected.reason == "disabled"


def test_a_refused_signal_is_rejected_with_the_numbers_that_caused_it() -> None:
    trading = make_trading()
    trading.hear(signal(confidence=0.5))
    (rejected,) = trading.all(SignalRejected)
    assert rejected.reason == "low_confidence"
    assert rejected.numbers == {"confidence": 0.5, "minimum": 0.6}
    assert not trading.all(RiskLimitReached)


def test_a_risk_limit_that_refuses_is_an_event_of_its_own() -> None:
    trading = with_entry()
    trading.hear(signal(2))
    (reached,) = trading.all(RiskLimitReached)
    assert (reached.limit, reached.value, reached.maximum) == ("positions_per_underlying", 1, 1)
    assert reached.causation_id == signal(2).event_id
    assert [one.reason for one in trading.all(SignalRejected)] == ["positions_per_underlying"]


def test_a_halt_refuses_new_signals() -> None:
    trading = make_trading()
    halt = TradingHalted(
        event_id=identity("halt"),
        occurred_at=utc_from_ms(NOW),
        trading_day=DAY,
        correlation_id=identity("halt"),
    )
    trading.hear(halt)
    trading.hear(signal())
    assert [one.limit for one in trading.all(RiskLimitReached)] == ["kill_switch"]


def test_while_the_feed_is_silent_nothing_is_opened() -> None:
    trading = make_trading()
    said = {"trading_day": DAY, "correlation_id": identity("feed")}
    at_ms = utc_from_ms(NOW - 4000)
    trading.hear(FeedFellSilent(event_id=identity("silent"), occurred_at=at_ms, **said))
    trading.hear(signal())
    (rejected,) = trading.all(SignalRejected)
    assert (rejected.reason, rejected.numbers) == ("feed_silent", {"silent_seconds": 4.0})
    trading.hear(FeedCameBack(event_id=identity("back"), occurred_at=at_ms, **said))
    trading.hear(signal(2))
    assert trading.plans("entry")


def test_yesterdays_losses_refuse_nothing_today() -> None:
    trading = make_trading()
    for number in (2, 3, 4):
        trading.hear(position(number, PositionClosed, net="-1", at_ms=NOW + number))
    trading.hear(signal())
    assert [one.limit for one in trading.all(RiskLimitReached)] == ["losses_in_a_row"]
    trading.now_ms = at(10, 30, day=NEXT_DAY)
    for event in chain_listed(day=NEXT_DAY):
        trading.hear(event)
    trading.hear(ticks(chain_rows(trading.now_ms), at_ms=trading.now_ms))
    trading.hear(signal(9, now_ms=trading.now_ms))
    assert trading.all(ExecutionDecided)[-1].outcome == "executed"


def test_an_order_above_the_freeze_quantity_goes_out_in_slices() -> None:
    trading = with_entry(MANY_LOTS)
    (decision,) = trading.all(ExecutionDecided)
    sizes = [one.quantity for one in trading.plans("entry")]
    assert decision.lots == 50
    assert sizes == [1800, 1800, 150]
    assert len(trading.venue.orders) == 3


def test_all_slices_of_an_entry_are_at_risk() -> None:
    trading = with_entry(MANY_LOTS)
    plans = trading.plans("entry")
    reach = plans[0].price - plans[0].stop_loss
    assert trading.executor.risk.at_risk == reach * 50 * LOT


def test_an_entry_is_at_risk_before_its_plan_is_published() -> None:
    executor = list_chain(make_executor())
    effects = iter(executor.on_event(signal(), NOW))
    plan = next(effect for effect in effects if isinstance(effect, OrderPlanned))
    assert executor.risk.at_risk == (plan.price - plan.stop_loss) * plan.quantity


def test_a_refused_slice_does_not_reject_the_signal_while_others_work() -> None:
    trading = make_trading(policy=MANY_LOTS)
    trading.refuse_next = 1
    trading.hear(signal())
    assert len(trading.all(OrderRejected)) == 1
    assert len(trading.venue.orders) == 2
    assert not trading.all(SignalRejected)


def test_an_entry_that_the_broker_refuses_rejects_the_signal_and_frees_the_limits() -> None:
    trading = make_trading()
    trading.refuse_next = 1
    trading.hear(signal())
    assert trading.types() == [
        "OrderPlanned",
        "ExecutionDecided",
        "OrderRejected",
        "SignalRejected",
    ]
    assert trading.all(SignalRejected)[0].reason == "order_rejected"
    assert trading.executor.risk.at_risk == 0
    assert trading.executor.risk.breach("NIFTY") is None


def test_an_entry_without_a_fill_is_cancelled_after_its_timeout_and_the_signal_expires() -> None:
    trading = with_entry()
    (entry,) = trading.plans("entry")
    pass_time(trading, 60_000)
    assert not trading.venue.orders[entry.tag].is_cancel_asked
    pass_time(trading, 1000)
    assert trading.venue.orders[entry.tag].is_cancel_asked
    assert not trading.all(SignalExpired)
    trading.confirm_cancel(entry.tag)
    assert trading.types()[-2:] == ["OrderCancelled", "SignalExpired"]
    assert trading.executor.risk.at_risk == 0


def test_a_cancellation_is_requested_again_only_after_a_while() -> None:
    trading = with_entry()
    asked = []
    for now_ms in (NOW + 61_000, NOW + 61_500, NOW + 65_999, NOW + 66_000, NOW + 67_000):
        effects = trading.executor.on_event(ticks([], at_ms=now_ms), now_ms)
        asked += [now_ms for one in effects if isinstance(one, CancelOrder)]
    assert asked == [NOW + 61_000, NOW + 66_000]


def test_an_exit_that_does_not_fill_is_repriced_step_by_step_and_then_sent_at_market() -> None:
    trading = with_entry()
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, entry.quantity)
    trading.hear(exit_requested(entry.position_id))
    (first,) = trading.plans("exit")
    prices = [first.price]
    for lower in range(1, 5):
        rows = [replace(row, bid_price=row.bid_price - lower) for row in chain_rows()]
        trading.now_ms += 3000
        trading.hear(ticks(rows, at_ms=trading.now_ms))
        prices.append(trading.venue.orders[first.tag].request.price)
    assert prices == [first.price - lower for lower in range(5)]
    assert len(trading.plans("exit")) == 1
    pass_time(trading, 3000)
    assert trading.venue.orders[first.tag].is_cancel_asked
    trading.confirm_cancel(first.tag)
    _, at_market = trading.plans("exit")
    assert (at_market.order_type, at_market.quantity) == ("MARKET", entry.quantity)


def test_an_entry_partly_filled_keeps_its_position_after_the_timeout() -> None:
    trading = with_entry()
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, LOT)
    pass_time(trading, 60_001)
    trading.confirm_cancel(entry.tag)
    assert [one.filled_quantity for one in trading.all(OrderCancelled)] == [LOT]
    assert not trading.all(SignalExpired)
    assert trading.executor.blotter.holding(entry.position_id).bought == LOT
    reach = entry.price - entry.stop_loss
    assert trading.executor.risk.at_risk == reach * LOT


def test_a_repeated_update_is_published_once() -> None:
    trading = with_entry()
    (entry,) = trading.plans("entry")
    trading.confirm_cancel(entry.tag)
    count = len(trading.events)
    assert trading.tell(entry.tag) == []
    assert len(trading.events) == count


def test_a_late_fill_after_the_signal_expired_is_published_and_counted() -> None:
    trading = with_entry()
    (entry,) = trading.plans("entry")
    trading.confirm_cancel(entry.tag)
    assert trading.executor.risk.at_risk == 0
    trading.fill(entry.tag, LOT)
    assert [one.fill_quantity for one in trading.all(OrderFilled)] == [LOT]
    trading.hear(position(1, quantity=LOT))
    assert trading.executor.risk.breach("NIFTY") is not None


def test_an_update_of_an_unknown_order_is_ignored() -> None:
    trading = with_entry()
    (entry,) = trading.plans("entry")
    stranger = replace(trading.venue.orders[entry.tag].update(NOW), tag="SOMEONEELSE")
    assert list(trading.executor.on_updates([stranger], NOW)) == []


def test_an_underlying_without_a_known_freeze_quantity_is_sliced_by_the_default() -> None:
    trading = make_trading(policy=MANY_LOTS)
    trading.executor.rulebook = replace(trading.executor.rulebook, freezes={}, lots={})
    cautious = trading.executor.rulebook.stock_freeze_lots
    trading.hear(signal())
    assert [one.quantity // LOT for one in trading.plans("entry")] == [cautious, cautious, 10]


@pytest.mark.parametrize("reason", ["order_rejected", "entry_not_filled"])
def test_the_last_event_of_a_signal_has_its_underlying_and_reason(reason: str) -> None:
    trading = make_trading()
    trading.refuse_next = int(reason == "order_rejected")
    trading.hear(signal())
    for tag in list(trading.venue.orders):
        trading.confirm_cancel(tag)
    end = trading.events[-1]
    assert isinstance(end, (SignalRejected, SignalExpired))
    assert (end.reason, end.underlying, end.tradingsymbol) == (reason, "NIFTY", "NIFTY 50")
    assert end.signal_id == signal().signal_id
