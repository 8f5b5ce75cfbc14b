"""What goes wrong between two steps of the order path: lost replies, restarts, a night."""

from dataclasses import replace
from decimal import Decimal

from libs.broker.port import Fill
from libs.events.control import RiskLimitReached
from libs.events.positions import ExitRequested, PositionClosed, PositionUpdated
from services.executor.domain.broker_replies import Accepted, ReplyLost
from services.executor.domain.commands import CancelOrder
from services.executor.domain.policy import Policy, RiskLimits
from tests.unit.services.executor.builders import (
    LOT,
    NEXT_DAY,
    at,
    chain_rows,
    exit_requested,
    list_chain,
    make_executor,
    position,
    signal,
    ticks,
)
from tests.unit.services.executor.test_closing import forget
from tests.unit.services.executor.test_exits import BIG, POSITION, holding, leave
from tests.unit.services.executor.test_guarding import confirm, guarded, stops, tick
from tests.unit.services.executor.venue import Trading


def held(trading: Trading) -> int:
    one = trading.executor.blotter.holding(POSITION)
    return one.bought - one.sold


def begun_again(trading: Trading) -> Trading:
    """A new executor, restored from the events; the venue kept running and tells quantities."""
    executor = list_chain(make_executor())
    executor.guarding.is_on = trading.executor.guarding.is_on
    for event in trading.events:
        executor.restore(event)
    again = Trading(executor, trading.venue, list(trading.events), now_ms=trading.now_ms)
    book = [
        replace(one.update(again.now_ms), quantity=one.request.quantity)
        for one in again.venue.orders.values()
    ]
    again.carry(executor.settle(book, again.now_ms))
    return again


def cancels(trading: Trading, seconds: int) -> int:
    """Count the cancellations that are requested, none of which reaches the venue."""
    count = 0
    for _ in range(seconds):
        trading.now_ms += 1000
        effects = trading.executor.on_time(trading.now_ms)
        count += sum(isinstance(one, CancelOrder) for one in effects)
        trading.carry(one for one in effects if not isinstance(one, CancelOrder))
    return count


def test_a_ladders_cancellation_that_was_lost_is_requested_again() -> None:
    trading = holding()
    leave(trading)
    trading.refuses_changes = True
    assert cancels(trading, 30) >= 3


def test_a_stops_cancellation_that_was_lost_is_requested_again() -> None:
    trading = guarded()
    trading.refuses_changes = True
    trading.sell_by_hand(LOT, "90.00")
    trading.pass_time(1)
    assert cancels(trading, 100) >= 3


def test_a_stop_that_could_not_be_sent_is_sent_later() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.guarding.is_on = True
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.unsent_because = "too many requests"
    trading.fill(entry.tag, entry.quantity)
    trading.pass_time(3)
    trading.unsent_because = ""
    trading.pass_time(5)
    (stop,) = stops(trading)
    assert stop.request.quantity == entry.quantity
    assert len(trading.plans("exit")) == 1


def test_a_stop_that_was_never_sent_does_not_stand_in_the_way_of_an_exit() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.guarding.is_on = True
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.unsent_because = "too many requests"
    trading.fill(entry.tag, entry.quantity)
    trading.pass_time(3)
    trading.unsent_because = ""
    tick(trading)
    leave(trading)
    trading.pass_time(2)
    (sale,) = trading.venue.open_orders("SELL")
    assert sale.request.order_type == "LIMIT"


def oversold(policy: Policy | None = None) -> Trading:
    trading = holding(policy)
    leave(trading)
    for sale in trading.plans("exit"):
        trading.fill(sale.tag, sale.quantity)
    first = trading.venue.orders[trading.plans("exit")[0].tag]
    units = sum(one.quantity for one in trading.plans("entry"))
    first.fills.append(Fill("late", units, Decimal("90.00"), trading.now_ms))
    trading.tell(first.request.tag)
    return trading


def test_what_was_oversold_beyond_the_freeze_quantity_is_bought_back_in_slices() -> None:
    trading = oversold(BIG)
    trading.pass_time(5)
    covers = trading.venue.open_orders("BUY")
    assert [one.request.quantity for one in covers] == [1800, 450]
    trading.pass_time(10)
    assert len(trading.venue.open_orders("BUY")) == 2


def test_a_purchase_that_covers_and_could_not_be_sent_is_planned_again() -> None:
    trading = oversold()
    trading.executor.closing._requests.clear()  # oversold by a stop: no exit was asked for
    trading.unsent_because = "too many requests"
    trading.pass_time(5)
    trading.unsent_because = ""
    trading.pass_time(70)
    (cover,) = trading.venue.open_orders("BUY")
    assert cover.request.quantity == -held(trading)


def test_a_stop_that_grew_and_filled_in_part_stands_alone_after_a_restart() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.guarding.is_on = True
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, LOT)
    trading.pass_time(1)
    confirm(trading)
    trading.fill(entry.tag, 2 * LOT)
    trading.pass_time(3)
    (stop,) = stops(trading)
    assert stop.request.quantity == 3 * LOT
    trading.fill(stop.request.tag, LOT, "84.00")
    again = begun_again(trading)
    again.pass_time(10)
    assert sum(one.left for one in stops(again)) == held(again) == 2 * LOT


def test_a_late_fill_of_a_closed_position_waits_for_a_session_and_is_then_sold() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, LOT)
    leave(trading)
    trading.confirm_cancel(entry.tag)
    (sale,) = trading.plans("exit")
    trading.fill(sale.tag, LOT)
    trading.hear(position(1, PositionClosed))
    trading.unread_because, trading.needs_login = "log in", True
    trading.venue.orders[entry.tag].fills.append(
        Fill("late", LOT, Decimal("100.00"), trading.now_ms)
    )
    trading.tell(entry.tag)
    trading.unread_because, trading.needs_login = "", False
    trading.pass_time(10)
    assert len(trading.plans("exit")) == 2


def test_a_late_fill_that_was_booked_before_a_crash_is_sold_after_it() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, LOT)
    leave(trading)
    trading.confirm_cancel(entry.tag)
    (sale,) = trading.plans("exit")
    trading.fill(sale.tag, LOT)
    trading.events += [exit_requested(POSITION), position(1, PositionClosed)]
    trading.hear(position(1, PositionClosed))
    trading.unread_because, trading.needs_login = "crash", True
    trading.venue.orders[entry.tag].fills.append(
        Fill("late", LOT, Decimal("100.00"), trading.now_ms)
    )
    trading.tell(entry.tag)
    again = begun_again(trading)
    again.pass_time(10)
    assert len(again.plans("exit")) == 2


def test_a_partial_exit_does_not_keep_a_lost_day_from_closing_the_rest() -> None:
    policy = Policy(limits=RiskLimits(close_at_daily_loss=True))
    trading = holding(policy)
    leave(trading, lots=1)
    trading.hear(position(1, PositionUpdated, unrealised="-60000", net="-500"))
    assert trading.all(RiskLimitReached)
    assert [one.position_id for one in trading.all(ExitRequested)] == [POSITION]


def test_a_stop_that_lapsed_over_night_unseen_is_placed_again_in_the_morning() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    trading.by_hand = held(trading)  # held since yesterday: no trade of today says it
    trading.venue.orders.clear()  # the book begins anew each day
    trading.now_ms = at(9, 20, day=NEXT_DAY)
    trading.hear(ticks(chain_rows(), at_ms=trading.now_ms))
    trading.pass_time(60)
    (again,) = stops(trading)
    assert again.request.tag != stop.request.tag


def test_an_exit_does_not_wait_for_a_stop_that_lapsed_over_night_unseen() -> None:
    trading = guarded()
    trading.executor.guarding.is_on = False
    trading.by_hand = held(trading)
    trading.venue.orders.clear()
    trading.now_ms = at(9, 20, day=NEXT_DAY)
    trading.hear(ticks(chain_rows(), at_ms=trading.now_ms))
    leave(trading)
    trading.pass_time(70)
    assert len(trading.venue.open_orders("SELL")) == 1


def test_a_stop_that_is_refused_again_and_again_is_tried_less_and_less_often() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    trading.refuse_next = 10_000
    trading.confirm_cancel(stop.request.tag)
    trading.pass_time(300)
    assert 5 < len(trading.plans("exit")) < 20


def test_an_old_trade_below_the_stop_sells_nothing_while_the_bid_is_above_it() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.guarding.is_on = True
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    old = [replace(row, last_price=1.0) for row in chain_rows() if row.bid_price < 1000]
    trading.hear(ticks(old, at_ms=trading.now_ms))
    trading.fill(entry.tag, entry.quantity)
    trading.pass_time(5)
    assert trading.all(ExitRequested) == []


def test_a_clock_that_jumped_ahead_and_back_does_not_stop_the_guarding() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.guarding.is_on = True
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    now_ms = trading.now_ms
    trading.executor.on_time(now_ms + 3_600_000)
    trading.fill(entry.tag, entry.quantity)
    trading.pass_time(5)
    assert len(stops(trading)) == 1


def test_a_slice_in_doubt_does_not_keep_the_others_from_being_repriced() -> None:
    trading = holding(BIG)
    leave(trading)
    first, second = trading.venue.open_orders("SELL")
    trading.is_book_readable = False
    del trading.venue.orders[second.request.tag]
    lost = forget(trading, second.request.tag)
    trading.carry(trading.executor.on_reply(ReplyLost(lost, "timeout"), trading.now_ms))
    assert lost.state == "unresolved"
    for _ in range(5):
        trading.now_ms += 1000
        tick(trading, fall=5)
        trading.pass_time(1)
    assert first.modifications + first.is_cancel_asked > 0


def test_an_entry_that_is_accepted_after_the_day_was_lost_is_cancelled_at_once() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.on_event(signal(), trading.now_ms)  # its request is under way
    (order,) = trading.executor.blotter.working()
    trading.hear(position(2, PositionUpdated, unrealised="-60000", net="-500"))
    effects = trading.executor.on_reply(Accepted(order, "kite-1"), trading.now_ms)
    assert any(isinstance(one, CancelOrder) for one in effects)


def test_a_purchase_that_covers_and_did_not_fill_is_sent_again_soon() -> None:
    trading = oversold()
    trading.pass_time(5)
    (cover,) = trading.venue.open_orders("BUY")
    trading.pass_time(16)
    assert cover.is_cancel_asked
    trading.confirm_cancel(cover.request.tag)
    trading.pass_time(6)
    (again,) = trading.venue.open_orders("BUY")
    assert again.request.quantity == -held(trading)
