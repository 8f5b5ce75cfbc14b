from datetime import date

import numpy as np
import pytest

from libs.market.calendar import Calendar
from services.simulator.domain.market.levels import PriceLevels, session_deviation
from services.simulator.domain.market.underlyings import UnderlyingSpec


def test_levels_of_a_day_do_not_depend_on_how_far_they_were_drawn(stock: UnderlyingSpec) -> None:
    day, before = date(2025, 10, 8), date(2025, 10, 7)
    near = PriceLevels(3, stock, day).of(day, before)
    far = PriceLevels(3, stock, date(2026, 12, 1)).of(day, before)
    assert near == far


def test_each_day_begins_at_the_close_of_the_one_before(stock: UnderlyingSpec) -> None:
    levels = PriceLevels(3, stock, date(2025, 10, 8))
    today = levels.of(date(2025, 10, 8), date(2025, 10, 7))
    yesterday = levels.of(date(2025, 10, 7), date(2025, 10, 6))
    assert today.previous_close == yesterday.close


def test_a_day_before_the_synthetic_market_began_is_refused(stock: UnderlyingSpec) -> None:
    with pytest.raises(ValueError, match="begins on 2020-01-01"):
        PriceLevels(3, stock, date(2019, 12, 31))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_session_returns_have_the_size_the_volatility_says(
    seed: int, stock: UnderlyingSpec, calendar: Calendar
) -> None:
    levels, day, returns = PriceLevels(seed, stock, date(2026, 6, 10)), date(2026, 6, 10), []
    for _ in range(500):
        before = calendar.previous_trading_day("NSE", day)
        ends = levels.of(day, before)
        returns.append(ends.close - ends.open)
        day = before
    assert np.std(returns) == pytest.approx(session_deviation(stock), rel=0.15)
