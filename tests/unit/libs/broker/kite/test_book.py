from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.book import OrderBook
from libs.market.calendar import midnight_ms
from tests.unit.libs.broker.kite.rows import order, request, trade

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


OURS = "ABCDEFGHIJKLMNOP2345"


def our_book() -> OrderBook:
    """Return a book to which orders with the tag of most rows are ours."""
    book = OrderBook()
    book.own("tag1")
    return book


def lesson_of(number: int) -> Lesson:
    if number < len(STATES):
        return lambda book: book.take_order(STATES[number], 0)
    return lambda book: book.take_trades([TRADES[number - len(STATES)]])


LESSONS = st.lists(st.integers(0, len(STATES) + len(TRADES) - 1), max_size=20)


@given(LESSONS, st.permutations(range(len(STATES) + len(TRADES))))
def test_late_doubled_and_disordered_updates_end_in_the_same_order(
    some: list[int], all_of_them: list[int]
) -> None:
    book = our_book()
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
    book = our_book()
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
    book = our_book()
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
    book = our_book()
    book.take_order(order(status="CANCELLED", status_message="on request"), 0)
    book.take_order(order(status="OPEN"), 0)
    (update,) = book.updates()
    assert (update.status, update.reason[-10:]) == ("CANCELLED", "on request")
    assert book.is_final("1")
    assert not book.is_working


def test_a_trade_without_an_order_cannot_be_read() -> None:
    with pytest.raises(ReplyUnreadable, match="names no order"):
        our_book().take_trades([{**trade(), "order_id": None}])


def test_a_fill_after_the_cancellation_is_news() -> None:
    book = our_book()
    book.take_order(order(status="CANCELLED"), 0)
    assert len(book.news()) == 1
    book.take_order(order(status="CANCELLED", filled=25), 0)
    book.take_trades([TRADES[0]])
    (update,) = book.news()
    assert (update.status, len(update.fills)) == ("CANCELLED", 1)


def test_that_a_placed_order_is_open_is_no_news() -> None:
    book = our_book()
    book.expect("1", request())
    assert book.is_working
    book.take_order(order(status="OPEN"), 0)
    assert book.news() == []


def test_trades_that_fill_an_order_complete_it_before_the_order_says_so() -> None:
    book = our_book()
    book.expect("1", request())
    book.take_trades(TRADES)
    (update,) = book.news()
    assert (update.status, len(update.fills)) == ("COMPLETE", 3)
    assert not book.is_working
    book.take_order(order(status="COMPLETE", filled=75), 0)
    assert book.news() == []


def test_an_order_of_which_nothing_was_known_is_news() -> None:
    book = our_book()
    book.take_order(order(status="OPEN"), 0)
    (update,) = book.news()
    assert (update.tag, update.status, update.fills) == ("tag1", "OPEN", ())
    assert book.has_tag("tag1")
    assert not book.has_tag("tag2")


def test_an_order_without_a_tag_is_nobodys() -> None:
    book = our_book()
    book.take_order(order(tag=None), 0)
    assert book.updates()[0].tag == ""


def test_an_order_shows_its_contract_side_quantity_and_product() -> None:
    book = our_book()
    contract = {"exchange": "NFO", "tradingsymbol": "NIFTY25O1425100CE", "product": "NRML"}
    book.take_order(order(**contract, transaction_type="SELL", tag="by hand"), 0)
    (update,) = book.updates()
    assert (update.exchange, update.tradingsymbol) == ("NFO", "NIFTY25O1425100CE")
    assert (update.transaction_type, update.product, update.quantity) == ("SELL", "NRML", 75)
    book.expect("2", request())
    assert book.updates()[1].tradingsymbol == "NIFTY25O1425100CE"


def test_a_stop_awaits_its_trigger_until_it_is_open_also_if_old_news_come_late() -> None:
    book = our_book()
    stop = {"order_type": "SL"}
    book.expect("1", request(order_type="SL"))
    told = []
    for status in ("PUT ORDER REQ RECEIVED", "TRIGGER PENDING", "MODIFY PENDING", "OPEN"):
        book.take_order(order(status=status, **stop), 0)
        told += [update.awaits_trigger for update in book.news()]
    assert told == [True, False]
    book.take_order(order(status="TRIGGER PENDING", **stop), 0)
    assert not book.updates()[0].awaits_trigger


@pytest.mark.parametrize("status", ["PUT ORDER REQ RECEIVED", "OPEN PENDING", "MODIFY PENDING"])
def test_whether_a_stop_on_its_way_awaits_its_trigger_is_not_known(status: str) -> None:
    book = our_book()
    book.take_order(order(status=status, order_type="SL"), 0)
    assert book.updates()[0].awaits_trigger is None
    book.take_order(order(status=status, order_type="LIMIT"), 0)
    book.take_order(order("2", status=status, order_type="LIMIT"), 0)
    assert book.updates()[1].awaits_trigger is False


@pytest.mark.parametrize(
    ("message", "who"),
    [
        ("17070 : The Price is out of the LPP range", "cancelled by the exchange: 17070"),
        ("RMS: auto square off", "cancelled by the broker: RMS"),
        ("Unmatched orders cancelled by the system", "lapsed: Unmatched"),
        (None, "cancelled by somebody else"),
    ],
)
def test_a_cancellation_says_who_made_it(message: str | None, who: str) -> None:
    book = our_book()
    book.take_order(order(status="CANCELLED", status_message=message), 0)
    assert book.updates()[0].reason.startswith(who)


def test_what_was_open_and_is_not_listed_the_next_day_has_lapsed_and_what_ended_is_forgotten() -> (
    None
):
    book = our_book()
    book.take_order(order("1", status="OPEN"), 0)
    book.take_order(order("2", "COMPLETE", 75), 0)
    book.take_trades([trade(order_id="2")])
    book.take_order(order("3", status="TRIGGER PENDING", order_type="SL"), 0)
    book.expect("4", request())
    book.news()
    book.end_days_before(midnight_ms(date(2021, 5, 31)), ["3"])
    assert book.news() == []
    book.end_days_before(midnight_ms(date(2021, 6, 1)), ["3"])
    (update,) = book.news()
    assert (update.broker_order_id, update.status) == ("1", "CANCELLED")
    assert update.reason.startswith("lapsed")
    assert [one.broker_order_id for one in book.updates()] == ["1", "3", "4"]
    book.end_days_before(midnight_ms(date(2021, 6, 1)), ["3"])
    assert [one.broker_order_id for one in book.updates()] == ["3", "4"]


@pytest.mark.parametrize(
    ("at", "reason"), [("15:29:59", "cancelled by somebody else"), ("15:30:00", "lapsed")]
)
def test_what_is_cancelled_at_the_close_has_lapsed(at: str, reason: str) -> None:
    book = our_book()
    ended = {"exchange": "NFO", "exchange_update_timestamp": f"2021-05-31 {at}"}
    book.take_order(order(status="CANCELLED", **ended), 0)
    assert book.updates()[0].reason == reason


def test_a_cancellation_that_was_asked_for_here_says_what_kite_says() -> None:
    book = our_book()
    book.expect("1", request())
    book.cancel("1")
    book.take_order(order(status="CANCELLED"), 0)
    assert book.updates()[0].reason == ""


def test_a_fill_is_told_from_its_order_and_confirmed_by_trades_that_come_later() -> None:
    book = our_book()
    book.take_order(order(status="COMPLETE", filled=75), 0)
    assert book.fill_up("1") is not None
    (update,) = book.news()
    (fill,) = update.fills
    assert (fill.quantity, fill.price, fill.fill_id) == (75, Decimal("109.4"), "order-1-75")
    assert book.unconfirmed() == ["1"]
    assert book.fill_up("1") is None
    book.take_trades([trade("11", 50, 109.4), trade("12", 25, 109.5)])
    assert (book.news(), book.updates()[0].fills) == ([], (fill,))
    assert (book.unconfirmed(), book.difference("1")) == ([], Decimal("2.5"))


def test_what_trades_show_beyond_a_fill_that_was_told_is_told_once() -> None:
    book = our_book()
    book.take_order(order(filled=25), 0)
    book.fill_up("1")
    book.take_order(order(status="COMPLETE", filled=75), 0)
    book.take_trades([trade("11", 50), trade("12", 25)])
    told = [(fill.fill_id, fill.quantity) for fill in book.updates()[0].fills]
    assert told == [("order-1-25", 25), ("11", 25), ("12", 25)]
    assert book.updates()[0].status == "COMPLETE"


def test_an_order_of_somebody_else_shows_what_it_filled_without_trades() -> None:
    book = our_book()
    book.take_order(order("777", status="OPEN", filled=50, tag=None), 0)
    assert book.lacking() == []
    (update,) = book.updates()
    assert (update.filled_quantity, update.working_quantity) == (50, 25)


@pytest.mark.parametrize(("status", "filled"), [("COMPLETE", 75), ("OPEN", 0), ("CANCELLED", 0)])
def test_an_order_that_does_not_say_what_it_filled_has_filled_by_its_status(
    status: str, filled: int
) -> None:
    book = our_book()
    book.take_order(order(status=status, filled_quantity=None, average_price=109.4), 0)
    book.fill_up("1")
    assert book.updates()[0].filled_quantity == filled


def test_ours_are_tags_of_the_executors_form_and_those_that_were_placed_here() -> None:
    book = our_book()
    assert book.is_ours("", OURS)
    assert book.is_ours("", "tag1")
    assert not book.is_ours("1", "")
    book.take_order(order("1", tag="tag1"), 0)
    assert book.is_ours("1", "")
    book.take_order(order("2", tag="autoslice", tags=["autoslice", OURS]), 0)
    assert book.has_tag(OURS)


@pytest.mark.parametrize(
    "broken",
    [{}, order(filled_quantity="x"), {"order_id": "1"}, order(status=None), order(order_id=None)],
)
def test_an_order_that_cannot_be_read_changes_nothing(broken: dict[str, object]) -> None:
    book = our_book()
    with pytest.raises(ReplyUnreadable):
        book.take_order(broken, 0)
    assert book.updates() == []
