"""What is cancelled and closed, from what the broker shows."""

import pytest

from services.local.flatten.account import ContractKey
from services.local.flatten.books import Booked
from services.local.flatten.plan import Scope, Target, plan_of
from tests.unit.services.local.flatten.books import (
    BY_HAND,
    FLATTEN_TAG,
    KEY,
    LOT,
    account,
    bought,
    order,
)

KNOWN = Scope(books=())


def test_an_empty_account_is_flat() -> None:
    assert plan_of(account(), Scope()).is_flat


def test_what_our_tags_bought_is_sold() -> None:
    plan = plan_of(account(bought(2 * LOT), net=2 * LOT), KNOWN)
    assert plan.targets == (Target(KEY, 2 * LOT, 2 * LOT),)
    assert not plan.is_done


@pytest.mark.parametrize(
    ("ours", "net", "units"),
    [(2, 1, 1), (1, 2, 1), (2, 0, 0), (2, -1, 0), (-1, -1, -1), (-2, -1, -1), (-1, 2, 0)],
)
def test_never_more_is_closed_than_the_account_has_nor_than_is_ours(
    ours: int, net: int, units: int
) -> None:
    made = bought(ours * LOT) if ours > 0 else order(1, "SELL", -ours * LOT, -ours * LOT)
    plan = plan_of(account(made, net=net * LOT), KNOWN)
    assert sum(one.units for one in plan.targets) == units * LOT


def test_our_working_orders_are_cancelled_and_those_by_hand_are_not() -> None:
    stop, by_hand = order(2), order(3, tag=BY_HAND)
    assert plan_of(account(stop, by_hand), KNOWN).cancels == (stop,)


def test_a_sale_of_this_command_is_cancelled_where_all_that_is_left_is_not_ours() -> None:
    sold, sale = order(2, filled=LOT, status="COMPLETE"), order(3, tag=FLATTEN_TAG)
    plan = plan_of(account(bought(LOT), bought(LOT, BY_HAND), sold, sale, net=LOT), KNOWN)
    assert plan.cancels == (sale,)
    assert (plan.targets, plan.is_flat) == ((), False)


def test_the_whole_account_means_the_orders_by_hand_too() -> None:
    stop, by_hand = order(2), order(3, tag=BY_HAND)
    assert plan_of(account(stop, by_hand), Scope(is_all=True)).cancels == (stop, by_hand)


def test_a_named_contract_is_closed_whoever_bought_it() -> None:
    held = account(bought(LOT, BY_HAND), net=LOT)
    named = Scope(contracts=frozenset({KEY.tradingsymbol}))
    assert plan_of(held, named).targets == (Target(KEY, LOT, LOT),)


def test_what_nobody_knows_is_named_and_keeps_it_from_being_flat() -> None:
    plan = plan_of(account(net=LOT), Scope())
    assert (plan.unknown, plan.is_done, plan.is_flat) == ({KEY: LOT}, True, False)


def test_what_our_books_do_not_hold_is_by_hand_and_left_alone() -> None:
    plan = plan_of(account(net=LOT), KNOWN)
    assert (plan.by_hand, plan.is_flat) == ({KEY: LOT}, True)


def test_what_our_books_held_before_today_is_ours() -> None:
    plan = plan_of(account(net=2 * LOT), Scope(books=(Booked("X" * 20, "earlier", KEY, LOT),)))
    assert plan.targets == (Target(KEY, LOT, 2 * LOT),)
    assert plan.by_hand == {KEY: LOT}


def test_what_was_sold_today_of_an_earlier_day_is_no_short_of_ours() -> None:
    sold = order(1, "SELL", LOT, LOT, status="COMPLETE")
    plan = plan_of(account(sold, net=-LOT), Scope(books=(Booked("X" * 20, "earlier", KEY, LOT),)))
    assert (plan.targets, plan.by_hand) == ((), {KEY: -LOT})


def test_units_in_a_sale_by_hand_are_left_to_it() -> None:
    plan = plan_of(account(bought(2 * LOT), order(2, tag=BY_HAND), net=2 * LOT), KNOWN)
    assert plan.targets == (Target(KEY, LOT, 2 * LOT, blocked=LOT),)


def test_an_order_of_this_command_works_on_while_there_is_something_to_close() -> None:
    sale = order(2, tag=FLATTEN_TAG)
    assert plan_of(account(bought(LOT), sale, net=LOT), KNOWN).cancels == ()
    assert plan_of(account(bought(LOT), sale, net=0), KNOWN).cancels == (sale,)


def test_shares_in_delivery_are_named_and_not_sold() -> None:
    key = ContractKey("NSE", "INFY", "CNC")
    plan = plan_of(account(net=10, key=key), Scope(is_all=True))
    assert (plan.targets, plan.untradable, plan.is_flat) == ((), {key: 10}, False)


def test_what_the_broker_shows_of_today_is_not_counted_again() -> None:
    today = bought(LOT)
    flattened = order(2, "SELL", LOT, LOT, FLATTEN_TAG, "COMPLETE")
    again = order(3, "BUY", LOT, LOT, "C" * 20, "COMPLETE")
    books = (
        Booked(today.tag, today.broker_order_id, KEY, LOT),
        Booked("D" * 20, flattened.broker_order_id, KEY, -LOT),  # as it was booked afterwards
    )
    plan = plan_of(account(today, flattened, again, net=LOT), Scope(books=books))
    assert plan.targets == (Target(KEY, LOT, LOT),)
