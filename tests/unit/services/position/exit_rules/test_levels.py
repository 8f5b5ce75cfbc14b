import pytest

from services.position.domain.exit_rules.levels import StopLoss, Target
from services.position.domain.exit_rules.rule import Exit
from tests.unit.services.position.exit_rules.positions import mark, opened


@pytest.mark.parametrize(("last_price", "is_left"), [(83.95, True), (84.0, True), (84.05, False)])
def test_a_stop_is_reached_when_the_price_equals_it(last_price: float, is_left: bool) -> None:
    wanted = Exit("stop_loss") if is_left else None
    assert StopLoss().check(mark(last_price), opened()) == wanted


@pytest.mark.parametrize(
    ("last_price", "is_left"), [(191.95, False), (192.0, True), (192.05, True)]
)
def test_a_target_is_reached_when_the_price_equals_it(last_price: float, is_left: bool) -> None:
    wanted = Exit("target") if is_left else None
    assert Target().check(mark(last_price), opened()) == wanted
