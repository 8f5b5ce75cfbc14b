"""Orders in doubt: lost requests, lost replies, late arrivals, and what the book decides."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.port import Fill, OrderUpdate
from libs.events.event import Event
from libs.events.orders import OrderCancelled, OrderEvent, OrderUnresolved
from libs.events.signals import ExecutionDecided
from services.executor.domain.order import GIVEN_UP, Order
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import OrderRules
from tests.proofs import examples
from tests.unit.services.executor.builders import (
    LOT,
    NOW,
    chain_listed,
    exit_requested,
    list_chain,
    make_executor,
    signal,
    ticks,
)
from tests.unit.services.executor.venue import Trading, VenueOrder

POSITION = position_id_of(signal().signal_id)
DOUBT_MS, RETRY_MS = OrderRules().doubt_ms, OrderRules().exit_retry_ms


@dataclass(slots=True)
class Doubtful(Trading):
    """A venue with lost replies; `fate`: ms until the next order arrives, None: never."""

    fate: int | None = 0
    on_their_way: list[tuple[int, Order]] = field(default_factory=list)

    def _place(self, order: Order) -> None:
        if self.fate == 0:
            # zero-argument super() does not know a dataclass with slots
            Trading._place(self, order)
            return
        tag = order.plan.tag
        assert tag not in self.venue.orders, "an order was sent twice"
        if self.fate is not None:
            self.on_their_way.append((self.now_ms + self.fate, order))
        event = order.unresolved("no reply", self.now_ms)
        self.carry(self.executor.on_event_of_order(order, event, self.now_ms))

    @property
    def given_up(self) -> set[str]:
        """Tags of orders that were given up."""
        return {one.tag for one in self.all(OrderCancelled) if one.reason == GIVEN_UP}

    def wait(self, milliseconds: int) -> list[Event]:
        """Advance the time; due orders arrive, and a tick makes the executor check."""
        before = len(self.events)
        self.now_ms += milliseconds
        for at_ms, order in list(self.on_their_way):
            if at_ms <= self.now_ms:
                self.venue.orders[order.plan.tag] = VenueOrder(order.request())
                self.on_their_way.remove((at_ms, order))
        self.hear(ticks([], at_ms=self.now_ms))
        return self.events[before:]


def in_doubt(fate: int | None = None) -> Doubtful:
    """An entry whose reply was lost."""
    trading = Doubtful(list_chain(make_executor()), fate=fate)
    trading.hear(signal())
    return trading


def leaving_in_doubt(fate: int | None = None) -> Doubtful:
    """A position that is held, and an exit whose reply was lost."""
    trading = Doubtful(list_chain(make_executor()))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, entry.quantity)
    trading.fate = fate
    trading.hear(exit_requested(POSITION))
    trading.fate = 0
    return trading


def types(events: list[Event]) -> list[str]:
    """The kinds of events, without the alerts: there are no quotes."""
    told = [event for event in events if "alert: " not in getattr(event, "reason", "")]
    return [event.type for event in told]


def test_while_an_entry_is_in_doubt_it_counts_as_buying() -> None:
    trading = in_doubt()
    trading.wait(DOUBT_MS - 1)
    assert types(trading.events)[-1] == "OrderUnresolved"
    assert trading.executor.blotter.holding(POSITION).buying > 0
    assert trading.executor.risk.at_risk > 0


def test_an_entry_that_was_given_up_frees_what_it_risked() -> None:
    trading = in_doubt()
    assert types(trading.wait(DOUBT_MS)) == ["OrderCancelled", "SignalExpired"]
    assert trading.executor.risk.at_risk == 0


def test_an_entry_that_arrived_meanwhile_is_adopted_from_the_book() -> None:
    trading = in_doubt(fate=9000)
    assert types(trading.wait(DOUBT_MS)) == ["OrderPlaced"]
    assert not any(order.is_cancel_asked for order in trading.venue.orders.values())


def test_an_exit_request_waits_for_an_entry_in_doubt_and_sells_what_it_bought() -> None:
    trading = in_doubt(fate=9000)
    trading.hear(exit_requested(POSITION))
    assert not trading.plans("exit")
    trading.wait(DOUBT_MS)
    (entry,) = trading.plans("entry")
    assert trading.venue.orders[entry.tag].is_cancel_asked
    trading.venue.fill(entry.tag, LOT)
    trading.fate = 0
    trading.confirm_cancel(entry.tag)
    (sale,) = trading.venue.open_orders("SELL")
    assert sale.request.quantity == LOT


def test_while_an_exit_is_in_doubt_nothing_else_is_sold() -> None:
    trading = leaving_in_doubt()
    for _ in range(14):
        trading.wait(1000)
    assert len(trading.plans("exit")) == 1


def test_an_exit_that_never_reached_the_broker_is_sent_again_after_the_doubt() -> None:
    trading = leaving_in_doubt()
    assert types(trading.wait(DOUBT_MS)) == ["OrderCancelled", "OrderPlanned", "OrderPlaced"]
    first, anew = trading.plans("exit")
    assert (first.quantity, anew.quantity) == (first.quantity,) * 2


def test_an_exit_that_arrived_within_the_doubt_is_not_sent_again() -> None:
    trading = leaving_in_doubt(fate=14_000)
    assert types(trading.wait(DOUBT_MS)) == ["OrderPlaced"]
    assert len(trading.venue.open_orders("SELL")) == 1


def test_without_a_book_nothing_is_decided_and_it_is_read_again_after_a_while() -> None:
    trading = leaving_in_doubt()
    trading.is_book_readable = False
    assert trading.wait(DOUBT_MS) == []
    trading.is_book_readable = True
    assert trading.wait(RETRY_MS - 1) == []
    assert types(trading.wait(1))[0] == "OrderCancelled"


def test_an_exit_that_arrives_after_it_was_given_up_is_cancelled_with_an_alert() -> None:
    trading = leaving_in_doubt(fate=DOUBT_MS + 5000)
    trading.wait(DOUBT_MS)
    late, _anew = trading.plans("exit")
    trading.wait(5000)
    told = trading.tell(late.tag)
    assert [type(event) for event in told] == [OrderUnresolved]
    assert trading.venue.orders[late.tag].is_cancel_asked
    assert trading.tell(late.tag) == [], "it is said once"


def test_when_a_late_exit_shows_up_the_one_that_replaced_it_is_cancelled_too() -> None:
    trading = leaving_in_doubt(fate=DOUBT_MS + 5000)
    trading.wait(DOUBT_MS)
    late, anew = trading.plans("exit")
    trading.wait(5000)
    trading.fill(late.tag, late.quantity)
    assert trading.venue.orders[anew.tag].is_cancel_asked
    trading.confirm_cancel(anew.tag)
    trading.wait(60_000)
    holding = trading.executor.blotter.holding(POSITION)
    assert (holding.sold, holding.selling) == (holding.bought, 0)
    assert len(trading.plans("exit")) == 2


def test_while_a_late_exit_is_open_no_third_one_is_sent() -> None:
    trading = leaving_in_doubt(fate=DOUBT_MS + 5000)
    trading.wait(DOUBT_MS)
    late, anew = trading.plans("exit")
    trading.wait(5000)
    trading.tell(late.tag)
    trading.confirm_cancel(anew.tag)
    trading.wait(60_000)
    assert len(trading.plans("exit")) == 2
    trading.confirm_cancel(late.tag)
    trading.wait(RETRY_MS)
    (third,) = trading.plans("exit")[2:]
    assert third.quantity == late.quantity


def test_a_late_exit_that_filled_in_part_is_still_a_stray_after_a_restart() -> None:
    trading = leaving_in_doubt(fate=DOUBT_MS + 1)
    trading.wait(DOUBT_MS)
    late, anew = trading.plans("exit")
    trading.confirm_cancel(anew.tag)
    trading.wait(1)
    trading.fill(late.tag, LOT)
    trading.venue.orders[late.tag].is_cancel_asked = False
    again = _restarted(trading, is_leaving=True)
    assert again.venue.orders[late.tag].is_cancel_asked
    again.wait(60_000)
    assert len(again.plans("exit")) == 2
    again.confirm_cancel(late.tag)
    again.wait(RETRY_MS)
    (third,) = again.plans("exit")[2:]
    assert third.quantity == late.quantity - LOT


def test_the_cancellation_of_a_late_order_is_requested_again_while_it_is_open() -> None:
    trading = in_doubt(fate=DOUBT_MS + 1)
    trading.wait(DOUBT_MS)
    trading.wait(1)
    (entry,) = trading.plans("entry")
    order = trading.venue.orders[entry.tag]
    for after_ms, is_asked in ((0, True), (RETRY_MS - 1, False), (1, True)):
        order.is_cancel_asked = False
        trading.now_ms += after_ms
        trading.tell(entry.tag)
        assert order.is_cancel_asked == is_asked


def test_fills_of_a_late_order_are_counted_and_overselling_is_an_alert() -> None:
    trading = leaving_in_doubt(fate=DOUBT_MS + 1)
    trading.wait(DOUBT_MS)
    late, anew = trading.plans("exit")
    trading.fill(anew.tag, anew.quantity)
    trading.wait(1)
    trading.venue.fill(late.tag, LOT)
    told = trading.tell(late.tag)
    kinds = [event.type for event in told]
    assert kinds == ["OrderFilled", "OrderUnresolved", "OrderUnresolved"]
    assert any("sold that were not held" in e.reason for e in trading.all(OrderUnresolved))
    assert trading.executor.blotter.holding(POSITION).sellable == 0
    trading.wait(60_000)
    assert len(trading.plans("exit")) == 2


def test_a_second_order_with_the_same_tag_is_cancelled_and_its_end_ends_nothing() -> None:
    trading = Doubtful(list_chain(make_executor()))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    fill = (Fill("of the twin", LOT, trading.plans("entry")[0].price),)
    trading.by_hand = LOT  # the account has what the twin bought
    twin = OrderUpdate("twin", entry.tag, "OPEN", trading.now_ms, fill)
    effects = list(trading.executor.on_updates([twin], trading.now_ms))
    assert [getattr(one, "broker_order_id", "") for one in effects][-1] == "twin"
    assert trading.executor.blotter.holding(POSITION).bought == LOT
    ended = OrderUpdate("twin", entry.tag, "CANCELLED", trading.now_ms, fill)
    assert list(trading.executor.on_updates([ended], trading.now_ms)) == []
    order = trading.executor.blotter.with_tag(entry.tag)
    assert order is not None
    assert order.working_quantity == entry.quantity, "the first one is as it was"
    trading.hear(exit_requested(POSITION))
    assert trading.venue.orders[entry.tag].is_cancel_asked
    trading.confirm_cancel(entry.tag)
    (sale,) = trading.venue.open_orders("SELL")
    assert sale.request.quantity == LOT


@pytest.mark.parametrize("count", [1, 3])
def test_many_orders_in_doubt_are_looked_up_together(count: int) -> None:
    trading = leaving_in_doubt()
    for number in range(1, count):
        trading.fate = None
        trading.now_ms += 10
        trading.hear(exit_requested(POSITION, number=number + 10, lots=1))
    due = list(trading.executor.on_event(ticks([], at_ms=NOW), trading.now_ms + DOUBT_MS))
    assert len([one for one in due if type(one).__name__ == "LookUp"]) == 1


steps = st.lists(
    st.tuples(
        st.sampled_from(["wait", "fill", "tell", "leave", "restart", "book", "confirm"]),
        st.sampled_from([0, None, 10, 3000, 14_000, 21_000]),
        st.sampled_from([1, 500, 2500, 6000, 16_000]),
    ),
    max_size=14,
)


@examples(60)
@given(steps, st.sampled_from([0, None, 10, 14_000, 21_000]))
def test_whatever_is_lost_or_late_no_more_is_sold_than_held_and_an_exit_ends_flat(
    story: list[tuple[str, int | None, int]], first: int | None
) -> None:
    trading = in_doubt(first)
    is_leaving = False
    for step, fate, milliseconds in story:
        trading.fate = fate
        if step == "leave":
            is_leaving = True
            trading.hear(exit_requested(POSITION))
        elif step == "restart":
            trading = _restarted(trading, is_leaving=is_leaving)
        else:
            _step(trading, step, milliseconds)
        _check(trading)
    trading.fate, trading.is_book_readable, is_leaving = 0, True, True
    trading.hear(exit_requested(POSITION))
    for _ in range(30):
        trading.wait(4000)
        _step(trading, "confirm", 0)
        _step(trading, "fill", 0)
        _check(trading)
    holding = trading.executor.blotter.holding(POSITION)
    assert holding.sold >= holding.bought, "it ends flat"
    assert (holding.buying, holding.selling) == (0, 0)


def _step(trading: Doubtful, step: str, milliseconds: int) -> None:
    known = [one for one in trading.venue.orders.values() if one.status == "OPEN"]
    if step == "wait":
        trading.wait(milliseconds)
    elif step == "book":
        trading.is_book_readable = not trading.is_book_readable
    elif step == "fill":
        for order in known:
            trading.venue.fill(order.request.tag, min(LOT, order.left))
    elif step == "confirm":
        for order in known:
            order.status = "CANCELLED" if order.is_cancel_asked else "OPEN"
    if step != "wait":
        trading.tell(*trading.venue.orders)


def _restarted(trading: Doubtful, *, is_leaving: bool) -> Doubtful:
    """A new executor, restored from the published events; the venue kept running."""
    executor = make_executor()
    written = [one for one in trading.events if isinstance(one, (ExecutionDecided, OrderEvent))]
    for event in (*chain_listed(), *written, *([exit_requested(POSITION)] if is_leaving else [])):
        executor.restore(event)
    again = Doubtful(
        list_chain(executor),
        trading.venue,
        list(trading.events),
        trading.now_ms,
        fate=trading.fate,
        on_their_way=trading.on_their_way,
        is_book_readable=trading.is_book_readable,
    )
    again.carry(executor.settle(again.venue.book(again.now_ms), again.now_ms))
    return again


def _check(trading: Doubtful) -> None:
    """No more is sold, or may be, than is held, except by orders that were given up."""
    holding = trading.executor.blotter.holding(POSITION)
    at_venue = [
        one for one in trading.venue.orders.values() if one.request.transaction_type == "SELL"
    ]
    in_time = [one for one in at_venue if one.request.tag not in trading.given_up]
    sold = sum(one.request.quantity - one.left for one in in_time)
    open_sales = sum(one.left for one in in_time if one.status == "OPEN")
    assert sold + open_sales <= holding.bought
