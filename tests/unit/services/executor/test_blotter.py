from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.domain.blotter import Blotter, Holding
from services.executor.domain.exits import ExitRequests
from tests.unit.services.executor.builders import (
    LOT,
    exit_requested,
    fill,
    plan,
    update,
)

POSITION = plan().position_id


def test_a_holding_adds_up_entries_and_exits() -> None:
    blotter = Blotter()
    entry, rest = blotter.add(plan(150)), blotter.add(plan(75, number=1))
    first_exit, second_exit = (blotter.add(plan(75, number=n, leg="exit")) for n in (0, 1))
    list(entry.on_update(update(entry, "COMPLETE", fill(150))))
    list(rest.on_update(update(rest, "OPEN", fill(25, number=2))))
    list(first_exit.on_update(update(first_exit, "COMPLETE", fill(75, number=3))))
    list(second_exit.on_update(update(second_exit, "OPEN", fill(50, number=4))))
    holding = blotter.holding(POSITION)
    assert holding == Holding(bought=175, sold=125, selling=25, buying=50)
    assert holding.sellable == 25


def test_an_order_is_found_by_its_tag_and_by_its_position() -> None:
    blotter = Blotter()
    order = blotter.add(plan())
    assert blotter.with_tag(order.plan.tag) is order
    assert blotter.of_position(POSITION) == [order]
    assert blotter.with_tag("UNKNOWN") is None
    assert blotter.of_position(uuid4()) == []
    assert blotter.holding(uuid4()) == Holding(0, 0, 0, 0)


def test_only_orders_that_may_still_fill_are_working() -> None:
    blotter = Blotter()
    ended, going = blotter.add(plan()), blotter.add(plan(number=1))
    list(ended.on_update(update(ended, "CANCELLED")))
    assert blotter.working() == [going]


NEWS = st.tuples(st.integers(0, 3), st.sampled_from(["OPEN", "COMPLETE", "CANCELLED", "REJECTED"]))


@given(st.lists(NEWS, max_size=20))
def test_asking_for_working_orders_in_between_changes_nothing(news: list[tuple[int, str]]) -> None:
    asked, orders = Blotter(), [Blotter().add(plan(number=number)) for number in range(4)]
    followed = [asked.add(order.plan) for order in orders]
    for number, status in news:
        fills = (fill(2 * LOT, number=number),) if status == "COMPLETE" else ()
        for order in (orders[number], followed[number]):
            list(order.on_update(update(order, status, *fills)))
        working = [order.plan for order in orders if order.working_quantity]
        assert [order.plan for order in asked.working()] == working


def test_events_of_an_order_that_was_never_planned_are_ignored() -> None:
    blotter, stranger = Blotter(), Blotter().add(plan())
    blotter.apply(stranger.placed("b", 0))
    assert blotter.with_tag(stranger.plan.tag) is None


def test_a_plan_published_twice_is_one_order() -> None:
    blotter = Blotter()
    blotter.apply(plan())
    blotter.apply(plan())
    assert len(blotter.of_position(POSITION)) == 1


def asked(*lots: int | None) -> ExitRequests:
    made = ExitRequests()
    for number, some in enumerate(lots):
        made.add(exit_requested(POSITION, some, number))
    return made


@pytest.mark.parametrize(
    ("requests", "holding", "quantity"),
    [
        ((None,), Holding(300, 0, 0, 0), 300),
        ((None,), Holding(300, 75, 150, 0), 75),
        ((2,), Holding(300, 0, 0, 0), 150),
        ((2,), Holding(300, 75, 75, 0), 0),
        ((2,), Holding(75, 0, 0, 0), 75),
        ((1, 2), Holding(300, 75, 0, 0), 150),
        ((1, None), Holding(300, 75, 0, 0), 225),
        ((None, 1), Holding(300, 0, 0, 0), 300),
        ((1,), Holding(300, 150, 0, 0), 0),
    ],
)
def test_exit_requests_sell_what_was_requested_and_is_neither_sold_nor_being_sold(
    requests: tuple[int | None, ...], holding: Holding, quantity: int
) -> None:
    assert asked(*requests).quantity(holding, LOT) == quantity


def test_a_request_repeated_counts_once() -> None:
    one = asked(1)
    one.add(exit_requested(POSITION, 1, 0))
    assert one.quantity(Holding(300, 0, 0, 0), LOT) == LOT


def test_a_request_for_all_is_the_cause_and_else_the_latest_one() -> None:
    assert asked(1, None, None, 2).leading == exit_requested(POSITION, None, 1)
    assert asked(1, 2).leading == exit_requested(POSITION, 2, 1)


@given(
    st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=1, max_size=4),
    st.integers(0, 900),
    st.integers(0, 900),
    st.integers(0, 900),
)
def test_exit_requests_never_sell_more_than_is_sellable(
    requests: list[int | None], bought: int, sold: int, selling: int
) -> None:
    sold = min(sold, bought)
    holding = Holding(bought, sold, min(selling, bought - sold), 0)
    assert 0 <= asked(*requests).quantity(holding, LOT) <= holding.sellable
