from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.rupees import rupees


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (Decimal("1234567.5"), "₹12,34,567.50"),
        (Decimal("-1234"), "-₹1,234.00"),
        (0, "₹0.00"),
        (999, "₹999.00"),
        (1000, "₹1,000.00"),
        (99_999, "₹99,999.00"),
        (100_000, "₹1,00,000.00"),
        (10_000_000, "₹1,00,00,000.00"),
        (1_234_567_890, "₹1,23,45,67,890.00"),
        (0.1 + 0.2, "₹0.30"),
        (Decimal("1.005"), "₹1.01"),
        (Decimal("-0.004"), "₹0.00"),
        (Decimal("1E+5"), "₹1,00,000.00"),
    ],
)
def test_money_is_grouped_by_lakh_and_crore(amount: Decimal | float, expected: str) -> None:
    assert rupees(amount) == expected


@pytest.mark.parametrize(
    ("amount", "expected"), [(Decimal("1999.5"), "₹2,000"), (-0.4, "₹0"), (-100_000, "-₹1,00,000")]
)
def test_without_paise_it_is_rounded_to_whole_rupees(amount: float, expected: str) -> None:
    assert rupees(amount, paise=False) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2))
def test_the_digits_are_those_of_the_amount(amount: Decimal) -> None:
    shown = rupees(amount)
    assert Decimal(shown.replace("₹", "").replace(",", "")) == amount
    groups = shown.lstrip("-").removeprefix("₹").partition(".")[0].split(",")
    assert [len(group) for group in groups[1:-1]] == [2] * len(groups[1:-1])
    assert len(groups) == 1 or len(groups[-1]) == 3


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), Decimal("NaN")])
def test_what_is_no_number_is_refused(amount: Decimal | float) -> None:
    with pytest.raises(ValueError, match="no amount of money"):
        rupees(amount)
