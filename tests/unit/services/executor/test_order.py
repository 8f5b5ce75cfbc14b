from decimal import Decimal
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.port import Fill, OrderUpdate
from libs.events.event import identity
from libs.events.orders import (
    OrderCancelled,
    OrderEvent,
    OrderFilled,
    OrderPlaced,
    OrderRejected,
    OrderUnresolved,
)
from services.executor.domain.order import ENDED, TRANSITIONS, Order, State, tag_of
from tests.unit.services.executor.builders import NOW, fill, plan, update

QUANTITY = 150
STATES: tuple[State, ...] = get_args(State)
TERMINAL = {"filled", "rejected"}


def new_order() -> Order:
    return Order(plan(QUANTITY))


def filled(order: Order, quantity: int, number: int = 1) -> OrderFilled:
    made = next(
        event
        for event in Order(order.plan, broker_order_id="b").on_update(
            update(order, "OPEN", fill(quantity, number=number))
        )
        if isinstance(event, OrderFilled)
    )
    return made


def event_towards(order: Order, state: State) -> OrderEvent:
    makers: dict[str, Any] = {
        "planned": lambda: order.plan,
        "placed": lambda: order.placed("b", NOW),
        "filled": lambda: filled(order, QUANTITY),
        "rejected": lambda: order.rejected("no", NOW),
        "cancelled": lambda: order.cancelled("late", NOW),
        "unresolved": lambda: order.unresolved("timeout", NOW),
    }
    event: OrderEvent = makers[state]()
    return event


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_an_order_moves_only_along_its_table(before: State, after: State) -> None:
    order = Order(plan(QUANTITY), state=before)
    order.apply(event_towards(order, after))
    assert order.state == (after if after in TRANSITIONS[before] else before)


def test_only_a_late_fill_leaves_a_final_state() -> None:
    assert TRANSITIONS["filled"] == TRANSITIONS["rejected"] == frozenset()
    assert TRANSITIONS["cancelled"] == {"filled"}
    assert all("planned" not in targets for targets in TRANSITIONS.values())
    assert all(TRANSITIONS[state] <= ENDED for state in ENDED)


@pytest.mark.parametrize("state", ["rejected", "cancelled", "filled"])
def test_an_order_that_ended_works_no_longer(state: State) -> None:
    assert Order(plan(QUANTITY), state=state).working_quantity == 0


@pytest.mark.parametrize("state", ["planned", "placed", "unresolved"])
def test_an_order_whose_end_is_not_known_works_on(state: State) -> None:
    assert Order(plan(QUANTITY), state=state).working_quantity == QUANTITY


def test_partial_fills_add_up_and_average() -> None:
    order = new_order()
    book = (fill(75, "100.00", 1), fill(75, "101.00", 2))
    events = [*order.on_update(update(order, "OPEN", book[0]))]
    assert [event.type for event in events] == ["OrderPlaced", "OrderFilled"]
    assert (order.state, order.working_quantity) == ("placed", 75)
    (second,) = order.on_update(update(order, "COMPLETE", *book))
    assert isinstance(second, OrderFilled)
    assert (second.fill_quantity, second.fill_price) == (75, Decimal("101.00"))
    assert (second.filled_quantity, second.average_price) == (150, Decimal("100.5"))
    assert (order.state, order.average_price) == ("filled", Decimal("100.5"))


def test_an_average_has_four_decimals() -> None:
    order = new_order()
    fills = (fill(100, "100.05", 1), fill(50, "100.10", 2))
    last = list(order.on_update(update(order, "COMPLETE", *fills)))[-1]
    assert isinstance(last, OrderFilled)
    assert last.average_price == Decimal("100.0667")


def test_a_repeated_update_adds_nothing() -> None:
    order = new_order()
    first = update(order, "OPEN", fill(75))
    assert list(order.on_update(first))
    assert list(order.on_update(first)) == []
    assert order.filled_quantity == 75


def test_a_fill_that_arrives_after_the_cancellation_counts() -> None:
    order = new_order()
    list(order.on_update(update(order, "CANCELLED")))
    assert order.state == "cancelled"
    (late,) = order.on_update(update(order, "CANCELLED", fill(75)))
    assert isinstance(late, OrderFilled)
    assert (order.state, order.filled_quantity, order.working_quantity) == ("cancelled", 75, 0)
    list(order.on_update(update(order, "CANCELLED", fill(75), fill(75, number=2))))
    assert (order.state, order.filled_quantity) == ("filled", 150)


def test_a_cancellation_has_the_quantity_filled_before() -> None:
    order = new_order()
    events = list(order.on_update(update(order, "CANCELLED", fill(75))))
    assert isinstance(events[-1], OrderCancelled)
    assert events[-1].filled_quantity == 75


def test_a_rejection_by_update_ends_the_order_with_its_reason() -> None:
    order = new_order()
    refused = OrderUpdate("b", order.plan.tag, "REJECTED", NOW, reason="margin")
    (event,) = order.on_update(refused)
    assert isinstance(event, OrderRejected)
    assert (event.reason, order.state) == ("margin", "rejected")


def test_an_order_found_in_the_brokers_book_takes_its_id_from_there() -> None:
    order = new_order()
    (event,) = order.on_update(update(order, "OPEN"))
    assert isinstance(event, OrderPlaced)
    assert (order.state, order.broker_order_id) == ("placed", f"broker-{order.plan.tag}")
    assert event.broker_order_id == order.broker_order_id


def test_an_unresolved_order_that_turns_up_is_placed() -> None:
    order = new_order()
    order.apply(order.unresolved("timeout", NOW))
    assert isinstance(order.on_update(update(order, "OPEN"))[0], OrderPlaced)
    assert order.state == "placed"


def test_events_carry_the_identity_of_the_plan_and_never_a_time_before_it() -> None:
    order = new_order()
    events = [
        order.placed("b", 0),
        order.rejected("no", 0),
        order.cancelled("no", 0),
        order.unresolved("no", 0),
        filled(order, 75),
    ]
    assert isinstance(events[3], OrderUnresolved)
    for event in events:
        assert event.occurred_at >= order.plan.occurred_at
        assert event.causation_id == order.plan.event_id
        assert (event.tag, event.position_id) == (order.plan.tag, order.plan.position_id)
        assert (event.stop_loss, event.target) == (order.plan.stop_loss, order.plan.target)
    assert len({event.event_id for event in events}) == len(events)


def test_the_same_update_has_the_same_id_and_other_fills_have_others() -> None:
    one, other = new_order(), new_order()
    assert filled(one, 75).event_id == filled(other, 75).event_id
    assert filled(one, 75).event_id != filled(one, 75, number=2).event_id


def test_a_request_asks_for_what_was_planned() -> None:
    order = new_order()
    request = order.request()
    assert request.tag == order.plan.tag
    assert (request.quantity, request.price) == (150, Decimal("101.00"))
    assert (request.order_type, request.product) == ("LIMIT", "NRML")
    assert request.transaction_type == "BUY"
    assert request.instrument_token == order.plan.contract.instrument_token
    assert request.placed_ms == NOW


@given(st.uuids())
def test_a_tag_is_twenty_letters_and_digits_and_a_function_of_the_id(order_id: UUID) -> None:
    tag = tag_of(order_id)
    assert len(tag) == 20
    assert tag.isascii()
    assert tag.isalnum()
    assert tag == tag_of(UUID(str(order_id)))


def test_no_two_of_many_ids_have_one_tag() -> None:
    of_orders = [identity("Order", uuid4(), leg, n) for leg in ("entry", "exit") for n in range(20)]
    random = [uuid4() for _ in range(20_000)]
    assert len({tag_of(one) for one in (*of_orders, *random)}) == 20_040


@st.composite
def broker_stories(draw: st.DrawFn) -> list[tuple[str, tuple[Fill, ...]]]:
    """Updates of one order as a broker may send them: repeated, late, and out of order."""
    sizes = draw(st.lists(st.sampled_from([25, 50, 75]), max_size=4))
    fills: list[Fill] = []
    for number, size in enumerate(sizes):
        if sum(one.quantity for one in fills) + size <= QUANTITY:
            fills.append(Fill(f"f{number}", size, Decimal(100 + number)))
    moments: list[tuple[str, tuple[Fill, ...]]] = [
        ("OPEN", tuple(fills[:count])) for count in range(len(fills) + 1)
    ]
    full = sum(one.quantity for one in fills) == QUANTITY
    ends = ["COMPLETE"] if full else ["CANCELLED", "OPEN"] if fills else ["CANCELLED", "REJECTED"]
    moments.append((draw(st.sampled_from(ends)), tuple(fills)))
    return draw(st.lists(st.sampled_from(moments), max_size=12))


@given(broker_stories())
def test_no_sequence_of_updates_counts_a_fill_twice_or_leaves_a_final_state(
    story: list[tuple[str, tuple[Fill, ...]]],
) -> None:
    order, told = new_order(), []
    for status, fills in story:
        before = order.state
        told += list(order.on_update(update(order, status, *fills)))
        assert order.filled_quantity <= QUANTITY
        assert 0 <= order.working_quantity <= QUANTITY - order.filled_quantity
        if before in TERMINAL:
            assert order.state == before
        if before == "cancelled":
            assert order.state in {"cancelled", "filled"}
    of_fills = [event for event in told if isinstance(event, OrderFilled)]
    seen = {one.fill_id: one.quantity for _, fills in story for one in fills}
    assert {event.fill_id: event.fill_quantity for event in of_fills} == seen
    assert len(of_fills) == len(seen)
    assert order.filled_quantity == sum(seen.values())
    assert len({event.event_id for event in told}) == len(told)


@given(broker_stories())
def test_repeated_events_of_an_order_rebuild_it(
    story: list[tuple[str, tuple[Fill, ...]]],
) -> None:
    order, told = new_order(), []
    for status, fills in story:
        told += list(order.on_update(update(order, status, *fills)))
    again = new_order()
    for event in (*told, *told):
        again.apply(event)
    assert again.fills == order.fills
    assert (again.state, again.broker_order_id) == (order.state, order.broker_order_id)
