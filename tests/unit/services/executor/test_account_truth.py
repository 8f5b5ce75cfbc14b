"""What is done about a difference between the account and our books."""

import asyncio
from decimal import Decimal

from libs.broker.port import Fill
from libs.events.control import TradingHalted
from libs.events.orders import OrderFilled, OrderPlanned, OrderUnresolved
from libs.events.signals import ExecutionDecided as Decided
from libs.events.signals import SignalRejected
from libs.runtime.testing import ServiceHarness
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import Policy, RiskLimits
from services.executor.domain.reconciliation import Agree
from tests.unit.services.executor.builders import (
    LOT,
    NOW,
    chain_listed,
    chain_rows,
    list_chain,
    make_executor,
    signal,
    ticks,
)
from tests.unit.services.executor.test_closing import alerts
from tests.unit.services.executor.test_exits import entered, holding, leave
from tests.unit.services.executor.test_service import in_paper
from tests.unit.services.executor.venue import Trading

POSITION = position_id_of(signal().signal_id)
TWO_AT_ONCE = Policy(limits=RiskLimits(positions_per_underlying=2))


def held(trading: Trading) -> int:
    one = trading.executor.blotter.holding(POSITION)
    return one.bought - one.sold


def quantity_of(trading: Trading) -> int:
    return trading.plans("entry")[0].quantity


def bookings(trading: Trading) -> list[OrderPlanned]:
    return [one for one in trading.all(OrderPlanned) if one.is_booking]


def test_books_that_agree_are_compared_at_the_start_and_each_minute_and_change_nothing() -> None:
    trading = holding()
    before = len(trading.events)
    trading.pass_time(1)
    watch = trading.executor.truth.watch
    first_ms = watch.reconciler.last_clean_ms
    assert first_ms == trading.now_ms
    trading.pass_time(59)
    assert watch.reconciler.last_clean_ms == first_ms
    trading.pass_time(1)
    assert watch.reconciler.last_clean_ms == trading.now_ms
    assert [type(one) for one in watch.reconciler.found] == [Agree]
    assert len(trading.events) == before


def test_a_position_that_was_closed_by_hand_is_booked_from_the_brokers_trade_once() -> None:
    trading = holding()
    trading.pass_time(5)
    trading.sell_by_hand(quantity_of(trading), "131.50")
    leave(trading)
    trading.pass_time(5)
    (plan,) = bookings(trading)
    trading.pass_time(200)
    assert len(bookings(trading)) == 1
    (sale,) = [one for one in trading.all(OrderFilled) if one.leg == "exit"]
    assert (sale.fill_price, sale.fill_quantity) == (Decimal("131.50"), quantity_of(trading))
    assert sale.fill_id.startswith("hand-1#")
    assert sale.broker_order_id == "order-by-hand-1"
    assert (plan.reason, held(trading)) == ("manual", 0)
    assert trading.venue.open_orders("SELL") == [], "a booking is never sent"


def test_a_part_that_was_sold_by_hand_is_booked_and_only_the_rest_is_sold() -> None:
    trading = holding()
    trading.sell_by_hand(LOT, "90.00")
    trading.pass_time(70)
    assert held(trading) == quantity_of(trading) - LOT
    leave(trading)
    (sale,) = trading.venue.open_orders("SELL")
    assert sale.request.quantity == quantity_of(trading) - LOT


def test_a_sale_by_hand_reduces_what_the_owner_holds_first() -> None:
    trading = holding()
    trading.by_hand = 2 * LOT  # held since yesterday
    trading.pass_time(2)
    trading.sell_by_hand(2 * LOT, "90.00")
    trading.pass_time(130)
    assert bookings(trading) == []
    assert held(trading) == quantity_of(trading)


def test_a_fill_that_no_update_told_is_adopted_from_the_account() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.venue.fill(entry.tag, entry.quantity)  # its update is lost
    trading.pass_time(1)
    assert held(trading) == entry.quantity


def oversold() -> Trading:
    """A position whose sale filled, and then another one of ours that had been given up."""
    trading = holding()
    leave(trading)
    (sale,) = trading.plans("exit")
    trading.fill(sale.tag, sale.quantity)
    order = trading.venue.orders[sale.tag]
    late = Fill("late", quantity_of(trading), Decimal("90.00"), trading.now_ms)
    order.fills.append(late)
    trading.tell(sale.tag)
    return trading


def test_what_our_orders_sold_too_much_halts_entries_and_is_bought_back_at_a_limit() -> None:
    trading = oversold()
    assert held(trading) == -quantity_of(trading)
    trading.pass_time(1)
    assert trading.venue.open_orders("BUY") == [], "one read alone decides nothing"
    trading.pass_time(4)
    (halt,) = trading.all(TradingHalted)
    assert "were sold that were not held" in halt.reason
    (cover,) = trading.venue.open_orders("BUY")
    assert (cover.request.quantity, cover.request.order_type) == (quantity_of(trading), "LIMIT")
    trading.fill(cover.request.tag, cover.request.quantity)
    assert held(trading) == 0
    trading.pass_time(200)
    assert trading.venue.open_orders("BUY") == []
    assert len(trading.all(TradingHalted)) == 1


def test_a_short_that_the_owner_made_by_hand_is_never_touched() -> None:
    trading = holding()
    leave(trading)
    (sale,) = trading.plans("exit")
    trading.fill(sale.tag, sale.quantity)
    trading.sell_by_hand(10 * LOT, "90.00")
    trading.pass_time(200)
    assert len(trading.all(OrderPlanned)) == 2
    assert trading.all(TradingHalted) == []


def test_a_difference_without_an_explanation_stops_entries_in_that_underlying_until_it_ends() -> (
    None
):
    trading = holding()
    trading.by_hand = -LOT  # no trade of today says why
    trading.pass_time(5)
    assert len(alerts(trading)) == 1
    trading.hear(ticks(chain_rows(), at_ms=trading.now_ms))
    trading.hear(signal(2, at_ms=trading.now_ms))
    assert [one.reason for one in trading.all(SignalRejected)] == ["quarantine"]
    trading.by_hand = 0
    trading.pass_time(61)
    assert trading.executor.risk.quarantined == {}


def test_an_account_that_cannot_be_read_is_asked_again_less_and_less_often() -> None:
    trading = holding()
    trading.is_book_readable = False
    trading.pass_time(300)
    assert trading.executor.truth.watch.reconciler.last_clean_ms is None
    trading.is_book_readable = True
    trading.pass_time(61)
    assert trading.executor.truth.watch.reconciler.last_clean_ms is not None
    assert not trading.all(OrderUnresolved)


def test_paper_trading_agrees_with_itself_after_a_restart_on_the_same_day() -> None:
    async def story() -> None:
        async with ServiceHarness(in_paper) as first:
            await first.publish(*chain_listed(), ticks(chain_rows(), at_ms=NOW), signal())
            await first.publish(ticks(chain_rows(), at_ms=NOW + 500))
        async with ServiceHarness(in_paper, bus=first.bus) as second:
            for seconds in (1, 2, 5, 62, 64, 66):
                await second.publish(ticks(chain_rows(), at_ms=NOW + 1000 * seconds))
            await second.publish(signal(2, NOW + 66_000, underlying="BANKNIFTY"))
            decided = [e for e in await second.published("decisions") if isinstance(e, Decided)]
            assert decided[-1].reason != "quarantine"
            told = [e for e in await second.published("orders") if isinstance(e, OrderUnresolved)]
            assert told == []

    asyncio.run(story())


def test_a_sale_by_hand_just_before_ours_is_booked_and_what_ours_oversold_is_bought_back() -> None:
    trading = holding()
    trading.pass_time(2)
    leave(trading)  # our sale is under way, and so is the owner's
    (sale,) = trading.venue.open_orders("SELL")
    trading.sell_by_hand(quantity_of(trading), "131.50")
    trading.now_ms += 1000
    trading.fill(sale.request.tag, quantity_of(trading), "131.00")
    assert held(trading) == 0
    trading.pass_time(70)
    assert held(trading) == -quantity_of(trading)
    (cover,) = trading.venue.open_orders("BUY")
    trading.fill(cover.request.tag, quantity_of(trading))
    assert (held(trading), trading.venue.net + trading.by_hand) == (0, 0)


def test_a_sale_by_hand_that_closes_two_positions_is_booked_to_each_under_an_id_of_its_own() -> (
    None
):
    trading = Trading(list_chain(make_executor(policy=TWO_AT_ONCE)))
    for number in (1, 2):
        trading.hear(signal(number))
    entries = trading.plans("entry")
    assert len({one.contract for one in entries}) == 1
    for one in entries:
        trading.fill(one.tag, one.quantity)
    trading.sell_by_hand(sum(one.quantity for one in entries), "131.50")
    trading.pass_time(70)
    sales = [one for one in trading.all(OrderFilled) if one.leg == "exit"]
    assert {one.position_id for one in sales} == {one.position_id for one in entries}
    assert len({one.fill_id for one in sales}) == 2
    trading.pass_time(70)
    assert len([one for one in trading.all(OrderFilled) if one.leg == "exit"]) == 2


def test_an_exit_of_some_lots_sells_them_beside_what_was_sold_by_hand_before() -> None:
    trading = holding()
    trading.sell_by_hand(LOT, "90.00")
    trading.pass_time(70)
    leave(trading, lots=1)
    (sale,) = trading.venue.open_orders("SELL")
    assert sale.request.quantity == LOT
