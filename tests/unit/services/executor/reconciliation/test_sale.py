"""The short read before a sale."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.port import ContractState, NetPosition, OrderUpdate
from services.executor.domain.reconciliation import OurContract, OurOrder, Sale, sellable
from tests.unit.services.executor.reconciliation.accounts import KEY, LOT


def ours(held: int = LOT, selling: int = 0) -> OurContract:
    orders = (OurOrder("exit", "7", "SELL", 0, selling),) if selling else ()
    return OurContract(KEY, "NIFTY", LOT, held, 0, orders)


def working(quantity: int, tag: str = "", product: str = "NRML", side: str = "SELL") -> OrderUpdate:
    return OrderUpdate(
        broker_order_id="7" if tag else "99",
        tag=tag,
        status="OPEN",
        at_ms=0,
        exchange=KEY.exchange,
        tradingsymbol=KEY.tradingsymbol,
        transaction_type=side,  # type: ignore[arg-type]  # one of two
        product=product,
        quantity=quantity,
    )


def state(net: int, *orders: OrderUpdate, product: str = "NRML") -> ContractState:
    return ContractState((NetPosition(*KEY[:2], product, net),), orders)


def test_what_is_held_is_sold() -> None:
    assert sellable(LOT, ours(), state(LOT)) == Sale(LOT)


def test_what_was_sold_by_hand_is_not_sold_again() -> None:
    assert sellable(LOT, ours(), state(0)) == Sale(
        0, LOT, "of 75 units 0 can be sold: the account holds 0"
    )


def test_an_account_that_is_short_sells_nothing() -> None:
    assert sellable(LOT, ours(), state(-5 * LOT)).quantity == 0
    assert sellable(LOT, ours(), state(-5 * LOT)).sold_by_hand == LOT


def test_units_in_sales_by_hand_are_not_free() -> None:
    sale = sellable(2 * LOT, ours(2 * LOT), state(2 * LOT, working(LOT)))
    assert (sale.quantity, sale.sold_by_hand) == (LOT, 0)
    assert "75 in sales by hand" in sale.why


@pytest.mark.parametrize("order", [working(LOT, product="MIS"), working(LOT, side="BUY")])
def test_orders_of_another_product_and_purchases_keep_nothing_from_a_sale(
    order: OrderUpdate,
) -> None:
    assert sellable(LOT, ours(), state(LOT, order)) == Sale(LOT)


def test_units_of_another_product_are_not_ours_to_sell() -> None:
    assert sellable(LOT, ours(), state(LOT, product="MIS")).quantity == 0


def test_a_sale_of_ours_counts_once_whether_books_or_broker_know_it() -> None:
    both = state(2 * LOT, working(LOT, "exit"))
    assert sellable(LOT, ours(2 * LOT, selling=LOT), both) == Sale(LOT)
    assert sellable(LOT, ours(2 * LOT, selling=LOT), state(2 * LOT)) == Sale(LOT)
    assert sellable(LOT, ours(2 * LOT, selling=LOT), state(LOT)).quantity == 0


def test_what_the_owner_holds_besides_does_not_count_as_ours() -> None:
    assert sellable(LOT, ours(), state(3 * LOT)) == Sale(LOT)


def test_only_whole_lots_of_a_shortened_sale_are_sold() -> None:
    assert sellable(2 * LOT, ours(2 * LOT), state(LOT + 10)).quantity == LOT


def test_without_a_reading_what_our_own_fills_hold_is_sold_with_an_alert() -> None:
    sale = sellable(2 * LOT, ours(2 * LOT, selling=LOT), None)
    assert sale == Sale(LOT, why="the account could not be read", is_read=False)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(-500, 500), st.integers(0, 500))
def test_never_is_more_sold_than_asked_or_than_the_account_has(
    asked: int, held: int, net: int, by_hand: int
) -> None:
    contract = replace(ours(held), lot_size=1)
    orders = (working(by_hand),) if by_hand else ()
    sale = sellable(asked, contract, state(net, *orders))
    assert 0 <= sale.quantity <= max(0, min(asked, net - by_hand))
    assert 0 <= sale.sold_by_hand <= held
    assert bool(sale.why) == (sale.quantity < asked)
