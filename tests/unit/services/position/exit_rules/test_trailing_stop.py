from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.position.domain.exit_rules.rule import Exit
from services.position.domain.exit_rules.trailing_stop import TrailingStop, TrailingStopSettings
from tests.unit.services.position.exit_rules.positions import mark, opened

TRAILING = TrailingStop(TrailingStopSettings(gain=Decimal("0.20"), fall=Decimal("0.10")))
POSITION = opened()


@pytest.mark.parametrize(
    ("highest", "last_price", "is_left"),
    [
        (143.95, 100.0, False),  # 20 % above 120 is 144: the gain was not reached
        (144.0, 129.65, False),  # 10 % below 144 is 129.60
        (144.0, 129.6, True),
        (170.0, 153.05, False),  # 10 % below 170 is 153
        (170.0, 153.0, True),
        (170.0, 90.0, True),
    ],
)
def test_after_the_gain_it_exits_when_the_price_has_fallen_back_from_its_highest(
    highest: float, last_price: float, is_left: bool
) -> None:
    wanted = Exit("trailing_stop") if is_left else None
    assert TRAILING.check(mark(last_price, highest=highest), POSITION) == wanted


@given(st.floats(0.05, 500), st.floats(120, 500))
def test_without_settings_it_never_exits(last_price: float, highest: float) -> None:
    assert TrailingStop(None).check(mark(last_price, highest=highest), POSITION) is None


@given(st.lists(st.integers(2000, 10_000), min_size=1))
def test_along_any_path_it_exits_at_a_fall_after_the_gain(steps: list[int]) -> None:
    """Prices in steps of 0.05: the entry is 2400 of them, the gain 2880."""
    highest = 2400
    for price in steps:
        highest = max(highest, price)
        is_fallen = highest >= 2880 and price * 10 <= highest * 9
        one = mark(price / 20, highest=highest / 20)
        assert (TRAILING.check(one, POSITION) is not None) == is_fallen


@pytest.mark.parametrize(("gain", "fall"), [("-0.01", "0.1"), ("0.2", "0"), ("0.2", "1")])
def test_fractions_that_make_no_sense_are_refused(gain: str, fall: str) -> None:
    with pytest.raises(ValueError, match="a fraction"):
        TrailingStopSettings(Decimal(gain), Decimal(fall))
