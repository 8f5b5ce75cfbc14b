import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.quotes import Quote, QuoteBook

QUOTE = Quote(
    at_ms=1_000,
    last_price=101.0,
    volume=750,
    oi=1_500,
    bid_price=100.0,
    bid_quantity=75,
    ask_price=102.0,
    ask_quantity=150,
)


def full_update(book: QuoteBook, tokens: list[int], quotes: list[Quote]) -> None:
    names = [field.name for field in dataclasses.fields(Quote)]
    columns = {name: [getattr(quote, name) for quote in quotes] for name in names}
    book.update(tokens, **columns)


def test_a_quote_comes_back_as_it_went_in() -> None:
    book = QuoteBook([5, 3])
    full_update(book, [3], [QUOTE])
    assert book.quote(3) == QUOTE
    assert isinstance(book.quote(3).volume, int)  # type: ignore[union-attr]


def test_there_is_no_quote_before_the_first_tick_nor_of_an_unfollowed_token() -> None:
    book = QuoteBook([3])
    assert book.quote(3) is None
    assert book.quote(4) is None
    assert QuoteBook().quote(3) is None


def test_the_last_row_of_a_token_wins_and_unfollowed_rows_are_ignored() -> None:
    book = QuoteBook([3, 7])
    book.update(np.array([7, 9, 3, 7]), np.array([1, 2, 3, 4]), last_price=[10.0, 11, 12, 13])
    assert (book.quote(7).last_price, book.quote(7).at_ms) == (13.0, 4)  # type: ignore[union-attr]
    assert book.quote(3).last_price == 12.0  # type: ignore[union-attr]
    assert book.quote(9) is None


def test_columns_that_are_not_given_keep_their_values() -> None:
    book = QuoteBook([3])
    full_update(book, [3], [QUOTE])
    book.update([3], [2_000], last_price=[105.0])
    assert book.quote(3) == dataclasses.replace(QUOTE, at_ms=2_000, last_price=105.0)


def test_following_more_tokens_keeps_the_quotes_there_are() -> None:
    book = QuoteBook([5])
    full_update(book, [5], [QUOTE])
    book.register([9, 1, 5, 9])
    assert len(book) == 3
    assert book.quote(5) == QUOTE
    assert book.quote(1) is None
    full_update(book, [1], [QUOTE])
    assert book.quote(1) == QUOTE


def test_a_book_without_tokens_ignores_everything() -> None:
    book = QuoteBook()
    book.update([1, 2], [1, 2], last_price=[1.0, 2.0])
    taken = book.take([1])
    assert len(book) == 0
    assert np.isnan(taken["last_price"]).all()
    assert taken["volume"].tolist() == [0]


def test_an_empty_batch_changes_nothing() -> None:
    book = QuoteBook([3])
    book.update([], [], last_price=[])
    assert book.quote(3) is None


def test_columns_are_taken_in_the_order_asked_for() -> None:
    book = QuoteBook([3, 7])
    book.update([3, 7], [1, 2], last_price=[30.0, 70.0], oi=[300, 700])
    taken = book.take([7, 8, 3, 7])
    assert taken["instrument_token"].tolist() == [7, 8, 3, 7]
    assert taken["oi"].tolist() == [700, 0, 300, 700]
    assert taken["at_ms"].tolist() == [2, 0, 1, 2]
    np.testing.assert_array_equal(taken["last_price"], [70.0, np.nan, 30.0, 70.0])
    np.testing.assert_array_equal(taken["bid_price"], [np.nan] * 4)


def test_what_was_taken_does_not_change_with_the_book() -> None:
    book = QuoteBook([3])
    book.update([3], [1], last_price=[30.0])
    taken = book.take([3])
    book.update([3], [2], last_price=[31.0])
    assert taken["last_price"].tolist() == [30.0]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(IndexError):
        QuoteBook([3, 4]).update([3, 4], [1, 2], last_price=[30.0])


@pytest.mark.parametrize(
    ("bid", "ask", "mid", "spread"),
    [
        (100.0, 102.0, 101.0, 2 / 101),
        (100.0, 100.0, 100.0, 0.0),
        (0.0, 102.0, None, None),
        (100.0, 0.0, None, None),
        (102.0, 100.0, None, None),
        (float("nan"), 100.0, None, None),
    ],
)
def test_a_mid_price_needs_both_sides(
    bid: float, ask: float, mid: float | None, spread: float | None
) -> None:
    quote = dataclasses.replace(QUOTE, bid_price=bid, ask_price=ask)
    assert quote.mid == mid
    assert quote.spread_fraction == spread


tokens = st.integers(1, 12)


@given(
    st.lists(tokens, max_size=6),
    st.lists(st.lists(st.tuples(tokens, st.floats(1, 100)), max_size=8), max_size=5),
)
def test_the_book_holds_what_a_dictionary_would(
    followed: list[int], batches: list[list[tuple[int, float]]]
) -> None:
    book, expected = QuoteBook(followed), {}
    for at, batch in enumerate(batches, start=1):
        prices = [last_price for _, last_price in batch]
        book.update([token for token, _ in batch], [at] * len(batch), last_price=prices)
        expected.update({t: (at, p) for t, p in batch if t in followed})
    quotes = {token: book.quote(token) for token in range(1, 13)}
    held = {token: (q.at_ms, q.last_price) for token, q in quotes.items() if q is not None}
    assert held == expected
