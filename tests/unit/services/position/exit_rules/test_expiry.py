from datetime import date

import pytest

from libs.market.calendar import load_calendar
from services.position.domain.exit_rules.expiry import BeforeExpiry
from services.position.domain.exit_rules.rule import Exit
from tests.unit.services.position.builders import EXPIRY, NOW, at
from tests.unit.services.position.exit_rules.positions import mark, opened

RULE = BeforeExpiry(3600 * 1000, load_calendar())


@pytest.mark.parametrize(
    ("expiry", "hour", "minute"), [(EXPIRY, 14, 30), (date(2026, 8, 11), 14, 40)]
)
def test_a_contract_is_exited_an_hour_before_the_close_of_its_expiry_day(
    expiry: date, hour: int, minute: int
) -> None:
    position, at_ms = opened(at(10, 0, day=expiry), expiry), at(hour, minute, day=expiry)
    assert RULE.at_ms(position) == at_ms
    assert RULE.check(mark(now_ms=at_ms - 1), position) is None
    assert RULE.check(mark(now_ms=at_ms), position) == Exit("expiry")


@pytest.mark.parametrize("expiry", [date(2026, 6, 14), date(2099, 1, 5)])
def test_an_expiry_day_without_a_session_or_beyond_the_calendar_gives_no_time(
    expiry: date,
) -> None:
    position = opened(expiry=expiry)
    assert RULE.at_ms(position) is None
    assert RULE.check(mark(now_ms=NOW), position) is None


@pytest.mark.parametrize(("days", "last"), [(None, 22), (1, 25), (0, 29)])
def test_an_option_settled_in_shares_is_exited_before_its_settlement_days(
    days: int | None, last: int
) -> None:
    # it expires on Tuesday 2026-06-30; Friday the 26th is a holiday
    position = opened(expiry=date(2026, 6, 30), underlying="RELIANCE")
    rule = BeforeExpiry(3600 * 1000, load_calendar(), days)
    assert rule.at_ms(position) == at(14, 30, day=date(2026, 6, last))


def test_an_exchange_that_the_calendar_does_not_know_gives_no_time() -> None:
    assert RULE.at_ms(opened(exchange="XYZ")) is None
