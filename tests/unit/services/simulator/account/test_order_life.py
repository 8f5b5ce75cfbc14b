from typing import Any

import pytest

from services.simulator.domain.account.order import TRANSITIONS
from services.simulator.domain.errors import InputError, NotFound, OrderError
from tests.unit.services.simulator.account.market_stand_in import OPTION, STOCK, Floor, at

RESTING = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_an_order_reaches_the_book_after_its_latency() -> None:
    floor = Floor(latency_ms=1500)
    order_id = floor.place()
    floor.go()
    assert floor.row(order_id)["status"] == "VALIDATION PENDING"
    floor.go()
    assert floor.row(order_id)["status"] == "COMPLETE"


def test_the_history_shows_each_step_of_an_order_that_fills(floor: Floor) -> None:
    order_id = floor.place()
    floor.go()
    assert floor.statuses(order_id) == [*RESTING, "COMPLETE"]
    history = floor.account.order_history(order_id)
    assert [row["exchange_order_id"] is None for row in history] == [True, True, True, False, False]
    assert [row["filled_quantity"] for row in history] == [0, 0, 0, 0, 65]
    assert floor.updates() == ["OPEN", "COMPLETE"]


def test_an_unknown_order_is_not_found(floor: Floor) -> None:
    order_id = floor.place()
    for call in (floor.account.order_history, floor.account.order_trades):
        with pytest.raises(NotFound):
            call("1")
    with pytest.raises(NotFound):
        floor.account.cancel("amo", order_id, floor.now_ms)


def test_a_modification_holds_once_it_has_reached_the_book(floor: Floor) -> None:
    order_id = floor.place(price="99")
    floor.go()
    floor.account.modify("regular", order_id, {"price": "99.5", "quantity": "130"}, floor.now_ms)
    assert floor.row(order_id)["price"] == 99.0
    floor.go()
    row = floor.row(order_id)
    assert (row["price"], row["quantity"], row["modified"]) == (99.5, 130, True)
    assert floor.statuses(order_id) == [
        *RESTING,
        "MODIFY VALIDATION PENDING",
        "MODIFY PENDING",
        "OPEN",
    ]
    assert floor.updates() == ["OPEN", "UPDATE"]


def test_a_modification_that_the_exchange_refuses_leaves_the_order_as_it_was(floor: Floor) -> None:
    order_id = floor.place(price="99")
    floor.go()
    floor.account.modify("regular", order_id, {"price": "99.51"}, floor.now_ms)
    floor.go()
    row = floor.row(order_id)
    assert (row["status"], row["price"], row["modified"]) == ("OPEN", 99.0, False)
    assert row["status_message"].startswith("Tick size")


def test_an_order_takes_no_second_change_while_one_is_on_its_way(floor: Floor) -> None:
    order_id = floor.place(price="99")
    with pytest.raises(OrderError, match="being processed"):
        floor.account.modify("regular", order_id, {"price": "98"}, floor.now_ms)
    floor.go()
    floor.account.modify("regular", order_id, {"price": "98"}, floor.now_ms)
    with pytest.raises(OrderError, match="cancelled as it is being processed"):
        floor.account.cancel("regular", order_id, floor.now_ms)


def test_a_complete_order_can_be_neither_modified_nor_cancelled(floor: Floor) -> None:
    order_id = floor.place()
    floor.go()
    with pytest.raises(OrderError):
        floor.account.cancel("regular", order_id, floor.now_ms)
    with pytest.raises(OrderError):
        floor.account.modify("regular", order_id, {"price": "98"}, floor.now_ms)


def test_the_twenty_sixth_modification_is_refused(floor: Floor) -> None:
    order_id = floor.place(price="99")
    floor.go()
    for _ in range(25):
        floor.account.modify("regular", order_id, {"price": "98"}, floor.now_ms)
        floor.go()
    with pytest.raises(OrderError, match="modifications exceeded"):
        floor.account.modify("regular", order_id, {"price": "98"}, floor.now_ms)


def test_a_quantity_below_what_is_filled_is_refused(floor: Floor) -> None:
    order_id = floor.place(quantity=130)
    floor.go(quantity=65)
    with pytest.raises(InputError):
        floor.account.modify("regular", order_id, {"quantity": "65"}, floor.now_ms)


def test_a_limit_order_can_be_made_a_protected_market_order(floor: Floor) -> None:
    order_id = floor.place(price="99")
    floor.go()
    change = {"order_type": "MARKET", "market_protection": "-1"}
    floor.account.modify("regular", order_id, change, floor.now_ms)
    floor.go()
    assert floor.row(order_id)["status"] == "COMPLETE"


def test_a_cancellation_holds_at_the_next_second(floor: Floor) -> None:
    order_id = floor.place(price="99")
    floor.go()
    floor.account.cancel("regular", order_id, floor.now_ms)
    assert floor.row(order_id)["status"] == "CANCEL PENDING"
    floor.go()
    row = floor.row(order_id)
    assert (row["status"], row["cancelled_quantity"], row["pending_quantity"]) == (
        "CANCELLED",
        65,
        0,
    )
    assert row["status_message"] is None
    assert floor.updates() == ["OPEN", "CANCELLED"]


def test_a_fill_can_come_before_the_cancellation() -> None:
    floor = Floor(latency_ms=1500)
    order_id = floor.place(price="99", quantity=130)
    floor.go(2)
    floor.account.cancel("regular", order_id, floor.now_ms)
    floor.go(bid=98.9, ask=99.0, quantity=65)
    assert floor.row(order_id)["status"] == "CANCEL PENDING"
    floor.go(bid=98.9, ask=99.0, quantity=65)
    row = floor.row(order_id)
    assert (row["status"], row["filled_quantity"], row["cancelled_quantity"]) == (
        "CANCELLED",
        65,
        65,
    )


def test_an_order_that_fills_first_is_not_cancelled() -> None:
    floor = Floor(latency_ms=1500)
    order_id = floor.place(price="99")
    floor.go(2)
    floor.account.cancel("regular", order_id, floor.now_ms)
    floor.go(bid=98.9, ask=99.0)
    assert floor.statuses(order_id) == [*RESTING, "CANCEL PENDING", "COMPLETE"]


def test_day_orders_expire_at_the_close(floor: Floor) -> None:
    order_id = floor.place(price="99")
    floor.go()
    floor.jump("15:30:00")
    assert floor.row(order_id)["status"] == "CANCELLED"
    assert floor.row(order_id)["exchange_update_timestamp"] == "2026-06-10 15:30:00"


def test_what_an_immediate_order_does_not_get_at_once_is_cancelled(floor: Floor) -> None:
    order_id = floor.place(quantity=130, validity="IOC")
    floor.go(quantity=65)
    row = floor.row(order_id)
    assert (row["status"], row["filled_quantity"], row["cancelled_quantity"]) == (
        "CANCELLED",
        65,
        65,
    )
    assert row["status_message"] == "Unmatched orders cancelled by the system"
    assert floor.updates() == ["OPEN", "UPDATE", "CANCELLED"]


def test_an_immediate_order_waits_two_seconds_for_a_quote_and_no_longer(floor: Floor) -> None:
    order_id = floor.place(
        exchange="NSE", tradingsymbol="RELIANCE", product="CNC", price="1510", validity="IOC"
    )
    floor.go(2)
    assert floor.row(order_id)["status"] == "OPEN"
    floor.go()
    assert floor.row(order_id)["status"] == "CANCELLED"


def test_a_ttl_order_lives_so_many_minutes(floor: Floor) -> None:
    order_id = floor.place(price="99", validity="TTL", validity_ttl=2)
    floor.go(119)
    assert floor.row(order_id)["status"] == "OPEN"
    floor.go()
    assert floor.row(order_id)["status"] == "CANCELLED"


def test_a_stop_waits_for_the_last_price_and_then_fills(floor: Floor) -> None:
    order_id = floor.place(order_type="SL", trigger_price="105", price="106")
    floor.go(last=104.95)
    assert floor.row(order_id)["status"] == "TRIGGER PENDING"
    floor.go(bid=104.9, ask=105.1, last=105.0)
    assert floor.row(order_id)["average_price"] == 105.1
    assert floor.updates() == ["TRIGGER PENDING", "OPEN", "COMPLETE"]


def test_a_stop_that_gapped_rests_at_its_limit(floor: Floor) -> None:
    order_id = floor.place(
        transaction_type="SELL",
        order_type="SL",
        trigger_price="90",
        price="88.2",
    )
    floor.go()
    floor.go(bid=80.0, ask=80.2, last=80.1)
    assert floor.row(order_id)["status"] == "OPEN"
    floor.go(bid=88.2, ask=88.4)
    assert floor.row(order_id)["average_price"] == 88.2


def test_a_stop_released_outside_the_allowed_range_is_cancelled_by_the_exchange(
    floor: Floor,
) -> None:
    order_id = floor.place(transaction_type="SELL", order_type="SL", trigger_price="90", price="72")
    floor.go(last=130)
    floor.market.references[OPTION] = 121.0
    floor.go(last=89)
    row = floor.row(order_id)
    assert row["status"] == "CANCELLED"
    assert "limit price protection" in row["status_message"]


def test_a_stop_that_waits_takes_another_trigger_price_and_quantity(floor: Floor) -> None:
    order_id = floor.place(
        transaction_type="SELL", order_type="SL", trigger_price="90", price="85", quantity=130
    )
    floor.go()
    changed = {"trigger_price": "95", "price": "92", "quantity": "65"}
    floor.account.modify("regular", order_id, changed, floor.now_ms)
    floor.go()
    row = floor.row(order_id)
    assert (row["status"], row["trigger_price"], row["price"], row["quantity"]) == (
        "TRIGGER PENDING",
        95.0,
        92.0,
        65,
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"trigger_price": "101", "price": "99"}, "last traded price"),
        ({"price": "71.95"}, "price range check"),
        ({"trigger_price": "90.02"}, "Tick size"),
    ],
)
def test_a_stop_stays_as_it_was_where_the_exchange_refuses_its_change(
    floor: Floor, changed: dict[str, str], said: str
) -> None:
    order_id = floor.place(transaction_type="SELL", order_type="SL", trigger_price="90", price="85")
    floor.go()
    floor.account.modify("regular", order_id, changed, floor.now_ms)
    floor.go()
    row = floor.row(order_id)
    assert (row["status"], row["trigger_price"], row["price"]) == ("TRIGGER PENDING", 90.0, 85.0)
    assert said in row["status_message"]


def test_a_stop_that_was_never_reached_lapses_at_the_end_of_the_day(floor: Floor) -> None:
    order_id = floor.place(transaction_type="SELL", order_type="SL", trigger_price="90", price="85")
    floor.go()
    floor.jump("15:30:00")
    assert floor.statuses(order_id)[-2:] == ["TRIGGER PENDING", "CANCELLED"]


def test_the_broker_squares_intraday_positions_off_once(floor: Floor) -> None:
    floor.place(product="MIS")
    resting = floor.place(product="MIS", price="99")
    carried = floor.place(price="99")
    floor.go()
    floor.jump("15:25:00")
    assert floor.row(resting)["status"] == "CANCELLED"
    assert floor.row(carried)["status"] == "OPEN"
    closing = floor.account.orders()[-1]
    assert (closing["placed_by"], closing["transaction_type"], closing["status"]) == (
        "ADMINSQF",
        "SELL",
        "COMPLETE",
    )
    assert floor.account.positions()["net"][0]["quantity"] == 0
    floor.go(5)
    assert len(floor.account.orders()) == 4


def test_equities_are_squared_off_at_their_own_time(floor: Floor) -> None:
    share: dict[str, Any] = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "product": "MIS",
        "quantity": 10,
    }
    floor.place(price="1510", **share)
    floor.market.show(floor.now_ms + 1000, 1499.9, 1500.1, token=STOCK)
    floor.go()
    assert floor.account.positions()["net"][0]["quantity"] == 10
    floor.market.show(at("15:20:00"), 1499.9, 1500.1, token=STOCK)
    floor.jump("15:20:00")
    assert floor.account.positions()["net"][0]["quantity"] == 0


def test_every_state_that_is_reached_is_in_the_table() -> None:
    reached = {state for states in TRANSITIONS.values() for state in states}
    assert reached | {""} == set(TRANSITIONS)
