"""Of the sales of two runs the earliest stay, as many as the account has units."""

from services.local.flatten.dedup import sorted_out
from tests.unit.services.local.flatten.books import FLATTEN_TAG, LOT, order

OTHER_TAG = "FLATTEN" + "B" * 13


def test_of_two_orders_of_one_tag_the_earlier_stays() -> None:
    first, second = order(1, tag=FLATTEN_TAG), order(2, tag=FLATTEN_TAG)
    found = sorted_out([second, first], units=2 * LOT)
    assert (found.kept, found.excess) == ((first,), (second,))


def test_no_more_stays_than_the_account_has() -> None:
    first, second = order(1, tag=FLATTEN_TAG), order(2, tag=OTHER_TAG)
    assert sorted_out([first, second], units=LOT).excess == (second,)
    assert sorted_out([first, second], units=2 * LOT).kept == (first, second)


def test_what_is_left_to_fill_counts() -> None:
    first, second = order(1, units=2 * LOT, filled=LOT, tag=FLATTEN_TAG), order(2, tag=OTHER_TAG)
    assert sorted_out([first, second], units=2 * LOT).units == 2 * LOT


def test_an_order_on_the_wrong_side_is_too_much() -> None:
    sale = order(1, tag=FLATTEN_TAG)
    assert sorted_out([sale], units=-LOT).excess == (sale,)
    assert sorted_out([sale], units=0).excess == (sale,)


def test_orders_that_have_ended_are_not_looked_at() -> None:
    ended = order(1, tag=FLATTEN_TAG, status="CANCELLED")
    assert sorted_out([ended], units=LOT).excess == ()


def test_the_book_may_come_in_any_order_and_numbers_may_grow_longer() -> None:
    first = order(99_999, tag=FLATTEN_TAG)
    second = order(100_000, tag=OTHER_TAG)
    assert sorted_out([second, first], units=LOT).kept == (first,)
