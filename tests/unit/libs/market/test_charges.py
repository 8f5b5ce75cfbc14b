from datetime import date
from decimal import Decimal
from typing import Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.charges import Charges, TransactionType, option_charges
from libs.market.rulebook import load_rulebook

RATES_2026 = load_rulebook().charges(date(2026, 9, 1)).value
amounts = st.decimals(0, 10**8, places=2)
sides = st.sampled_from(["BUY", "SELL"])


def test_a_sale_pays_stt_and_no_stamp_duty() -> None:
    charges = option_charges(RATES_2026, "SELL", Decimal(100_000))
    assert charges == Charges(
        brokerage=Decimal("20.00"),
        stt=Decimal("150.00"),
        exchange=Decimal("35.53"),
        sebi=Decimal("0.10"),
        stamp=Decimal("0.00"),
        gst=Decimal("10.01"),
    )
    assert charges.total == Decimal("215.64")


def test_a_purchase_pays_stamp_duty_and_no_stt() -> None:
    charges = option_charges(RATES_2026, "BUY", Decimal(100_000), orders=2)
    assert (charges.stamp, charges.stt) == (Decimal("3.00"), Decimal(0))
    assert (charges.brokerage, charges.gst) == (Decimal("40.00"), Decimal("13.61"))


def test_half_a_paisa_is_rounded_up() -> None:
    assert option_charges(RATES_2026, "SELL", Decimal(5_000)).sebi == Decimal("0.01")


def test_no_orders_and_no_turnover_cost_nothing() -> None:
    assert option_charges(RATES_2026, "SELL", Decimal(0), orders=0).total == 0
    assert Charges().total == 0


@pytest.mark.parametrize(("turnover", "orders"), [(Decimal("-0.01"), 1), (Decimal(1), -1)])
def test_negative_amounts_are_refused(turnover: Decimal, orders: int) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        option_charges(RATES_2026, "BUY", turnover, orders)


def test_an_unknown_side_is_refused() -> None:
    side = cast(Literal["BUY"], "HOLD")
    with pytest.raises(ValueError, match="'HOLD' is neither BUY nor SELL"):
        option_charges(RATES_2026, side, Decimal(1))


@given(sides, amounts, st.integers(0, 20))
def test_every_charge_is_whole_paise_and_the_total_their_sum(
    side: TransactionType, turnover: Decimal, orders: int
) -> None:
    c = option_charges(RATES_2026, side, turnover, orders)
    parts = [c.brokerage, c.stt, c.exchange, c.sebi, c.stamp, c.gst]
    assert all(part >= 0 and part == round(part, 2) for part in parts)
    assert c.total == sum(parts)


@given(amounts, amounts)
def test_charges_add_up_by_component(first: Decimal, second: Decimal) -> None:
    one = option_charges(RATES_2026, "BUY", first)
    two = option_charges(RATES_2026, "SELL", second)
    both = one + two
    assert both.total == one.total + two.total
    assert both.stt == two.stt
    assert both.stamp == one.stamp
