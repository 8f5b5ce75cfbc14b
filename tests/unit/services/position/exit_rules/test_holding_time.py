import pytest

from libs.market.calendar import load_calendar
from services.position.domain.exit_rules.holding_time import HoldingTime
from services.position.domain.exit_rules.rule import Exit
from tests.unit.services.position.builders import NOW
from tests.unit.services.position.exit_rules.positions import mark, opened

HOURS_MS = 3 * 3600 * 1000


def test_the_holding_time_counts_from_the_opening() -> None:
    rule = HoldingTime(HOURS_MS, load_calendar())
    assert rule.check(mark(now_ms=NOW + HOURS_MS - 1), opened()) is None
    assert rule.check(mark(now_ms=NOW + HOURS_MS), opened()) == Exit("holding_time")


@pytest.mark.parametrize("none", [None, 0])
def test_without_a_holding_time_a_position_is_held(none: int | None) -> None:
    assert (
        HoldingTime(none, load_calendar()).check(mark(now_ms=NOW + 100 * HOURS_MS), opened())
        is None
    )
