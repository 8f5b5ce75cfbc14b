from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.domain.market.price_bands import PriceBand, price_bands

DAY = date(2026, 6, 10)


@pytest.mark.parametrize(
    ("premium", "limits"),
    [(100.0, (0.05, 500.0)), (25.0, (0.05, 125.0)), (10.0, (0.05, 110.0)), (0.05, (0.05, 100.05))],
)
def test_options_have_a_share_of_the_premium_and_at_least_some_rupees(
    premium: float, limits: tuple[float, float]
) -> None:
    assert price_bands(DAY).options.limits(premium, 0.05) == limits


def test_stocks_have_a_share_of_the_close_rounded_inwards_to_the_tick() -> None:
    assert price_bands(DAY).stocks.limits(1389.65, 0.05) == (1250.7, 1528.6)
    assert price_bands(DAY).stocks.limits(1389.65, 0.10) == (1250.7, 1528.6)
    assert price_bands(DAY).stocks.limits(1389.0, 1.0) == (1251.0, 1527.0)


@given(reference=st.integers(1, 10**6), share=st.floats(0.01, 0.5))
def test_limits_lie_on_ticks_within_the_band_around_the_reference(
    reference: int, share: float
) -> None:
    price = reference * 0.05
    lower, upper = PriceBand(share).limits(price, 0.05)
    assert 0.05 <= lower <= price + 0.01 <= upper + 0.02
    assert lower >= price * (1 - share) - 0.001
    assert upper <= price * (1 + share) + 0.001
    assert all(abs(limit / 0.05 - round(limit / 0.05)) < 1e-6 for limit in (lower, upper))
