"""What an order must keep to, from the packaged rules alone."""

from datetime import date
from decimal import Decimal

import pytest

from libs.market.rulebook import load_rulebook
from services.local.flatten.account import ContractKey
from services.local.flatten.terms import terms_of, underlying_of

DAY = date(2026, 6, 17)
RULES = load_rulebook()


def key(symbol: str, exchange: str = "NFO") -> ContractKey:
    return ContractKey(exchange, symbol, "NRML")


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("NIFTY2662325700CE", "NIFTY"),
        ("NIFTYNXT5026JUN65000CE", "NIFTYNXT50"),
        ("BANKNIFTY26JUN55000PE", "BANKNIFTY"),
        ("RELIANCE26JUN1400CE", "RELIANCE"),
        ("M&M26JUN3000CE", "M&M"),
        ("NOSUCH26JUN10CE", ""),
    ],
)
def test_the_underlying_is_the_longest_known_name_that_a_symbol_begins_with(
    symbol: str, name: str
) -> None:
    assert underlying_of(key(symbol), RULES) == name


def test_the_largest_order_is_of_whole_lots_below_the_freeze_quantity() -> None:
    terms = terms_of(key("NIFTY2662325700CE"), RULES, DAY)
    freeze, lot = RULES.freeze_quantity("NIFTY", DAY).value, RULES.lot_size("NIFTY", DAY).value
    assert terms.largest is not None
    assert terms.largest % lot == 0
    assert freeze - lot < terms.largest <= freeze
    assert sum(terms.slices(3 * freeze // lot * lot)) == 3 * freeze // lot * lot


def test_of_an_unknown_contract_no_limit_is_known() -> None:
    assert terms_of(key("NOSUCH26JUN10CE"), RULES, DAY).slices(1000) == (1000,)


def test_shares_are_sold_within_a_percent_of_the_last_price_at_last() -> None:
    assert terms_of(key("INFY", "NSE"), RULES, DAY).reach.around(Decimal(1000)) == (
        Decimal(990),
        Decimal(1010),
    )
