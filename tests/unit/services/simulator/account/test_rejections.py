from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.simulator.domain.account.rules import trading_limits
from tests.unit.services.simulator.account.market_stand_in import OPTION, Floor

SHARE: dict[str, Any] = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "product": "CNC",
    "price": "1500",
}


def rejected(floor: Floor, **fields: Any) -> str:
    """Place an order that must be registered and then rejected; return why."""
    order_id = floor.place(**fields)
    assert floor.statuses(order_id) == ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING"]
    floor.go()
    row = floor.row(order_id)
    assert floor.statuses(order_id)[2:] == ["REJECTED"]
    assert floor.updates() == ["REJECTED"]
    assert row["exchange_order_id"] is None
    assert row["filled_quantity"] == row["pending_quantity"] == row["cancelled_quantity"] == 0
    assert floor.account.trades() == []
    return str(row["status_message"])


def test_a_quantity_off_the_lot_is_rejected() -> None:
    assert "lot size, 65" in rejected(Floor(), quantity=66)


def test_a_limit_price_off_the_tick_is_rejected() -> None:
    assert rejected(Floor(), price="100.07").startswith("Tick size for this script is 0.05.")


def test_a_trigger_price_off_the_tick_is_rejected() -> None:
    message = rejected(Floor(), order_type="SL", price="110", trigger_price="105.01")
    assert "trigger price" in message


def test_more_than_the_freeze_quantity_is_rejected() -> None:
    assert "freeze quantity of 1800" in rejected(Floor(), quantity=65 * 28, price="1")


def test_a_price_beyond_the_days_limits_is_rejected() -> None:
    floor = Floor()
    floor.market.circuits[OPTION] = (50.0, 120.0)
    assert "circuit limits" in rejected(floor, price="120.05")
    assert "circuit limits" in rejected(floor, price="49.95")


@pytest.mark.parametrize(
    ("last", "side", "price", "is_fine"),
    [
        (100.0, "BUY", "140.00", True),
        (100.0, "BUY", "140.05", False),
        (100.0, "BUY", "10.00", True),
        (100.0, "SELL", "60.00", True),
        (100.0, "SELL", "59.95", False),
        (40.0, "BUY", "60.00", True),
        (40.0, "BUY", "60.05", False),
        (40.0, "SELL", "19.95", False),
    ],
)
def test_limit_price_protection_rejects_prices_far_on_the_wrong_side(
    last: float, side: str, price: str, is_fine: bool
) -> None:
    floor = Floor()
    order_id = floor.place(transaction_type=side, price=price)
    floor.go(bid=last - 0.05, ask=last + 0.05)
    assert (floor.row(order_id)["status"] != "REJECTED") is is_fine


def test_limit_price_protection_goes_by_the_average_trade_of_the_last_seconds() -> None:
    floor = Floor()
    floor.market.references[OPTION] = 60.0
    assert "circuit limits" in rejected(floor, price="84.05")
    assert floor.row(floor.place(price="84.00"))["status"] != "REJECTED"


@pytest.mark.parametrize(
    ("day", "index", "stocks"),
    [
        (date(2021, 6, 9), "Infinity", "Infinity"),
        (date(2022, 10, 31), "40", "Infinity"),
        (date(2026, 6, 10), "40", "40"),
    ],
)
def test_limit_price_protection_began_with_indices(day: date, index: str, stocks: str) -> None:
    limits = trading_limits(day)
    reaches = [limits.price_protection(is_index).reach(Decimal(100)) for is_index in (True, False)]
    assert reaches == [Decimal(index), Decimal(stocks)]


@pytest.mark.parametrize(
    ("side", "trigger", "price", "last", "is_fine"),
    [
        ("SELL", "90.00", "72.00", 100.0, True),
        ("SELL", "90.00", "71.95", 100.0, False),
        ("BUY", "110.00", "132.00", 100.0, True),
        ("BUY", "110.00", "132.05", 100.0, False),
        ("SELL", "30.00", "20.00", 40.0, True),
        ("SELL", "30.00", "19.95", 40.0, False),
    ],
)
def test_a_stop_limit_may_be_twenty_percent_or_ten_rupees_from_its_trigger(
    side: str, trigger: str, price: str, last: float, is_fine: bool
) -> None:
    floor = Floor()
    order_id = floor.place(
        transaction_type=side, order_type="SL", trigger_price=trigger, price=price
    )
    floor.go(bid=last - 0.05, ask=last + 0.05)
    row = floor.row(order_id)
    assert row["status"] == ("TRIGGER PENDING" if is_fine else "REJECTED")
    assert is_fine or "price range check" in row["status_message"]


def test_a_stop_on_a_share_may_be_three_percent_from_its_trigger() -> None:
    floor = Floor()
    share: dict[str, Any] = SHARE | {
        "product": "MIS",
        "transaction_type": "BUY",
        "order_type": "SL",
    }
    far = floor.place(**share | {"trigger_price": "1600", "price": "1648.05"})
    near = floor.place(**share | {"trigger_price": "1600", "price": "1648", "quantity": 1})
    floor.go()
    assert [floor.row(one)["status"] for one in (far, near)] == ["REJECTED", "TRIGGER PENDING"]


def test_nothing_is_taken_while_the_market_is_closed_or_halted() -> None:
    assert "Markets are closed" in rejected(Floor("09:00:00"))
    assert "Markets are closed" in rejected(Floor("15:31:00"))
    floor = Floor()
    floor.market.is_halted = True
    assert "Markets are closed" in rejected(floor)


def test_more_than_the_funds_is_rejected_with_the_figures() -> None:
    floor = Floor(funds=Decimal("6506.49"))
    message = rejected(floor)
    assert message.startswith(
        "Insufficient funds. Required margin is 6506.50 but available margin is 6506.49."
    )
    row = floor.account.orders()[0]
    assert row["status_message_raw"].startswith("RMS:Margin Exceeds,Required:6506.50")


def test_of_two_orders_placed_together_the_second_finds_the_funds_gone() -> None:
    floor = Floor(funds=Decimal(7000))
    first, second = floor.place(price="99"), floor.place(price="99")
    floor.go()
    assert [floor.row(one)["status"] for one in (first, second)] == ["OPEN", "REJECTED"]


@pytest.mark.parametrize(("side", "trigger", "price"), [("BUY", 100, 101), ("SELL", 100, 99)])
def test_a_trigger_on_the_wrong_side_of_the_last_price_is_rejected(
    side: str, trigger: int, price: int
) -> None:
    fields = {"order_type": "SL", "trigger_price": trigger, "price": price}
    assert "last traded price" in rejected(Floor(), transaction_type=side, **fields)


def test_shares_that_are_not_held_cannot_be_delivered() -> None:
    message = rejected(Floor(), transaction_type="SELL", quantity=1, **SHARE)
    assert "Insufficient stock holding" in message


def test_intraday_orders_are_rejected_after_the_brokers_square_off() -> None:
    assert "square-off" in rejected(Floor("15:26:00"), product="MIS")
