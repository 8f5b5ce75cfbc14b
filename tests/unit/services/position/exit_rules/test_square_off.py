from datetime import date, time

from libs.market.calendar import load_calendar
from services.position.domain.exit_rules.rule import Exit
from services.position.domain.exit_rules.square_off import SquareOff
from tests.unit.services.position.builders import at
from tests.unit.services.position.exit_rules.positions import mark, opened

QUARTER_MS = 15 * 60_000


def square_off(at: time = time(15, 15)) -> SquareOff:
    return SquareOff(at, QUARTER_MS, load_calendar())


def test_positions_are_squared_off_at_a_quarter_past_three_in_india() -> None:
    assert square_off().check(mark(now_ms=at(15, 15) - 1), opened()) is None
    assert square_off().check(mark(now_ms=at(15, 15)), opened()) == Exit("square_off")


def test_another_time_of_square_off_can_be_set() -> None:
    assert square_off(time(15, 0)).at_ms(opened()) == at(15, 0)


def test_a_position_of_an_earlier_day_is_squared_off_at_once() -> None:
    tomorrow = at(9, 15, day=date(2026, 6, 11))
    assert square_off().check(mark(now_ms=tomorrow), opened()) == Exit("square_off")


def test_on_a_day_that_closes_early_positions_are_exited_before_its_close() -> None:
    (session,) = load_calendar().sessions("NFO", date(2025, 10, 21))
    evening = opened(session.open_ms, expiry=date(2025, 10, 28))
    assert square_off().at_ms(evening) == session.close_ms - QUARTER_MS


def test_on_a_day_beyond_the_calendar_the_time_holds() -> None:
    day = date(2099, 6, 10)
    assert not load_calendar().covers(day)
    beyond = opened(at(10, 30, day=day), expiry=date(2099, 6, 16))
    assert square_off().at_ms(beyond) == at(15, 15, day=day)
