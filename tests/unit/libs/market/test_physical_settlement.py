from dataclasses import dataclass
from datetime import date, datetime

import pytest

from libs.market.calendar import IST, load_calendar
from libs.market.physical_settlement import load_physical_settlement, must_leave_by


@dataclass(frozen=True, slots=True)
class Held:
    underlying: str
    expiry: date


def test_a_stock_option_is_left_by_the_close_of_the_day_before_the_margin_days() -> None:
    # Tuesday 2026-06-30; Friday the 26th is a holiday
    closes_ms = must_leave_by(Held("RELIANCE", date(2026, 6, 30)), load_calendar())
    assert closes_ms is not None
    closes = datetime.fromtimestamp(closes_ms / 1000, IST)
    assert closes == datetime(2026, 6, 22, 15, 30, tzinfo=IST)


@pytest.mark.parametrize("name", ["NIFTY", "BANKNIFTY", "SENSEX"])
def test_an_index_option_may_be_held_to_its_expiry(name: str) -> None:
    assert must_leave_by(Held(name, date(2026, 6, 30)), load_calendar()) is None


@pytest.mark.parametrize(("days", "last"), [(0, 29), (1, 25), (4, 22)])
def test_the_days_may_be_set(days: int, last: int) -> None:
    rule = load_physical_settlement()
    expiry = date(2026, 6, 30)
    assert rule.last_day("RELIANCE", expiry, load_calendar(), days) == date(2026, 6, last)


def test_beyond_the_calendar_no_day_is_known() -> None:
    assert must_leave_by(Held("RELIANCE", date(2027, 3, 30)), load_calendar()) is None
