"""Charges of shares and index futures: examples by hand, and whole paise equal to decimals."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.charges import TransactionType
from libs.market.underlying_charges import (
    NoCharges,
    Product,
    charges_in_paise,
    underlying_charges,
    underlying_rates,
    whole_rates,
)

LAKH = Decimal(100_000)


@pytest.mark.parametrize(
    ("product", "side", "total"),
    [
        # brokerage 20, STT 25, exchange 3.07, SEBI 0.10, GST 18 % of 23.17
        ("intraday", "SELL", "52.34"),
        # no STT, stamp 3
        ("intraday", "BUY", "30.34"),
        # no brokerage, STT 100, stamp 15, GST 18 % of 3.17
        ("delivery", "BUY", "118.74"),
        ("delivery", "SELL", "103.74"),
        # STT 0.02 %, exchange 1.83, GST 18 % of 21.93
        ("future", "SELL", "45.88"),
    ],
)
def test_a_lakh_costs_what_the_rates_say(
    product: Product, side: TransactionType, total: str
) -> None:
    rates = underlying_rates(product, "NSE", date(2025, 6, 2))
    assert rates.is_exact
    assert underlying_charges(rates.value, side, LAKH).total == Decimal(total)


def test_brokerage_of_a_small_order_is_a_part_of_it() -> None:
    rates = underlying_rates("intraday", "NSE", date(2025, 6, 2)).value
    assert underlying_charges(rates, "BUY", Decimal(10_000)).brokerage == 3


def test_rates_change_with_the_day_and_say_whether_they_are_exact() -> None:
    future = {
        on: underlying_rates("future", "NSE", date(*on)) for on in ((2024, 9, 30), (2026, 4, 1))
    }
    assert [one.value.stt_on_sale for one in future.values()] == [
        Decimal("0.000125"),
        Decimal("0.0005"),
    ]
    assert [one.is_exact for one in future.values()] == [False, True]


def test_an_exchange_without_rates_is_named() -> None:
    with pytest.raises(NoCharges, match="no charges are known for MCX; known: NSE, BSE"):
        underlying_rates("intraday", "MCX", date(2025, 6, 2))


def test_a_negative_turnover_is_refused() -> None:
    rates = underlying_rates("intraday", "NSE", date(2025, 6, 2)).value
    with pytest.raises(ValueError, match="must not be negative"):
        underlying_charges(rates, "BUY", Decimal(-1))


@given(
    turnover=st.integers(0, 10**13),
    product=st.sampled_from(["intraday", "delivery", "future"]),
    exchange=st.sampled_from(["NSE", "BSE"]),
    side=st.sampled_from(["BUY", "SELL"]),
    on=st.dates(date(2021, 1, 1), date(2026, 12, 31)),
)
def test_whole_paise_equal_the_decimals(
    turnover: int, product: Product, exchange: str, side: TransactionType, on: date
) -> None:
    rates = underlying_rates(product, exchange, on).value
    exact = underlying_charges(rates, side, Decimal(turnover) / 100).total
    assert charges_in_paise(whole_rates(product, exchange, on, side), turnover) == exact * 100
