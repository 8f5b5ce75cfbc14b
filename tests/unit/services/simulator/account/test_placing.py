from decimal import Decimal
from typing import Any

import pytest

from services.simulator.domain.errors import InputError, OrderError
from tests.unit.services.simulator.account.market_stand_in import OPTION, Floor, at, order


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.mark.parametrize(
    "name",
    ["exchange", "tradingsymbol", "transaction_type", "order_type", "quantity", "product", "price"],
)
def test_a_missing_parameter_is_named_and_leaves_no_order(floor: Floor, name: str) -> None:
    without: dict[str, Any] = {name: None}
    with pytest.raises(InputError, match=name):
        floor.place(**without)
    assert floor.account.orders() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": "65.5"},
        {"quantity": 0},
        {"quantity": -65},
        {"price": "ten"},
        {"price": "NaN"},
        {"price": -1},
        {"transaction_type": "HOLD"},
        {"order_type": "STOP"},
        {"validity": "GTC"},
        {"validity": "TTL"},
        {"exchange": "MCX"},
        {"product": "CNC"},
        {"tag": "a" * 21},
        {"tag": "not a tag"},
        {"disclosed_quantity": 65},
        {"order_type": "SL"},
        {"order_type": "SL", "trigger_price": 101},
        {"order_type": "SL", "trigger_price": 99, "transaction_type": "SELL"},
        {"market_protection": "True"},
        {"market_protection": 101},
        {"market_protection": -2},
    ],
)
def test_a_garbled_parameter_leaves_no_order(floor: Floor, fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        floor.place(**fields)
    assert floor.account.orders() == []


def test_an_unknown_instrument_is_refused(floor: Floor) -> None:
    with pytest.raises(InputError, match="does not exist"):
        floor.place(tradingsymbol="NIFTY26JUN99000CE")


def test_an_index_cannot_be_traded(floor: Floor) -> None:
    with pytest.raises(InputError, match="index"):
        floor.place(exchange="NSE", tradingsymbol="NIFTY 50", product="CNC")


def test_nrml_is_refused_for_equities(floor: Floor) -> None:
    with pytest.raises(InputError, match="product"):
        floor.place(exchange="NSE", tradingsymbol="RELIANCE")


@pytest.mark.parametrize("variety", ["co", "iceberg", "auction"])
def test_varieties_that_are_not_simulated_are_named(floor: Floor, variety: str) -> None:
    with pytest.raises(InputError, match=variety):
        floor.place(variety)


@pytest.mark.parametrize("order_type", ["MARKET", "SL-M"])
@pytest.mark.parametrize("protection", [None, 0])
def test_market_orders_need_protection(
    floor: Floor, order_type: str, protection: int | None
) -> None:
    share: dict[str, Any] = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "product": "MIS"}
    fields = share | {"order_type": order_type, "market_protection": protection}
    with pytest.raises(InputError, match="market protection"):
        floor.place(trigger_price=1510, **fields)


@pytest.mark.parametrize("protection", [None, -1, 5])
def test_options_take_no_stops_at_the_market(floor: Floor, protection: int | None) -> None:
    with pytest.raises(InputError, match="SL-M orders are not allowed for options"):
        floor.place(order_type="SL-M", trigger_price=101, market_protection=protection)


def test_a_protected_market_order_is_sent_as_a_limit_on_the_tick(floor: Floor) -> None:
    order_id = floor.place(order_type="MARKET", market_protection="1.33", price=None)
    row = floor.row(order_id)
    assert (row["order_type"], row["price"], row["market_protection"]) == ("LIMIT", 101.3, 0)
    assert row["tags"] == ["mktp", "mktp:1.33"]


@pytest.mark.parametrize(
    ("last", "percent"), [(5.0, "5.00"), (10.0, "3.00"), (100.0, "2.00"), (500.0, "1.00")]
)
def test_automatic_protection_depends_on_the_premium(
    floor: Floor, last: float, percent: str
) -> None:
    floor.market.show(floor.now_ms, last - 0.05, last + 0.05)
    order_id = floor.place(order_type="MARKET", market_protection=-1, price=None, tag="mine")
    assert floor.row(order_id)["tags"] == ["mine", "mktp", f"mktp:{percent}"]
    assert floor.row(order_id)["tag"] == "mine"


def test_a_protected_stop_is_sent_as_an_sl_around_its_trigger(floor: Floor) -> None:
    fields: dict[str, Any] = {
        "order_type": "SL-M",
        "trigger_price": 1400,
        "market_protection": 2,
        "price": None,
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "product": "MIS",
    }
    row = floor.row(floor.place(transaction_type="SELL", **fields))
    assert (row["order_type"], row["price"], row["trigger_price"]) == ("SL", 1372.0, 1400.0)


def test_protection_stays_within_the_days_limits(floor: Floor) -> None:
    floor.market.circuits[OPTION] = (0.05, 101.0)
    order_id = floor.place(order_type="MARKET", market_protection=10, price=None)
    assert floor.row(order_id)["price"] == 101.0


def test_without_any_price_nothing_can_be_protected(floor: Floor) -> None:
    floor.market.quotes.clear()
    with pytest.raises(OrderError, match="no last price"):
        floor.place(order_type="MARKET", market_protection=-1, price=None)


def test_numbers_rise_and_begin_with_the_day(floor: Floor) -> None:
    first, second = floor.place(), floor.place()
    assert first == "260610000000001"
    assert first.isdigit()
    assert int(second) == int(first) + 1


def test_autoslice_gives_children_of_the_largest_whole_lots(floor: Floor) -> None:
    reply = floor.account.place("regular", order(quantity=65 * 40, autoslice="true"), floor.now_ms)
    rows = floor.account.orders()
    assert [child["order_id"] for child in reply["children"]] == [row["order_id"] for row in rows]
    assert [row["quantity"] for row in rows] == [65 * 27, 65 * 13]
    assert rows[0]["tags"] == ["autoslice", f"autoslice:{reply['order_id']}"]
    assert reply["order_id"] not in {row["order_id"] for row in rows}


def test_autoslice_is_refused_beyond_ten_slices(floor: Floor) -> None:
    floor.place(quantity=65 * 270, autoslice="true", price="1.00")
    with pytest.raises(InputError, match="10 slices"):
        floor.place(quantity=65 * 271, autoslice="true", price="1.00")


def test_slices_beyond_the_funds_carry_their_error() -> None:
    floor = Floor(funds=Decimal(200_000))
    reply = floor.account.place("regular", order(quantity=65 * 54, autoslice="true"), floor.now_ms)
    placed, refused = reply["children"]
    assert placed["order_id"] == floor.account.orders()[0]["order_id"]
    assert refused["error"]["code"] == 400
    assert refused["error"]["error_type"] == "MarginException"
    assert refused["error"]["message"].startswith(
        "Insufficient funds. Required margin is 175675.50"
    )
    assert refused["error"]["data"] is None
    assert len(floor.account.orders()) == 1


@pytest.mark.parametrize("clock", ["09:30:00", "09:12:00", "15:35:00"])
def test_after_market_orders_are_refused_around_the_session(clock: str) -> None:
    with pytest.raises(OrderError, match="After market"):
        Floor(clock).place("amo")


def test_an_after_market_order_waits_for_the_open() -> None:
    floor = Floor("08:30:00")
    order_id = floor.place("amo")
    floor.go(3)
    assert floor.statuses(order_id) == ["AMO REQ RECEIVED"]
    floor.now_ms = at("09:15:00") - 1000
    floor.go(2)
    assert floor.statuses(order_id)[1:] == [
        "VALIDATION PENDING",
        "OPEN PENDING",
        "OPEN",
        "COMPLETE",
    ]


def test_a_waiting_after_market_order_can_be_changed_and_cancelled() -> None:
    floor = Floor("08:30:00")
    order_id = floor.place("amo")
    floor.account.modify("amo", order_id, {"price": "99"}, floor.now_ms)
    assert floor.row(order_id)["price"] == 99.0
    floor.account.cancel("amo", order_id, floor.now_ms)
    row = floor.row(order_id)
    assert (row["status"], row["cancelled_quantity"], row["exchange_order_id"]) == (
        "CANCELLED",
        65,
        None,
    )
