"""Stops that rest at the exchange: placed for what is held, awaited before an exit."""

from dataclasses import replace
from decimal import Decimal

from libs.broker.port import OrderStatus
from libs.events.orders import OrderFilled
from libs.events.positions import ExitRequested, PositionUpdated
from services.executor.domain.plans import position_id_of
from tests.unit.services.executor.builders import (
    LOT,
    chain_rows,
    exit_requested,
    list_chain,
    make_executor,
    position,
    signal,
    ticks,
)
from tests.unit.services.executor.test_closing import alerts
from tests.unit.services.executor.test_exits import BIG
from tests.unit.services.executor.venue import Trading, VenueOrder

POSITION = position_id_of(signal().signal_id)


def guarded(policy_is_big: bool = False) -> Trading:
    """A position whose stops rest at the venue, and were confirmed."""
    trading = Trading(list_chain(make_executor(policy=BIG if policy_is_big else None)))
    trading.executor.guarding.is_on = True
    trading.hear(signal())
    for one in trading.plans("entry"):
        trading.fill(one.tag, one.quantity)
    trading.pass_time(1)
    confirm(trading)
    return trading


def stops(trading: Trading, status: OrderStatus = "OPEN") -> list[VenueOrder]:
    orders = trading.venue.orders.values()
    return [one for one in orders if one.request.order_type == "SL" and one.status == status]


def confirm(trading: Trading) -> None:
    trading.tell(*(one.request.tag for one in stops(trading)))


def restarted(trading: Trading) -> Trading:
    """Another executor, which has read the events and the book of the venue."""
    executor = list_chain(make_executor())
    executor.guarding.is_on = True
    for event in trading.events:
        executor.restore(event)
    again = Trading(executor, trading.venue, list(trading.events), now_ms=trading.now_ms)
    book = [one.update(again.now_ms) for one in again.venue.orders.values()]
    again.carry(executor.settle(book, again.now_ms))
    return again


def tick(trading: Trading, fall: float = 0.0) -> None:
    rows = [
        replace(
            row,
            last_price=row.last_price - fall,
            bid_price=row.bid_price - fall,
            ask_price=row.ask_price - fall,
        )
        for row in chain_rows()
    ]
    trading.hear(ticks(rows, at_ms=trading.now_ms))


def test_what_has_filled_is_guarded_by_a_stop_limit_order_within_the_exchanges_gap() -> None:
    trading = guarded()
    entry = trading.plans("entry")[0]
    (stop,) = stops(trading)
    asked = stop.request
    assert (asked.quantity, asked.transaction_type) == (entry.quantity, "SELL")
    assert (asked.trigger_price, asked.is_urgent) == (entry.stop_loss, True)
    assert Decimal(0) < asked.trigger_price - asked.price <= asked.trigger_price / 5
    trading.pass_time(300)
    assert len(stops(trading)) == 1
    assert alerts(trading) == []


def test_a_large_position_has_a_stop_for_each_freeze_slice() -> None:
    assert [one.request.quantity for one in stops(guarded(policy_is_big=True))] == [1800, 450]


def test_a_stop_follows_partial_fills_of_the_entry() -> None:
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
    assert (stop.request.quantity, stop.modifications) == (3 * LOT, 1)


def test_a_stop_is_cancelled_and_awaited_before_an_exit_of_ours() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    tick(trading)
    trading.hear(exit_requested(POSITION))
    assert stop.is_cancel_asked
    trading.pass_time(3)
    assert len(trading.venue.open_orders("SELL")) == 1, "nothing is sold beside the stop"
    trading.confirm_cancel(stop.request.tag)
    (sale,) = trading.venue.open_orders("SELL")
    assert (sale.request.order_type, sale.request.quantity) == ("LIMIT", stop.request.quantity)
    trading.pass_time(5)
    assert stops(trading) == [], "no stop is placed while the position is being left"


def test_a_stop_that_fills_while_its_cancellation_is_awaited_leaves_nothing_to_sell() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    tick(trading)
    trading.hear(exit_requested(POSITION))
    trading.fill(stop.request.tag, stop.request.quantity, "108.00")
    trading.pass_time(5)
    assert trading.venue.open_orders("SELL") == []


def test_the_fill_of_a_stop_says_why_it_closed_the_position() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    trading.fill(stop.request.tag, stop.request.quantity, "108.00")
    sold = [one for one in trading.all(OrderFilled) if one.leg == "exit"]
    assert [one.reason for one in sold] == ["stop_loss"]


def test_a_stop_that_was_triggered_and_does_not_fill_is_handed_to_the_ladder() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    stop.is_triggered = True
    trading.tell(stop.request.tag)
    tick(trading, fall=60)
    trading.pass_time(2)
    requests = trading.all(ExitRequested)
    assert {one.reason for one in requests} == {"stop_loss"}
    trading.hear(requests[0])
    assert stop.is_cancel_asked
    trading.confirm_cancel(stop.request.tag)
    (sale,) = trading.venue.open_orders("SELL")
    assert sale.request.order_type == "LIMIT"


def test_a_stop_that_is_on_its_way_to_the_exchange_or_is_being_changed_was_not_triggered() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    stop.is_on_its_way = True
    again = restarted(trading)
    again.pass_time(3)
    assert again.all(ExitRequested) == []
    stop.is_on_its_way, stop.is_triggered = False, True
    again.tell(stop.request.tag)
    tick(again, fall=60)
    again.pass_time(2)
    assert {one.reason for one in again.all(ExitRequested)} == {"stop_loss"}


def test_a_stop_that_the_exchange_ends_is_placed_again_within_five_seconds() -> None:
    trading = guarded()
    (first,) = stops(trading)
    trading.confirm_cancel(first.request.tag)
    trading.pass_time(5)
    (again,) = stops(trading)
    assert again.request.tag != first.request.tag
    assert again.request.quantity == first.request.quantity


def test_while_no_stop_can_be_placed_a_person_is_told_once() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    trading.refuse_next = 1000
    trading.confirm_cancel(stop.request.tag)
    trading.pass_time(30)
    told = [one for one in alerts(trading) if "no stop rests" in one]
    assert len(told) == 1


def test_a_stop_moves_with_the_positions_stop_and_not_more_often_than_is_allowed() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    before = stop.request.trigger_price
    moved = position(1, PositionUpdated, stop_loss=str(before + 10))
    trading.hear(moved)
    trading.pass_time(2)
    assert (stop.request.trigger_price, stop.modifications) == (before + 10, 1)
    for step in range(1, 60):
        trading.hear(position(1, PositionUpdated, stop_loss=str(before + 10 + step % 2 * 5)))
        trading.pass_time(2)
    assert stop.modifications <= 20, "some changes are kept for the quantity"


def test_after_a_restart_the_stop_that_stands_is_kept() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    again = restarted(trading)
    again.pass_time(10)
    assert stops(again) == [stop]


def test_what_a_stop_sold_while_everything_was_down_is_booked_at_the_restart() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    trading.venue.fill(stop.request.tag, stop.request.quantity, "108.00")
    executor = list_chain(make_executor())
    executor.guarding.is_on = True
    for event in trading.events:
        executor.restore(event)
    again = Trading(executor, trading.venue, list(trading.events), now_ms=trading.now_ms)
    book = [one.update(again.now_ms) for one in again.venue.orders.values()]
    again.carry(executor.settle(book, again.now_ms))
    again.pass_time(10)
    holding = executor.blotter.holding(POSITION)
    assert holding.bought == holding.sold
    assert again.venue.open_orders("SELL") == []


def test_a_stop_whose_change_was_lost_and_that_filled_before_is_over_and_the_rest_guarded() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.guarding.is_on = True
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, 2 * LOT)
    trading.pass_time(1)
    confirm(trading)
    (stop,) = stops(trading)
    before = stop.request
    trading.fill(entry.tag, LOT)
    trading.pass_time(3)
    stop.request = before  # the change to three lots has never reached the exchange
    trading.fill(stop.request.tag, 2 * LOT, "108.00")
    trading.pass_time(3)
    (again,) = stops(trading)
    assert again.request.quantity == LOT


def test_a_stop_whose_change_is_refused_is_as_before_and_is_replaced() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.guarding.is_on = True
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, 2 * LOT)
    trading.pass_time(1)
    confirm(trading)
    (stop,) = stops(trading)
    trading.refuses_changes = True
    trading.fill(entry.tag, LOT)
    trading.pass_time(6)
    assert trading.executor.blotter.holding(POSITION).guarding == 2 * LOT
    assert stop.is_cancel_asked
    trading.confirm_cancel(stop.request.tag)
    trading.pass_time(3)
    assert [one.request.quantity for one in stops(trading)] == [3 * LOT]


def test_no_stop_is_placed_for_units_that_the_account_does_not_hold_any_more() -> None:
    trading = guarded()
    (first,) = stops(trading)
    quantity = first.request.quantity
    trading.sell_by_hand(quantity, "131.00")
    trading.confirm_cancel(first.request.tag)
    trading.pass_time(4)
    assert stops(trading) == []
    trading.pass_time(60)
    assert stops(trading) == []
    holding = trading.executor.blotter.holding(POSITION)
    assert holding.bought == holding.sold


def test_a_stop_is_placed_by_our_own_fills_where_the_account_cannot_be_read() -> None:
    trading = guarded()
    (first,) = stops(trading)
    trading.unread_because = "no answer"
    trading.confirm_cancel(first.request.tag)
    trading.pass_time(5)
    assert [one.request.quantity for one in stops(trading)] == [first.request.quantity]


def test_positions_that_one_batch_leaves_are_looked_at_with_the_next_of_the_same_second() -> None:
    trading = Trading(list_chain(make_executor()))
    guarding = trading.executor.guarding
    guarding.is_on = True
    trading.hear(signal())
    for one in trading.plans("entry"):
        trading.fill(one.tag, one.quantity)
    now_ms = trading.now_ms + 1000
    assert guarding.on_time(now_ms, at_most=0) == ()
    assert len(guarding.on_time(now_ms, at_most=1)) == 1
    assert guarding.on_time(now_ms) == (), "each is looked at once a second"


def book(trading: Trading, lots: int, number: int = 1) -> None:
    tick(trading)
    trading.hear(exit_requested(POSITION, lots, number, reason="booking"))


def sales(trading: Trading) -> list[VenueOrder]:
    orders = trading.venue.open_orders("SELL")
    return [one for one in orders if one.request.order_type != "SL"]


def test_before_a_booking_the_stop_lets_go_what_is_sold_and_guards_the_rest_all_along() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    held, levels = stop.request.quantity, (stop.request.trigger_price, stop.request.price)
    book(trading, 1)
    assert (stop.request.quantity, stop.modifications) == (held - LOT, 1)
    trading.pass_time(2)
    assert sales(trading) == [], "the exchange may still sell all by the stop"
    confirm(trading)
    (sale,) = sales(trading)
    assert sale.request.quantity == LOT
    trading.pass_time(1)
    trading.fill(sale.request.tag, LOT)
    trading.pass_time(10)
    (stop,) = stops(trading)
    assert not stop.is_cancel_asked
    assert stop.request.quantity == held - LOT == trading.venue.net
    assert (stop.request.trigger_price, stop.request.price) == levels


def test_two_bookings_after_each_other_and_then_everything_sell_what_was_bought_and_no_more() -> (
    None
):
    trading = guarded()
    held = trading.venue.net
    for number in (1, 2):
        book(trading, 1, number)
        confirm(trading)
        (sale,) = sales(trading)
        trading.fill(sale.request.tag, LOT)
    tick(trading)
    trading.hear(exit_requested(POSITION, number=3))
    (stop,) = stops(trading)
    assert stop.is_cancel_asked
    trading.confirm_cancel(stop.request.tag)
    (sale,) = sales(trading)
    assert sale.request.quantity == held - 2 * LOT
    trading.fill(sale.request.tag, sale.request.quantity)
    trading.pass_time(60)
    assert trading.venue.net == 0
    assert trading.venue.open_orders("SELL") == []


def test_a_booking_whose_stop_was_hit_while_it_shrinks_sells_no_more_than_is_held() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    quantity = stop.request.quantity
    book(trading, 1)
    stop.request = replace(stop.request, quantity=quantity)  # the change comes too late
    stop.is_triggered = True
    trading.fill(stop.request.tag, quantity)
    trading.pass_time(30)
    assert (trading.venue.net, sales(trading), stops(trading)) == (0, [], [])


def test_a_booking_whose_stop_cannot_be_changed_cancels_it_and_guards_the_rest_again() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    held = stop.request.quantity
    trading.refuses_changes = True
    book(trading, 1)
    trading.pass_time(6)
    assert (stop.request.quantity, stop.is_cancel_asked) == (held, True)
    trading.confirm_cancel(stop.request.tag)
    (sale,) = sales(trading)
    assert sale.request.quantity == LOT
    trading.pass_time(3)
    (again,) = stops(trading)
    assert again.request.quantity == held - LOT


def test_a_change_of_the_stop_that_was_lost_is_asked_for_again() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    held = stop.request.quantity
    book(trading, 1)
    stop.request = replace(stop.request, quantity=held)  # the request was lost
    confirm(trading)
    assert sales(trading) == []
    trading.pass_time(6)
    confirm(trading)
    (sale,) = sales(trading)
    assert (stop.request.quantity, sale.request.quantity) == (held - LOT, LOT)


def test_with_a_stop_for_each_slice_a_booking_takes_from_the_last_ones() -> None:
    trading = guarded(policy_is_big=True)
    book(trading, 8)
    first, last = stops(trading)
    assert (first.request.quantity, last.is_cancel_asked) == (1650, True)
    trading.confirm_cancel(last.request.tag)
    assert sales(trading) == []
    confirm(trading)
    (sale,) = sales(trading)
    assert sale.request.quantity == 8 * LOT
    trading.fill(sale.request.tag, 8 * LOT)
    trading.pass_time(5)
    assert [one.request.quantity for one in stops(trading)] == [1650]


def test_the_stop_follows_a_position_whose_stop_was_lifted_to_its_cost() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    entry, held = trading.plans("entry")[0], stop.request.quantity
    tick(trading, fall=-50.0)
    lifted = position(
        1,
        PositionUpdated,
        quantity=held,
        stop_loss=entry.premium,
        planned_stop=entry.stop_loss,
        at_ms=trading.now_ms + 1000,
    )
    trading.hear(lifted)
    trading.pass_time(2)
    assert stop.request.trigger_price == entry.premium
    assert trading.executor.risk.at_risk_of(POSITION) == 0


def test_a_lifted_stop_that_is_jumped_is_handed_over_with_the_reason_of_its_level() -> None:
    trading = guarded()
    (stop,) = stops(trading)
    entry, held = trading.plans("entry")[0], stop.request.quantity
    tick(trading)
    trading.hear(
        position(
            1,
            PositionUpdated,
            quantity=held,
            stop_loss=Decimal(90),
            planned_stop=entry.stop_loss,
            entry_price=Decimal(90),
        )
    )
    stop.is_triggered = True
    confirm(trading)
    trading.pass_time(3)
    assert {one.reason for one in trading.all(ExitRequested)} == {"stop_to_cost"}
