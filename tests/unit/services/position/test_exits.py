from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.positions import PositionEvent, PositionOpened
from libs.market.calendar import load_calendar
from services.position.domain.exits import ExitRules, ExitTimes, exit_reason
from tests.unit.services.position.builders import (
    EXPIRY,
    NOW,
    at,
    contract,
    fill,
    hear,
    make_positions,
)

HOUR_MS = 3600 * 1000
NEVER = ExitTimes(0, 0, 0)


def opened(at_ms: int = NOW, expiry: date = EXPIRY) -> PositionEvent:
    events = hear(make_positions(), fill(at_ms=at_ms, contract=contract(expiry=expiry)))
    return next(event for event in events if isinstance(event, PositionOpened))


def times(at_ms: int = NOW, expiry: date = EXPIRY, rules: ExitRules | None = None) -> ExitTimes:
    return ExitTimes.of(opened(at_ms, expiry), rules or ExitRules(), load_calendar())


@pytest.mark.parametrize(
    ("last_price", "reason"),
    [
        (84.0, "stop_loss"),
        (84.05, None),
        (191.95, None),
        (192.0, "target"),
        (None, None),
    ],
)
def test_a_level_is_reached_when_the_price_stands_on_it(
    last_price: float | None, reason: str | None
) -> None:
    assert exit_reason(opened(), last_price, NOW, NEVER) == reason


def test_the_stop_is_looked_at_before_the_target_and_before_the_time() -> None:
    past = ExitTimes(1, 1, 1)
    both = opened().model_copy(update={"target": opened().stop_loss})
    assert exit_reason(both, 84.0, NOW, past) == "stop_loss"
    assert exit_reason(opened(), 200.0, NOW, past) == "target"
    assert exit_reason(opened(), 100.0, NOW, past) == "square_off"


def test_positions_are_squared_off_at_a_quarter_past_three_in_india() -> None:
    assert times().square_off_ms == at(15, 15)
    assert exit_reason(opened(), 100.0, at(15, 15) - 1, times()) is None
    assert exit_reason(opened(), 100.0, at(15, 15), times()) == "square_off"


def test_another_time_of_square_off_can_be_set() -> None:
    assert times(rules=ExitRules(square_off=time(15, 0))).square_off_ms == at(15, 0)


@pytest.mark.parametrize(
    ("expiry", "hour", "minute"), [(EXPIRY, 14, 30), (date(2026, 8, 11), 14, 40)]
)
def test_a_contract_is_left_an_hour_before_the_close_of_its_expiry_day(
    expiry: date, hour: int, minute: int
) -> None:
    of_expiry = times(at(10, 0, day=expiry), expiry)
    assert of_expiry.expiry_ms == at(hour, minute, day=expiry)
    assert exit_reason(opened(), 100.0, of_expiry.expiry_ms - 1, of_expiry) is None
    assert exit_reason(opened(), 100.0, of_expiry.expiry_ms, of_expiry) == "expiry"


def test_an_expiry_on_a_day_without_a_session_gives_no_time() -> None:
    assert times(expiry=date(2026, 6, 14)).expiry_ms == 0


def test_the_holding_time_counts_from_the_opening() -> None:
    held = times(rules=ExitRules(holding_ms=3 * HOUR_MS))
    assert exit_reason(opened(), 100.0, NOW + 3 * HOUR_MS - 1, held) is None
    assert exit_reason(opened(), 100.0, NOW + 3 * HOUR_MS, held) == "holding_time"
    assert times().holding_ms == 0


@given(st.floats(0.05, 300), st.integers(at(9, 15), at(15, 30)))
def test_a_position_is_left_exactly_when_a_level_or_a_time_is_reached(
    last_price: float, now_ms: int
) -> None:
    is_reached = last_price <= 84 or last_price >= 192 or now_ms >= at(15, 15)
    assert (exit_reason(opened(), last_price, now_ms, times()) is not None) == is_reached


def test_on_a_day_that_closes_early_positions_are_left_before_its_close() -> None:
    (session,) = load_calendar().sessions("NFO", date(2025, 10, 21))
    evening = times(session.open_ms, expiry=date(2025, 10, 28))
    assert evening.square_off_ms == session.close_ms - 15 * 60_000
