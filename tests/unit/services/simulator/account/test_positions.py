from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from libs.market.rulebook import load_rulebook
from services.simulator.domain.account import Account
from services.simulator.domain.errors import InputError, MarginError
from tests.unit.services.simulator.account.market_stand_in import (
    CALL,
    LISTED,
    OPTION,
    STOCK,
    Floor,
    MarketStandIn,
    at,
    order,
    with_tokens_of_another_day,
)

NEXT_DAY = date(2026, 6, 11)


@pytest.fixture
def floor() -> Floor:
    return Floor()


def conversion(**fields: Any) -> dict[str, str]:
    usual = {
        "exchange": "NFO",
        "tradingsymbol": CALL,
        "transaction_type": "BUY",
        "position_type": "day",
        "quantity": 65,
        "old_product": "NRML",
        "new_product": "MIS",
    }
    return {name: str(value) for name, value in (usual | fields).items()}


def next_day(floor: Floor) -> Account:
    """Load the account's dump on the next day, with other tokens and closes of 110."""
    market = MarketStandIn(NEXT_DAY, with_tokens_of_another_day(LISTED))
    market.closes = {instrument.instrument_token: 110.0 for instrument in market.catalog}
    return Account.load(floor.account.dump(), market, load_rulebook(), floor.rules)


def test_a_long_position_counts_as_kite_does(floor: Floor) -> None:
    floor.place(quantity=130)
    floor.go()
    floor.place(transaction_type="SELL", price="104")
    floor.go(bid=104.0, ask=104.2, last=104.1)
    net = floor.account.positions()["net"][0]
    assert net["quantity"] == 65
    assert (net["average_price"], net["buy_price"], net["sell_price"]) == (100.05, 100.05, 104.0)
    assert net["value"] == 65 * 104.0 - 130 * 100.05
    assert net["pnl"] == net["unrealised"] == net["m2m"] == net["value"] + 65 * 104.1
    assert (net["realised"], net["multiplier"], net["close_price"]) == (0, 1, 0)


def test_a_short_position_is_negative_at_its_selling_price(floor: Floor) -> None:
    floor.place(transaction_type="SELL", price="99")
    floor.go()
    net = floor.account.positions()["net"][0]
    assert (net["quantity"], net["average_price"], net["value"]) == (-65, 99.95, 65 * 99.95)


def test_a_flat_position_has_no_average_and_keeps_its_profit(floor: Floor) -> None:
    floor.place()
    floor.go()
    floor.place(transaction_type="SELL", price="99")
    floor.go(last=150.0)
    net = floor.account.positions()["net"][0]
    assert (net["quantity"], net["average_price"]) == (0, 0)
    assert net["pnl"] == pytest.approx(-6.5)
    assert floor.account.positions()["day"] == floor.account.positions()["net"]


def test_overnight_units_count_from_the_close_in_the_mark_to_market(floor: Floor) -> None:
    floor.place(quantity=130)
    floor.go()
    account = next_day(floor)
    net = account.positions()["net"][0]
    assert account.positions()["day"] == []
    assert (net["quantity"], net["overnight_quantity"], net["close_price"]) == (130, 130, 110.0)
    assert (net["average_price"], net["buy_value"]) == (100.05, 130 * 100.05)
    assert (net["buy_m2m"], net["m2m"]) == (130 * 110.0, 0)
    assert net["pnl"] == pytest.approx(130 * 9.95)
    assert net["instrument_token"] != OPTION


def test_a_new_day_begins_with_the_money_of_the_old_one_and_without_its_orders(
    floor: Floor,
) -> None:
    floor.place()
    floor.go()
    floor.place(price="90")
    floor.go()
    account = next_day(floor)
    assert (account.orders(), account.trades(), account.take_updates()) == ([], [], [])
    assert account.margins("equity")["net"] == 1_000_000 - 65 * 100.05


def test_an_after_market_order_is_carried_to_the_next_day() -> None:
    floor = Floor("16:00:00")
    order_id = floor.place("amo")
    account = next_day(floor)
    assert account.orders()[0]["order_id"] == order_id
    assert account.orders()[0]["instrument_token"] != OPTION
    account.match(at("09:15", NEXT_DAY))
    assert account.orders()[0]["status"] == "OPEN"


def test_shares_bought_for_delivery_are_held_from_the_next_day_and_can_be_sold() -> None:
    floor = Floor()
    share: dict[str, Any] = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "product": "CNC",
        "quantity": 10,
    }
    floor.place(price="1510", **share)
    floor.market.show(floor.now_ms + 1000, 1499.9, 1500.1, token=STOCK)
    floor.go()
    assert floor.account.holdings() == []
    account = next_day(floor)
    holding = account.holdings()[0]
    assert (holding["quantity"], holding["average_price"]) == (10, 1500.1)
    assert account.positions()["net"] == []
    assert account.margins("equity")["net"] == 1_000_000 - 15001.0
    sale = order(transaction_type="SELL", price="115", **share)
    account.place("regular", sale, at("10:00", NEXT_DAY))
    account.match(at("10:00:01", NEXT_DAY))
    assert account.orders()[0]["status"] == "OPEN"


def test_a_conversion_moves_units_at_their_average_price(floor: Floor) -> None:
    floor.place(quantity=130)
    floor.go()
    assert floor.account.convert(conversion()) is True
    rows = {row["product"]: row for row in floor.account.positions()["net"]}
    assert [rows[product]["buy_quantity"] for product in ("NRML", "MIS")] == [65, 65]
    assert rows["NRML"]["average_price"] == rows["MIS"]["average_price"] == 100.05


def test_overnight_units_are_converted_as_such(floor: Floor) -> None:
    floor.place(quantity=130)
    floor.go()
    account = next_day(floor)
    assert account.convert(conversion(position_type="overnight"))
    rows = {row["product"]: row for row in account.positions()["net"]}
    assert [rows[product]["overnight_quantity"] for product in ("NRML", "MIS")] == [65, 65]
    with pytest.raises(InputError):
        account.convert(conversion(position_type="day"))


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": 130},
        {"quantity": 0},
        {"transaction_type": "SELL"},
        {"new_product": "NRML"},
        {"old_product": "MIS", "new_product": "NRML"},
        {"position_type": "weekly"},
    ],
)
def test_only_what_is_open_can_be_converted(floor: Floor, fields: dict[str, Any]) -> None:
    floor.place()
    floor.go()
    with pytest.raises(InputError):
        floor.account.convert(conversion(**fields))


def test_a_conversion_that_needs_more_than_the_funds_is_refused() -> None:
    floor = Floor(funds=Decimal(10_000))
    floor.place(
        exchange="NSE", tradingsymbol="RELIANCE", product="MIS", quantity=20, price="1500.10"
    )
    floor.market.show(floor.now_ms + 1000, 1499.9, 1500.1, token=STOCK)
    floor.go()
    fields = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "quantity": 20}
    with pytest.raises(MarginError):
        floor.account.convert(conversion(old_product="MIS", new_product="CNC", **fields))
    assert [row["product"] for row in floor.account.positions()["net"]] == ["MIS"]
