"""Exits when the account, the session or the broker is not as expected."""

from libs.events.control import TradingHalted
from libs.events.event import identity, utc_from_ms
from libs.events.orders import OrderCancelled, OrderUnresolved
from services.executor.domain.broker_replies import Accepted, ReplyLost
from services.executor.domain.commands import CancelOrder, ReadContract
from services.executor.domain.order import Order
from services.executor.domain.plans import position_id_of
from tests.unit.services.executor.builders import (
    DAY,
    LOT,
    NOW,
    exit_requested,
    list_chain,
    make_executor,
    signal,
    ticks,
)
from tests.unit.services.executor.test_exits import BIG, entered, holding, leave, tick
from tests.unit.services.executor.venue import Trading

POSITION = position_id_of(signal().signal_id)


def alerts(trading: Trading) -> list[str]:
    told = (one.reason for one in trading.all(OrderUnresolved))
    return [reason.removeprefix("alert: ") for reason in told if reason.startswith("alert: ")]


def halted() -> TradingHalted:
    return TradingHalted(
        event_id=identity("halt"),
        occurred_at=utc_from_ms(NOW),
        trading_day=DAY,
        correlation_id=identity("control"),
        reason="by hand",
    )


def test_a_position_that_was_closed_by_hand_is_not_sold_again() -> None:
    trading = holding()
    quantity = trading.plans("entry")[0].quantity
    trading.by_hand = -quantity
    leave(trading)
    for _ in range(30):
        tick(trading, 1)
    assert trading.plans("exit") == []
    assert alerts(trading) == [f"the account holds 0 of the {quantity} units that are to be sold"]
    assert trading.reads == 7, "the account is asked again at intervals, not with each quote"


def test_of_a_position_that_was_sold_in_part_by_hand_the_rest_is_sold() -> None:
    trading = holding()
    trading.by_hand = -LOT
    leave(trading)
    (sale,) = trading.plans("exit")
    assert sale.quantity == trading.plans("entry")[0].quantity - LOT


def test_a_sale_that_works_at_the_account_by_hand_is_not_doubled_by_ours() -> None:
    trading = holding()
    quantity = trading.plans("entry")[0].quantity
    trading.selling_by_hand = quantity
    leave(trading)
    assert trading.plans("exit") == []
    trading.selling_by_hand = 0  # cancelled by hand
    tick(trading, 5)
    assert [plan.quantity for plan in trading.plans("exit")] == [quantity]


def test_units_that_the_user_holds_besides_are_not_sold() -> None:
    trading = holding()
    trading.by_hand = 10 * LOT
    leave(trading)
    assert [plan.quantity for plan in trading.plans("exit")] == [trading.plans("entry")[0].quantity]


def test_an_exit_does_not_wait_for_an_account_that_cannot_be_read() -> None:
    trading = holding()
    trading.unread_because = "no answer within 1 s"
    leave(trading)
    assert [plan.quantity for plan in trading.plans("exit")] == [trading.plans("entry")[0].quantity]
    assert alerts(trading) == ["sold without knowing what the account holds: no answer within 1 s"]


def test_without_a_session_an_exit_is_planned_once_and_sent_once() -> None:
    trading = holding()
    trading.unread_because, trading.needs_login = "log in", True
    leave(trading)
    for _ in range(600):
        tick(trading, 1)
    assert trading.plans("exit") == []
    trading.unread_because, trading.needs_login = "", False
    tick(trading, 1)
    assert len(trading.plans("exit")) == len(trading.venue.open_orders("SELL")) == 1


def test_a_sale_that_could_not_be_sent_keeps_its_plan_and_looks_again_before_it_goes() -> None:
    trading = holding()
    trading.unsent_because = "too many requests"
    leave(trading)
    for _ in range(60):
        tick(trading, 1)
    (plan,) = trading.plans("exit")
    assert trading.venue.open_orders("SELL") == []
    trading.unsent_because = ""
    tick(trading, 1)
    (sale,) = trading.venue.open_orders("SELL")
    assert (sale.request.tag, len(trading.plans("exit"))) == (plan.tag, 1)


def test_a_sale_that_waited_while_the_position_was_closed_by_hand_is_never_sent() -> None:
    trading = holding()
    trading.unsent_because = "too many requests"
    leave(trading)
    trading.unsent_because = ""
    trading.by_hand = -trading.plans("entry")[0].quantity
    for _ in range(10):
        tick(trading, 1)
    assert trading.venue.open_orders("SELL") == []
    (ended,) = trading.all(OrderCancelled)
    assert ended.reason == "never sent: the account holds 0 units"


def test_an_entry_that_could_not_be_sent_is_rejected_and_never_sent_later() -> None:
    trading = Trading(list_chain(make_executor()), unsent_because="it waited too long")
    trading.hear(signal())
    trading.unsent_because = ""
    for _ in range(10):
        tick(trading, 1)
    assert trading.venue.orders == {}
    assert trading.types().count("OrderRejected") == 1
    assert trading.types().count("SignalRejected") == 1


def test_what_has_filled_is_sold_while_another_slice_is_in_doubt() -> None:
    trading = Trading(list_chain(make_executor(policy=BIG)))
    trading.is_book_readable = False
    effects = [*trading.executor.on_event(signal(), NOW)]
    trading.carry(effects)
    filled, doubtful = trading.plans("entry")
    trading.fill(filled.tag, filled.quantity)
    del trading.venue.orders[doubtful.tag]
    order = forget(trading, doubtful.tag)
    trading.carry(trading.executor.on_reply(ReplyLost(order, "timeout"), trading.now_ms))
    assert order.state == "unresolved"
    leave(trading)
    assert [plan.quantity for plan in trading.plans("exit")] == [filled.quantity]


def forget(trading: Trading, tag: str) -> Order:
    """Let an order be as before its acceptance."""
    order = trading.executor.blotter.with_tag(tag)
    assert order is not None
    order.state, order.broker_order_id = "planned", ""
    return order


def test_a_halt_cancels_the_entries_that_work_and_what_fills_meanwhile_is_held() -> None:
    trading = entered()
    (entry,) = trading.plans("entry")
    trading.hear(halted())
    assert trading.venue.orders[entry.tag].is_cancel_asked
    trading.fill(entry.tag, LOT)
    trading.confirm_cancel(entry.tag)
    assert trading.executor.blotter.holding(POSITION).bought == LOT
    assert trading.executor.blotter.working() == []


def test_a_cancellation_that_was_lost_in_a_halt_is_requested_again() -> None:
    trading = entered()
    trading.hear(halted())
    asked = [
        one
        for second in range(1, 12)
        for one in trading.executor.on_time(NOW + 1000 * second)
        if isinstance(one, CancelOrder)
    ]
    assert len(asked) == 2


def test_an_entry_that_is_accepted_after_the_halt_is_cancelled_at_once() -> None:
    trading = Trading(list_chain(make_executor()))
    trading.executor.on_event(signal(), NOW)  # its request is under way
    (order,) = trading.executor.blotter.working()
    trading.hear(halted())
    effects = trading.executor.on_reply(Accepted(order, "kite-1"), NOW + 100)
    assert [getattr(one, "broker_order_id", "") for one in effects][-1] == "kite-1"


def test_the_contract_is_read_once_while_the_reply_is_awaited() -> None:
    trading = holding()
    effects = [*trading.executor.on_event(exit_requested(POSITION), NOW)]
    assert [type(one) for one in effects] == [ReadContract]
    assert trading.executor.on_event(ticks([], at_ms=NOW + 1000), NOW + 1000) == ()
