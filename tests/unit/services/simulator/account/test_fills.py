from decimal import Decimal

import pytest

from tests.unit.services.simulator.account.market_stand_in import OPTION, Floor


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.mark.parametrize(("side", "price", "got"), [("BUY", "105", 100.05), ("SELL", "95", 99.95)])
def test_a_marketable_order_fills_at_the_best_opposite_price(
    floor: Floor, side: str, price: str, got: float
) -> None:
    order_id = floor.place(transaction_type=side, price=price)
    floor.go()
    assert floor.row(order_id)["average_price"] == got


def test_an_order_takes_what_is_quoted_and_waits_for_the_next_quote(floor: Floor) -> None:
    order_id = floor.place(quantity=195)
    floor.go(quantity=130)
    row = floor.row(order_id)
    assert (row["status"], row["filled_quantity"], row["pending_quantity"]) == ("OPEN", 130, 65)
    floor.go(ask=100.10, quantity=130)
    row = floor.row(order_id)
    assert row["status"] == "COMPLETE"
    assert row["average_price"] == pytest.approx((130 * 100.05 + 65 * 100.10) / 195, abs=1e-4)
    assert [fill["quantity"] for fill in floor.account.order_trades(order_id)] == [130, 65]


def test_orders_of_a_side_share_the_quote_first_come_first_served(floor: Floor) -> None:
    first, second, sale = (
        floor.place(quantity=130),
        floor.place(quantity=130),
        floor.place(quantity=130, transaction_type="SELL", price="99"),
    )
    floor.go(quantity=195)
    filled = [floor.row(one)["filled_quantity"] for one in (first, second, sale)]
    assert filled == [130, 65, 130]


def test_only_whole_lots_of_the_part_that_the_rules_allow_are_filled() -> None:
    floor = Floor(fill_fraction=Decimal("0.5"))
    order_id = floor.place(quantity=650)
    floor.go(quantity=390)
    assert floor.row(order_id)["filled_quantity"] == 195


def test_a_quote_fills_once(floor: Floor) -> None:
    order_id = floor.place(quantity=130)
    floor.go(quantity=65)
    floor.account.match(floor.now_ms + 500)
    assert floor.row(order_id)["filled_quantity"] == 65


def test_a_quote_from_before_the_order_reached_the_book_does_not_fill(floor: Floor) -> None:
    order_id = floor.place()
    floor.account.match(floor.now_ms + 1000)
    assert floor.row(order_id)["status"] == "OPEN"
    assert floor.row(order_id)["filled_quantity"] == 0


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 100.0), (99.0, 0.0), (101.0, 100.0)])
def test_without_a_sound_two_sided_quote_nothing_fills(
    floor: Floor, bid: float, ask: float
) -> None:
    order_id = floor.place()
    floor.go(bid=bid, ask=ask, last=100.0)
    assert floor.row(order_id)["filled_quantity"] == 0


def test_a_resting_limit_fills_when_the_other_side_reaches_it(floor: Floor) -> None:
    order_id = floor.place(price="99.00")
    floor.go(5)
    assert floor.row(order_id)["status"] == "OPEN"
    floor.go(bid=98.9, ask=99.0)
    assert floor.row(order_id)["status"] == "COMPLETE"


def test_a_protected_market_order_may_rest_unfilled(floor: Floor) -> None:
    order_id = floor.place(order_type="MARKET", market_protection=-1, price=None)
    floor.go(5, bid=110.0, ask=110.2)
    row = floor.row(order_id)
    assert (row["status"], row["price"], row["filled_quantity"]) == ("OPEN", 102.0, 0)


def test_nothing_fills_during_a_halt(floor: Floor) -> None:
    order_id = floor.place(price="99")
    floor.go()
    floor.market.is_halted = True
    floor.go(bid=98.0, ask=98.1)
    assert floor.row(order_id)["status"] == "OPEN"
    floor.market.is_halted = False
    floor.go(bid=98.0, ask=98.1)
    assert floor.row(order_id)["status"] == "COMPLETE"


def test_contracts_with_orders_or_positions_are_followed(floor: Floor) -> None:
    assert floor.account.working_tokens() == set()
    floor.place()
    assert floor.account.working_tokens() == {OPTION}
    floor.go()
    assert floor.account.working_tokens() == {OPTION}
    floor.place(transaction_type="SELL", price="99")
    floor.go()
    assert floor.account.working_tokens() == set()
