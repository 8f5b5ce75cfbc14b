from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.book import OrderBook
from tests.unit.libs.broker.kite.rows import order, trade

Lesson = Callable[[OrderBook], None]

STATES = [
    order(status="PUT ORDER REQ RECEIVED"),
    order(status="OPEN"),
    order(status="OPEN", filled=25),
    order(status="UPDATE", filled=50),
    order(status="COMPLETE", filled=75),
]
TRADES = [
    trade("11", 25, 109.4),
    trade("12", 25, 109.45),
    trade("13", 25, 109.5),
]


def lesson_of(number: int) -> Lesson:
    if number < len(STATES):
        return lambda book: book.take_order(STATES[number], 0)
    return lambda book: book.take_trades([TRADES[number - len(STATES)]])


LESSONS = st.lists(st.integers(0, len(STATES) + len(TRADES) - 1), max_size=20)


@given(LESSONS, st.permutations(range(len(STATES) + len(TRADES))))
def test_late_doubled_and_disordered_updates_end_in_the_same_order(
    some: list[int], all_of_them: list[int]
) -> None:
    book = OrderBook()
    news = []
    for number in [*some, *all_of_them, *some]:
        lesson_of(number)(book)
        news += book.news()
    (end,) = book.updates()
    assert (end.status, sum(fill.quantity for fill in end.fills)) == ("COMPLETE", 75)
    assert [fill.fill_id for fill in end.fills] == ["11", "12", "13"]
    assert (news[-1].status, news[-1].fills) == (end.status, end.fills)
    assert book.news() == []


@given(LESSONS)
def test_what_is_handed_on_only_goes_forward(some: list[int]) -> None:
    book = OrderBook()
    news = []
    for number in some:
        lesson_of(number)(book)
        news += book.news()
    filled = [sum(fill.quantity for fill in update.fills) for update in news]
    assert all(earlier <= later for earlier, later in pairwise(filled))
    is_final = [update.status != "OPEN" for update in news]
    assert is_final == sorted(is_final)
    states = list(zip(filled, is_final, strict=True))
    assert len(set(states)) == len(states)


def test_an_update_waits_for_its_trades() -> None:
    book = OrderBook()
    book.take_order(order(status="COMPLETE", filled=75), 0)
    assert book.news() == []
    assert book.lacking() == ["1"]
    book.take_trades([trade("11", 50, 109.4)])
    assert book.news() == []
    book.take_trades([trade("12", 25, 109.45)])
    (update,) = book.news()
    assert [fill.price for fill in update.fills] == [Decimal("109.4"), Decimal("109.45")]
    assert book.lacking() == []


def test_a_final_state_stays() -> None:
    book = OrderBook()
    book.take_order(order(status="CANCELLED", status_message="on request"), 0)
    book.take_order(order(status="OPEN"), 0)
    (update,) = book.updates()
    assert (update.status, update.reason) == ("CANCELLED", "on request")
    assert book.is_final("1")
    assert not book.is_working


def test_a_fill_after_the_cancellation_is_news() -> None:
    book = OrderBook()
    book.take_order(order(status="CANCELLED"), 0)
    assert len(book.news()) == 1
    book.take_order(order(status="CANCELLED", filled=25), 0)
    book.take_trades([TRADES[0]])
    (update,) = book.news()
    assert (update.status, len(update.fills)) == ("CANCELLED", 1)


def test_that_a_placed_order_is_open_is_no_news() -> None:
    book = OrderBook()
    book.expect("1", "tag1", 75)
    assert book.is_working
    book.take_order(order(status="OPEN"), 0)
    assert book.news() == []


def test_trades_that_fill_an_order_complete_it_before_the_order_says_so() -> None:
    book = OrderBook()
    book.expect("1", "tag1", 75)
    book.take_trades(TRADES)
    (update,) = book.news()
    assert (update.status, len(update.fills)) == ("COMPLETE", 3)
    assert not book.is_working
    book.take_order(order(status="COMPLETE", filled=75), 0)
    assert book.news() == []


def test_an_order_of_which_nothing_was_known_is_news() -> None:
    book = OrderBook()
    book.take_order(order(status="OPEN"), 0)
    (update,) = book.news()
    assert (update.tag, update.status, update.fills) == ("tag1", "OPEN", ())
    assert book.has_tag("tag1")
    assert not book.has_tag("tag2")


def test_an_order_without_a_tag_is_nobodys() -> None:
    book = OrderBook()
    book.take_order(order(tag=None), 0)
    assert book.updates()[0].tag == ""


@pytest.mark.parametrize("broken", [{}, order(filled_quantity="x"), {"order_id": "1"}])
def test_an_order_that_cannot_be_read_changes_nothing(broken: dict[str, object]) -> None:
    book = OrderBook()
    with pytest.raises(ReplyUnreadable):
        book.take_order(broken, 0)
    assert book.updates() == []
