from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.port import OrderUpdate
from libs.events.codec import decode, encode
from libs.events.control import TradingHalted, TradingResumed
from libs.events.event import Event, identity, utc_from_ms
from libs.events.orders import OrderEvent
from libs.events.positions import ExitRequested, PositionClosed
from libs.events.signals import ExecutionDecided, SignalExpired
from libs.events.topics import TOPIC_OF
from services.executor.domain.commands import CancelOrder
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import OrderRules
from tests.proofs import examples
from tests.unit.services.executor.builders import (
    DAY,
    LOT,
    NOW,
    chain_listed,
    exit_requested,
    list_chain,
    make_executor,
    position,
    signal,
    ticks,
)
from tests.unit.services.executor.venue import Trading, Venue

POSITION = position_id_of(signal().signal_id)
DOUBT_MS = OrderRules().doubt_ms
RESTORED = (ExecutionDecided, OrderEvent)


def entered() -> Trading:
    trading = Trading(list_chain(make_executor()))
    trading.hear(signal())
    return trading


def read_back(event: Event) -> Event:
    return decode(TOPIC_OF[event.type], encode(event))


def restarted(trading: Trading, *heard: Event) -> Trading:
    """A new executor, restored from the published events; the venue kept running."""
    executor = make_executor()
    written = [event for event in trading.events if isinstance(event, RESTORED)]
    for event in (*chain_listed(), *written, *heard):
        executor.restore(read_back(event))
    return Trading(
        executor, venue=trading.venue, events=list(trading.events), now_ms=trading.now_ms
    )


def settle(trading: Trading, now_ms: int | None = None) -> list[Event]:
    book = [order.update(trading.now_ms) for order in trading.venue.orders.values()]
    return trading.carry(
        trading.executor.settle(book, trading.now_ms if now_ms is None else now_ms)
    )


def forget(trading: Trading, tag: str) -> None:
    del trading.venue.orders[tag]


def figures(executor: OptionsExecutor) -> Any:
    orders = executor.blotter.of_position(POSITION)
    return (
        executor.blotter.holding(POSITION),
        [(one.plan, one.state, one.fills, one.broker_order_id) for one in orders],
        executor.risk.at_risk,
        executor.risk.breach("NIFTY"),
        executor.risk.breach("OTHER"),
    )


steps = st.lists(
    st.sampled_from(["fill", "cancel", "leave", "sell", "refuse", "position", "closed"]),
    max_size=10,
)


@examples(30)
@given(steps)
def test_restoring_from_its_own_events_gives_the_same_orders_and_risk(story: list[str]) -> None:
    trading, heard = entered(), []
    for step in story:
        buys, sales = trading.venue.open_orders("BUY"), trading.venue.open_orders("SELL")
        if step == "fill" and buys:
            trading.fill(buys[0].request.tag, min(LOT, buys[0].left))
        elif step == "cancel" and buys:
            trading.confirm_cancel(buys[0].request.tag)
        elif step == "sell" and sales:
            trading.fill(sales[0].request.tag, min(LOT, sales[0].left))
        elif step == "refuse":
            trading.refuse_next = 1
        elif step in {"leave", "position", "closed"}:
            event: Event = {
                "leave": exit_requested(POSITION),
                "position": position(1),
                "closed": position(1, PositionClosed, net="-5", at_ms=NOW + 9000),
            }[step]
            heard.append(event)
            trading.hear(event)
    assert figures(restarted(trading, *heard).executor) == figures(trading.executor)


@pytest.mark.parametrize("is_positions_first", [True, False])
def test_the_order_in_which_topics_are_restored_does_not_matter(is_positions_first: bool) -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, entry.quantity)
    closed = position(1, PositionClosed, net="-60000", at_ms=NOW + 9000)
    orders = [event for event in trading.events if isinstance(event, OrderEvent)]
    executor = make_executor()
    for event in (closed, *orders) if is_positions_first else (*orders, closed):
        executor.restore(event)
    assert executor.risk.at_risk == 0
    breach = executor.risk.breach("NIFTY")
    assert breach is not None
    assert breach.limit == "daily_loss"


def test_a_signal_decided_before_the_restart_is_not_decided_again() -> None:
    again = restarted(entered())
    assert again.hear(signal()) == []


@pytest.mark.parametrize(("kinds", "is_halted"), [(1, True), (2, False)])
def test_a_halt_survives_a_restart_until_trading_is_resumed(kinds: int, is_halted: bool) -> None:
    executor = make_executor()
    for kind in (TradingHalted, TradingResumed)[:kinds]:
        event = kind(
            event_id=identity(kind.__name__),
            occurred_at=utc_from_ms(NOW),
            trading_day=DAY,
            correlation_id=identity("control"),
        )
        executor.restore(read_back(event))
    assert (executor.risk.breach("NIFTY") is not None) == is_halted


def test_an_entry_that_the_broker_knows_is_adopted_with_what_was_filled_meanwhile() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.venue.fill(entry.tag, LOT)
    again = restarted(trading)
    assert [event.type for event in settle(again)] == ["OrderFilled"]
    assert again.executor.blotter.holding(POSITION).bought == LOT
    assert settle(again) == []


def test_an_entry_placed_but_not_noted_before_the_crash_can_still_be_cancelled() -> None:
    trading = entered()
    trading.events = [event for event in trading.events if event.type != "OrderPlaced"]
    again = restarted(trading)
    assert [event.type for event in settle(again)] == ["OrderPlaced"]
    later = NOW + 60_001
    effects = list(again.executor.on_event(ticks([], at_ms=later), later))
    (cancel,) = [one for one in effects if isinstance(one, CancelOrder)]
    assert cancel.order.broker_order_id == f"broker-{trading.plans('entry')[0].tag}"


def after_the_doubt(trading: Trading) -> list[Event]:
    """What the book decides once no request can arrive any more."""
    assert trading.hear(ticks([], at_ms=trading.now_ms)) == [], (
        "the clock begins with the first tick"
    )
    trading.now_ms += DOUBT_MS
    return trading.hear(ticks([], at_ms=trading.now_ms))


def test_an_entry_that_the_broker_does_not_know_is_given_up_in_time_and_never_sent() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    forget(trading, entry.tag)
    again = restarted(trading)
    assert [event.type for event in settle(again)] == ["OrderUnresolved"]
    ended = after_the_doubt(again)
    assert [event.type for event in ended] == ["OrderCancelled", "SignalExpired"]
    assert again.executor.risk.at_risk == 0
    again.hear(ticks([], at_ms=NOW + 120_000))
    again.hear(signal())
    assert not again.venue.orders


def test_a_given_up_entry_keeps_what_it_had_bought() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, LOT)
    forget(trading, entry.tag)
    again = restarted(trading)
    assert [event.type for event in settle(again)] == ["OrderUnresolved"]
    assert [event.type for event in after_the_doubt(again)] == ["OrderCancelled"]
    assert again.executor.blotter.holding(POSITION).bought == LOT


def test_a_late_fill_of_a_cancelled_entry_is_found_at_the_broker() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.confirm_cancel(entry.tag)
    trading.venue.fill(entry.tag, LOT)
    again = restarted(trading)
    assert [event.type for event in settle(again)] == ["OrderFilled"]


def leaving() -> Trading:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, entry.quantity)
    trading.hear(exit_requested(POSITION))
    return trading


def test_an_exit_that_the_broker_knows_is_not_sent_again() -> None:
    again = restarted(leaving(), exit_requested(POSITION))
    assert settle(again) == []
    again.now_ms += 60_000
    again.hear(ticks([], at_ms=again.now_ms))
    assert len(again.venue.open_orders("SELL")) == 1


def test_an_exit_that_the_broker_does_not_know_is_planned_again_with_another_tag() -> None:
    trading = leaving()
    (lost,) = trading.plans("exit")
    forget(trading, lost.tag)
    again = restarted(trading, exit_requested(POSITION))
    settle(again)
    again.hear(ticks([], at_ms=again.now_ms))
    assert not again.venue.orders.keys() & {plan.tag for plan in again.plans("exit")}
    after_the_doubt(again)
    (anew,) = again.venue.open_orders("SELL")
    assert anew.request.tag != lost.tag
    assert anew.request.quantity == lost.quantity


def test_an_exit_requested_but_not_planned_before_the_crash_is_planned_by_the_next_tick() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, entry.quantity)
    again = restarted(trading, exit_requested(POSITION))
    settle(again)
    again.hear(ticks([], at_ms=NOW))
    assert len(again.venue.open_orders("SELL")) == 1


def test_an_exit_planned_while_settling_is_not_taken_for_a_lost_one() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.venue.fill(entry.tag, entry.quantity)
    again = restarted(trading, exit_requested(POSITION))
    settle(again)
    (sale,) = again.venue.open_orders("SELL")
    assert sale.request.quantity == entry.quantity
    assert again.executor.blotter.holding(POSITION).selling == entry.quantity


def test_settling_before_the_feed_clock_begins_writes_no_event_of_1970() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, LOT)
    forget(trading, entry.tag)
    again = restarted(trading, exit_requested(POSITION, occurred_at=utc_from_ms(NOW)))
    again.by_hand = LOT  # the account has what the forgotten order bought
    settled = settle(again, now_ms=0)
    again.now_ms += 60_000
    written: list[Event] = [*settled, *after_the_doubt(again)]
    assert [event.type for event in written if "alert" not in getattr(event, "reason", "")] == [
        *("OrderUnresolved", "OrderPlanned", "OrderPlaced", "OrderCancelled")
    ]
    assert all(event.trading_day == DAY for event in written)
    assert all(event.occurred_at >= utc_from_ms(NOW) for event in written)


def test_unknown_orders_in_the_book_are_left_alone() -> None:
    executor = make_executor()
    stranger = OrderUpdate("b", "SOMEONEELSE", "OPEN", NOW)
    assert list(executor.settle([stranger], NOW)) == []


def test_a_partial_exit_and_a_stop_are_both_restored() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, entry.quantity)
    requests: list[ExitRequested] = [
        exit_requested(POSITION, lots=1, number=1),
        exit_requested(POSITION, number=2),
    ]
    again = restarted(trading, *requests)
    again.hear(ticks([], at_ms=NOW))
    (sale,) = again.venue.open_orders("SELL")
    assert sale.request.quantity == entry.quantity
    assert isinstance(again.venue, Venue)


def test_a_signal_that_expired_while_the_executor_was_away_is_not_decided_on() -> None:
    expired = SignalExpired.of(signal(), utc_from_ms(NOW), DAY, "not_acted_on")
    again = restarted(Trading(list_chain(make_executor())), expired)
    assert again.hear(signal()) == []
    assert again.hear(signal(2))
