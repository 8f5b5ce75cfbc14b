from decimal import Decimal
from typing import Any

import pytest

from services.simulator.domain.account.rules import trading_limits
from services.simulator.domain.errors import InputError
from tests.unit.services.simulator.account.market_stand_in import (
    DAY,
    HEDGE,
    STOCK,
    Floor,
    order,
)

HEDGING = "NIFTY26JUN25100CE"
SHARE: dict[str, Any] = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "quantity": 10,
    "price": 1500,
}


@pytest.fixture
def floor() -> Floor:
    return Floor()


def equity(floor: Floor) -> dict[str, Any]:
    return dict(floor.account.margins("equity"))


def test_an_open_purchase_of_options_blocks_its_premium(floor: Floor) -> None:
    floor.place(price="99")
    floor.go()
    margins = equity(floor)
    assert margins["utilised"]["option_premium"] == 65 * 99
    assert margins["net"] == margins["available"]["live_balance"] == 1_000_000 - 65 * 99


def test_a_short_option_blocks_percentages_of_strike_times_quantity(floor: Floor) -> None:
    floor.place(transaction_type="SELL", price="99")
    floor.go()
    used = equity(floor)["utilised"]
    assert used["span"] == 25000 * 65 * 0.095
    assert used["exposure"] == 25000 * 65 * 0.02
    assert used["option_premium"] == pytest.approx(-65 * 99.95)
    assert used["debits"] == used["span"] + used["exposure"] + used["option_premium"]


def test_an_order_that_closes_blocks_nothing(floor: Floor) -> None:
    floor.place()
    floor.go()
    before = equity(floor)["net"]
    floor.place(transaction_type="SELL", price="130")
    floor.go()
    assert equity(floor)["net"] == before


def test_a_closed_position_leaves_its_profit_in_the_funds(floor: Floor) -> None:
    floor.place()
    floor.go()
    floor.place(transaction_type="SELL", price="104")
    floor.go(bid=104.0, ask=104.1)
    margins = equity(floor)
    assert margins["utilised"]["m2m_realised"] == pytest.approx(65 * 3.95)
    assert margins["net"] == pytest.approx(1_000_000 + 65 * 3.95)


def test_intraday_shares_are_leveraged_and_their_loss_blocked(floor: Floor) -> None:
    floor.place(product="MIS", **SHARE)
    floor.market.show(floor.now_ms + 1000, 1499.0, 1500.0, token=STOCK)
    floor.go()
    floor.market.show(floor.now_ms, 1489.5, 1490.5, token=STOCK)
    margins = equity(floor)
    assert margins["utilised"]["m2m_unrealised"] == -100.0
    assert margins["net"] == 1_000_000 - 15000 / 5 - 100


def test_the_funds_of_commodities_are_empty(floor: Floor) -> None:
    assert floor.account.margins()["commodity"]["net"] == 0
    assert floor.account.margins()["equity"] == equity(floor)
    with pytest.raises(InputError):
        floor.account.margins("currency")


def test_order_margins_tell_premium_short_margin_and_cash(floor: Floor) -> None:
    asked = [
        order(),
        order(transaction_type="SELL"),
        order(product="CNC", **SHARE),
        order(product="MIS", **SHARE),
    ]
    bought, sold, delivery, intraday = floor.account.order_margins(asked)
    assert bought["total"] == bought["option_premium"] == 65 * 100.10
    assert sold["total"] == sold["span"] + sold["exposure"] == 25000 * 65 * 0.115
    assert (delivery["var"], delivery["leverage"]) == (15000, 1)
    assert (intraday["total"], intraday["leverage"]) == (3000, 5)


def test_without_a_price_the_last_one_is_reckoned_with(floor: Floor) -> None:
    asked = {"variety": "regular"} | order(order_type="MARKET", price=0)
    assert floor.account.order_margins([asked])[0]["total"] == 65 * 100.0


def test_a_hedged_basket_needs_less_once_it_is_filled(floor: Floor) -> None:
    floor.market.show(floor.now_ms, 50.0, 50.1, token=HEDGE)
    basket = [order(transaction_type="SELL"), order(tradingsymbol=HEDGING, price=50)]
    margins = floor.account.basket_margins(basket, consider_positions=False)
    span = 25000 * 65 * 0.095
    assert margins["initial"]["span"] == span
    assert margins["initial"]["option_premium"] == 65 * 50
    assert margins["final"]["span"] == pytest.approx(span * 0.12)
    assert margins["final"]["option_premium"] == pytest.approx(65 * (50 - 100.1))
    assert margins["charges"]["brokerage"] == 40
    assert [row["tradingsymbol"] for row in margins["orders"]] == [
        "NIFTY26JUN25000CE",
        HEDGING,
    ]


def test_positions_count_in_a_basket_only_if_asked_for(floor: Floor) -> None:
    floor.place()
    floor.go()
    closing = [order(transaction_type="SELL")]
    considered = floor.account.basket_margins(closing, consider_positions=True)
    alone = floor.account.basket_margins(closing, consider_positions=False)
    assert considered["final"]["total"] == 0
    assert alone["final"]["span"] > 0


def test_a_contract_note_tells_the_charges_of_each_order(floor: Floor) -> None:
    asked = [
        order(transaction_type="SELL", average_price=100, price=None) | {"order_id": "1"},
        order(product="CNC", **SHARE),
        order(product="MIS", transaction_type="SELL", **SHARE),
    ]
    sold, delivery, intraday = floor.account.contract_note(asked)
    assert (sold["price"], sold["quantity"]) == (100, 65)
    assert sold["charges"]["transaction_tax"] == 9.75
    assert (delivery["charges"]["brokerage"], delivery["charges"]["transaction_tax"]) == (0, 15)
    assert (intraday["charges"]["brokerage"], intraday["charges"]["stamp_duty"]) == (4.5, 0)


def test_before_april_2026_market_orders_needed_no_protection() -> None:
    assert trading_limits(DAY).requires_market_protection
    assert not trading_limits(DAY.replace(month=3)).requires_market_protection


def test_protection_bands_reach_every_price(floor: Floor) -> None:
    limits = trading_limits(DAY)
    share = floor.market.by_token(STOCK)
    assert share is not None
    assert limits.automatic_protection(share, Decimal(100_000)) == Decimal("0.5")
