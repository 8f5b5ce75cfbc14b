from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.rulebook import load_rulebook
from services.position.domain.ledger import TradeLedger
from tests.unit.services.position.builders import at, fill

RULES = load_rulebook()
OF_2021 = at(10, 30, day=date(2021, 6, 9))


def ledger(*fills: tuple[str, int, str], at_ms: int | None = None) -> TradeLedger:
    """All purchases of one order, all sales of another."""
    made, seen = TradeLedger(), set[str]()
    for number, (side, quantity, price) in enumerate(fills):
        one = fill(side, quantity, price, number, **({} if at_ms is None else {"at_ms": at_ms}))
        made = made.add(one, is_first_of_order=side not in seen, rules=RULES)
        seen.add(side)
    return made


def test_a_round_trip_of_2021_to_the_paisa() -> None:
    # Bought 75 at 120 = 9,000: brokerage 20.00, exchange 0.053 % 4.77, SEBI 0.01, stamp 0.27,
    # GST 18 % of 24.78 = 4.46: 29.51.
    bought = ledger(("BUY", 75, "120.00"), at_ms=OF_2021)
    assert bought.charges == Decimal("29.51")
    # Sold 75 at 150 = 11,250: brokerage 20.00, STT 0.05 % 5.63, exchange 5.96, SEBI 0.01,
    # GST 18 % of 25.97 = 4.67: 36.27.
    both = ledger(("BUY", 75, "120.00"), ("SELL", 75, "150.00"), at_ms=OF_2021)
    assert both.charges == Decimal("65.78")
    assert both.realised == Decimal("2250.00")
    assert both.realised - both.charges == Decimal("2184.22")


def test_a_round_trip_of_2026_to_the_paisa() -> None:
    # Bought 75 at 120 = 9,000: brokerage 20.00, exchange 0.03553 % 3.20, SEBI 0.01, stamp 0.27,
    # GST 18 % of 23.21 = 4.18: 27.66.
    assert ledger(("BUY", 75, "120.00")).charges == Decimal("27.66")
    # Sold 75 at 150 = 11,250: brokerage 20.00, STT 0.15 % 16.88, exchange 4.00, SEBI 0.01,
    # GST 18 % of 24.01 = 4.32: 45.21.
    both = ledger(("BUY", 75, "120.00"), ("SELL", 75, "150.00"))
    assert both.charges == Decimal("72.87")
    assert both.realised - both.charges == Decimal("2177.13")
    assert both.charges_are_exact


def test_brokerage_is_paid_once_for_all_fills_of_an_order() -> None:
    # 50 at 120 = 6,000: 20.00 + 2.13 + 0.01 + 0.18 + GST 18 % of 22.14 = 3.99: 26.31.
    # 25 at 120 = 3,000: 1.07 + 0.00 + 0.09 + GST 18 % of 1.07 = 0.19: 1.35.
    assert ledger(("BUY", 50, "120.00")).charges == Decimal("26.31")
    assert ledger(("BUY", 50, "120.00"), ("BUY", 25, "120.00")).charges == Decimal("27.66")


def test_rates_that_are_not_known_make_the_charges_inexact() -> None:
    unsure = at(10, 30, day=date(2020, 6, 1))  # before the first rate that is known
    assert not ledger(("BUY", 75, "120.00"), at_ms=unsure).charges_are_exact


def test_fills_average_to_four_decimals() -> None:
    both = ledger(("BUY", 100, "120.00"), ("BUY", 50, "120.05"))
    assert both.entry_price == Decimal("120.0167")
    assert both.exit_price is None


@pytest.mark.parametrize(
    ("fills", "last_price", "realised", "unrealised"),
    [
        ([("BUY", 75, "120")], "130", "0", "750.00"),
        ([("BUY", 75, "120")], "84.05", "0", "-2696.25"),
        ([("BUY", 75, "120"), ("BUY", 75, "130")], "125", "0", "0.00"),
        ([("BUY", 150, "120"), ("SELL", 75, "150")], "140", "2250.00", "1500.00"),
        ([("BUY", 150, "120"), ("SELL", 75, "150"), ("SELL", 75, "90")], "90", "0.00", "0.00"),
    ],
)
def test_profit_is_realised_by_sales_and_unrealised_on_what_is_held(
    fills: list[tuple[str, int, str]], last_price: str, realised: str, unrealised: str
) -> None:
    made = ledger(*fills)
    assert made.realised == Decimal(realised)
    assert made.unrealised(Decimal(last_price)) == Decimal(unrealised)


prices = st.integers(1, 20_000).map(lambda steps: str(steps * Decimal("0.05")))


@given(st.lists(st.tuples(st.integers(1, 500), prices), min_size=1, max_size=5), prices)
def test_selling_everything_realises_what_the_sales_brought_less_what_they_cost(
    purchases: list[tuple[int, str]], price: str
) -> None:
    quantity = sum(units for units, _ in purchases)
    cost = sum((units * Decimal(paid) for units, paid in purchases), Decimal(0))
    made = ledger(*(("BUY", units, paid) for units, paid in purchases), ("SELL", quantity, price))
    assert made.quantity == 0
    assert made.realised == quantity * Decimal(price) - cost
    assert made.charges > 40


@given(st.integers(2, 500), st.data(), prices, prices, prices)
def test_realised_and_unrealised_together_are_the_value_less_the_cost(
    quantity: int, data: st.DataObject, paid: str, taken: str, last_price: str
) -> None:
    sold = data.draw(st.integers(1, quantity - 1))
    made = ledger(("BUY", quantity, paid), ("SELL", sold, taken))
    value = sold * Decimal(taken) + (quantity - sold) * Decimal(last_price)
    together = made.realised + made.unrealised(Decimal(last_price))
    assert abs(together - (value - quantity * Decimal(paid))) <= Decimal("0.01")


def test_an_order_of_before_that_kept_no_value_is_charged_fill_by_fill_without_brokerage() -> None:
    first = ledger(("BUY", 50, "120.00"))
    unknown = replace(first, part_filled={})
    again = fill("BUY", 25, "120.00", 2)
    made = unknown.add(again, is_first_of_order=False, rules=RULES)
    assert made.charges - first.charges == Decimal("1.35")
    assert not made.part_filled


def test_the_value_of_an_order_is_kept_until_it_is_filled_whole() -> None:
    part = fill("BUY", 75, "120.00", filled_quantity=75)
    rest = fill("BUY", 75, "120.00", 2, filled_quantity=150)
    begun = TradeLedger().add(part, is_first_of_order=True, rules=RULES)
    assert begun.part_filled == {str(part.order_id): Decimal(9000)}
    assert not begun.add(rest, is_first_of_order=False, rules=RULES).part_filled
