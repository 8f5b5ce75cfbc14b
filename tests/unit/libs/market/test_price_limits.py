"""How far from their reference orders may be priced."""

from datetime import date
from decimal import Decimal

import pytest

from libs.market.price_limits import PriceReach, option_price_limits

TODAY = date(2026, 6, 17)


@pytest.mark.parametrize(
    ("reference", "reach"), [("10", "20"), ("50", "20"), ("50.05", "20.02"), ("200", "80")]
)
def test_limit_price_protection_reaches_twenty_rupees_or_forty_percent(
    reference: str, reach: str
) -> None:
    for is_index in (True, False):
        protection = option_price_limits(TODAY).protection(is_index)
        assert protection.reach(Decimal(reference)) == Decimal(reach)


def test_before_it_began_there_was_no_protection() -> None:
    limits = option_price_limits(date(2022, 12, 1))
    assert limits.protection(is_index_option=True).reach(Decimal(100)) == Decimal(40)
    assert limits.protection(is_index_option=False).reach(Decimal(100)) == Decimal("Infinity")


def test_a_stop_may_lie_a_fifth_from_its_trigger_and_ten_rupees_up_to_fifty() -> None:
    limits = option_price_limits(TODAY)
    assert limits.stop_gap == PriceReach(Decimal(50), Decimal(10), Decimal(20))
    assert limits.modifications == 25
