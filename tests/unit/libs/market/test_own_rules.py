"""The user's own rules: real files over the packaged ones, and what is refused of them."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from libs.market.calendar import IST, Calendar, load_calendar
from libs.market.merging import merged
from libs.market.own_rules import (
    OwnRulesError,
    own_rule_errors,
    packaged_name,
    read_own_rules,
    use_own_rules,
)
from libs.market.packaged import layers, load_table, packaged_names, packaged_table
from libs.market.price_limits import option_price_limits
from libs.market.rulebook import load_rulebook
from libs.market.table_forms import FORMS

Write = Callable[[str, str], Path]

CALENDAR_2027 = """
[covers]
from = 2027-01-01
to = 2027-12-31

[[holidays]]
segments = ["NSE", "NFO", "BSE", "BFO", "MCX"]
[holidays.days]
2027-01-26 = "Republic Day"

[[holidays]]
segments = ["NSE", "NFO", "BSE", "BFO"]
evening_segments = ["MCX"]
evening_sessions = [[17:00:00, 23:55:00]]
[holidays.days]
2027-03-22 = "Holi"
"""
MUHURAT = """
[[special]]
day = 2026-11-08
name = "Muhurat trading"
segments = ["NSE", "NFO", "BSE", "BFO"]
sessions = [[18:00:00, 19:00:00]]
is_settlement = false
source = "NSE/FAOP/79999"
"""


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write a file into the folder of own rules, which holds no longer than the test."""

    def written(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path

    yield written
    use_own_rules(None)


def hours(calendar: Calendar, segment: str, day: date) -> list[str]:
    sessions = calendar.sessions(segment, day)
    return [
        f"{one.opens_at.astimezone(IST):%H:%M}-{one.closes_at.astimezone(IST):%H:%M}"
        for one in sessions
    ]


@pytest.mark.parametrize("name", packaged_names())
def test_each_packaged_file_has_the_form_that_own_files_are_held_to(name: str) -> None:
    FORMS[name].model_validate(packaged_table(name))


def test_there_is_a_form_for_each_packaged_file() -> None:
    assert tuple(FORMS) == packaged_names()


def test_the_next_year_is_added_and_taken_off_again(write: Write) -> None:
    use_own_rules(write("calendar-2027.toml", CALENDAR_2027))
    calendar = load_calendar()
    assert calendar.last_day == date(2027, 12, 31)
    assert calendar.closed_reason("NFO", date(2027, 1, 26)) == "holiday: Republic Day"
    assert hours(calendar, "NFO", date(2027, 1, 27)) == ["09:15-15:40"]
    assert hours(calendar, "MCX", date(2027, 3, 22)) == ["17:00-23:55"]
    assert calendar.next_trading_day("NSE", date(2026, 12, 31)) == date(2027, 1, 1)
    use_own_rules(None)
    assert load_calendar().last_day == date(2026, 12, 31)


def test_a_session_that_was_announced_without_its_hours_gets_them(write: Write) -> None:
    muhurat = date(2026, 11, 8)
    assert load_calendar().announced("NSE", muhurat) is not None
    use_own_rules(write("calendar-muhurat.toml", MUHURAT))
    calendar = load_calendar()
    assert hours(calendar, "NFO", muhurat) == ["18:00-19:00"]
    assert calendar.announced("NSE", muhurat) is None
    assert not calendar.is_settlement_day("NFO", muhurat)
    special = calendar.special_day("NSE", muhurat)
    assert special is not None
    assert special.source == "NSE/FAOP/79999"


def test_a_holiday_of_ones_own_closes_a_day_that_had_special_hours(write: Write) -> None:
    day = 'segments = ["NSE", "MCX"]\n[holidays.days]\n2026-02-01 = "Storm"\n2026-06-17 = "Storm"\n'
    use_own_rules(write("calendar.toml", f"[[holidays]]\n{day}"))
    calendar = load_calendar()
    assert calendar.closed_reason("NSE", date(2026, 6, 17)) == "holiday: Storm"
    assert calendar.closed_reason("MCX", date(2026, 2, 1)) == "Sunday"
    assert hours(calendar, "NFO", date(2026, 6, 17)) == ["09:15-15:30"]


def test_a_packaged_holiday_is_opened_by_a_special_day(write: Write) -> None:
    text = MUHURAT.replace("2026-11-08", "2026-12-25").replace("false", "true")
    use_own_rules(write("calendar.toml", text))
    assert hours(load_calendar(), "NSE", date(2026, 12, 25)) == ["18:00-19:00"]
    assert load_calendar().is_settlement_day("NFO", date(2026, 12, 25))


def test_of_two_files_the_one_whose_name_comes_last_wins(write: Write) -> None:
    write("lots-1.toml", "[lots]\nNIFTY = [{ from = 2026-12-30, value = 70 }]\n")
    use_own_rules(write("lots-2.toml", "[lots]\nNIFTY = [{ from = 2026-12-30, value = 80 }]\n"))
    lots = load_rulebook().lots["NIFTY"]
    day_before, day = lots.at(date(2026, 12, 29)), lots.at(date(2026, 12, 30))
    assert (day_before.value, day_before.source) == (65, "NSE/FAOP/70616")
    assert (day.value, day.source) == (80, "lots-2.toml")


def test_a_value_of_ones_own_goes_on_where_the_packaged_one_ends(write: Write) -> None:
    text = "[freezes]\nNIFTY = [{ from = 2026-09-01, value = 1200, until = 2026-09-30 }]\n"
    use_own_rules(write("contracts.toml", text))
    rulebook = load_rulebook()
    known = {day: rulebook.freeze_quantity("NIFTY", date(2026, *day)) for day in DAYS}
    assert [one.value for one in known.values()] == [1800, 1200, 1200, 1200]
    assert [one.is_exact for one in known.values()] == [True, True, True, False]
    assert rulebook.freezes["NIFTY"].known_until(date(2026, 8, 1)) == date(2026, 9, 30)
    assert rulebook.freeze_quantity("BANKNIFTY", date(2026, 8, 31)).value == 600


DAYS = ((8, 31), (9, 1), (9, 30), (10, 1))


def test_an_expiry_rule_of_ones_own_ends_the_packaged_one(write: Write) -> None:
    text = """
[[expiry_rules]]
underlyings = ["NIFTY"]
kind = "weekly"
weekday = "Monday"
from = 2026-09-07
"""
    use_own_rules(write("contracts.toml", text))
    expiries = load_rulebook().expiries("NIFTY", date(2026, 9, 1), load_calendar(), 3)
    assert [one.date for one in expiries] == [date(2026, 9, day) for day in (1, 7, 11)]
    monthly = load_rulebook().expiries("BANKNIFTY", date(2026, 9, 1), load_calendar(), 1)
    assert monthly[0].date == date(2026, 9, 29)


def test_other_tables_follow_too_though_they_were_read_before(write: Write) -> None:
    day = date(2026, 12, 1)
    before = option_price_limits(day).modifications
    text = f"[[order_modifications]]\nfrom = {day}\nvalue = {before + 5}\n"
    use_own_rules(write("trading_limits.toml", text))
    assert option_price_limits(day).modifications == before + 5
    use_own_rules(None)
    assert option_price_limits(day).modifications == before


def test_names_are_added_to_the_packaged_ones(write: Write) -> None:
    use_own_rules(write("underlyings.toml", '[names]\nNSE = ["NEWCO", "NIFTY"]\n'))
    names = load_table("underlyings.toml")["names"]["NSE"]
    assert names.count("NIFTY") == 1
    assert names[-1] == "NEWCO"


REFUSED = {
    "an unknown file": ("holidays.toml", "", "its name must begin with one of aliases, calendar"),
    "no TOML": ("lots.toml", "[lots", "Expected"),
    "an unknown key": (
        "lots.toml",
        "[lots]\nNIFTY = [{ from = 2027-01-01, size = 1 }]",
        "lots.NIFTY.0.",
    ),
    "an unknown table": ("lots.toml", "[lot]\n", "lot: unknown key"),
    "a wrong type": (
        "lots.toml",
        '[lots]\nNIFTY = [{ from = 2027-01-01, value = "75" }]',
        "lots.NIFTY.0.value: Input should be a valid integer",
    ),
    "a lot of nothing": (
        "lots.toml",
        "[lots]\nNIFTY = [{ from = 2027-01-01, value = 0 }]",
        "lots.NIFTY.0.value: Input should be greater than 0",
    ),
    "a day that is text": (
        "lots.toml",
        '[lots]\nNIFTY = [{ from = "2027-01-01", value = 75 }]',
        "lots.NIFTY.0.from: Input should be a valid date",
    ),
    "dates without order": (
        "lots.toml",
        "[lots]\nNIFTY = [{ from = 2027-02-01, value = 75 }, { from = 2027-01-01, value = 65 }]",
        "lots.NIFTY: 2027-01-01 does not come after 2027-02-01",
    ),
    "spans that overlap": (
        "lots.toml",
        "[lots]\nNIFTY = [{ from = 2027-01-01, value = 75, until = 2027-03-01 },"
        " { from = 2027-02-01, value = 65 }]",
        "lots.NIFTY: what begins on 2027-02-01 overlaps: until = 2027-03-01",
    ),
    "an end before the beginning": (
        "lots.toml",
        "[lots]\nNIFTY = [{ from = 2027-01-02, value = 75, until = 2027-01-01 }]",
        "lots.NIFTY.0: it ends on 2027-01-01, before it begins on 2027-01-02",
    ),
    "no number": (
        "charges.toml",
        '[[gst]]\nfrom = 2027-01-01\nvalue = "18 %"',
        "gst.0.value: '18 %' is not a number",
    ),
    "a session that ends before it begins": (
        "calendar.toml",
        MUHURAT.replace("19:00:00", "17:00:00"),
        "special.0.sessions: sessions must follow one another",
    ),
    "a day beyond the calendar": (
        "calendar.toml",
        MUHURAT.replace("2026-11-08", "2027-11-08"),
        "2027-11-08: the calendar covers 2021-01-01 to 2026-12-31; [covers] extends it",
    ),
    "a year left out": (
        "calendar.toml",
        "[covers]\nfrom = 2028-01-01\nto = 2028-12-31",
        "covers.from: days after 2026-12-31 would be missing",
    ),
    "a calendar cut short": (
        "calendar.toml",
        "[covers]\nto = 2026-06-30",
        "covers.to: 2026-06-30 is before 2026-12-31, known already",
    ),
    "a day stated twice": ("calendar.toml", MUHURAT + MUHURAT, "twice: 2026-11-08 is special"),
    "no such day": (
        "calendar.toml",
        '[[holidays]]\nsegments = ["NSE"]\n[holidays.days]\n2026-02-30 = "none"',
        "'2026-02-30' is not a day",
    ),
    "an unknown segment": (
        "calendar.toml",
        MUHURAT.replace('"BSE", ', '"BSX", '),
        "special.0.segments.2: Input should be 'NSE', 'NFO'",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_wrong_file_is_refused_with_file_key_and_reason(write: Write, kind: str) -> None:
    name, text, said = REFUSED[kind]
    folder = write(name, text)
    with pytest.raises(OwnRulesError) as refused:
        use_own_rules(folder)
    line = str(refused.value)
    assert line.startswith(f"{folder / name}: ")
    assert said in line
    assert "\n" not in line
    assert own_rule_errors(folder) == [line]
    assert layers("calendar.toml") == (packaged_table("calendar.toml"),), "nothing has changed"


def test_each_wrong_file_of_a_folder_is_told(write: Write) -> None:
    write("lots.toml", "[lot]\n")
    write("notes.txt", "not read")
    folder = write("holidays.toml", "")
    assert len(own_rule_errors(folder)) == 2


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(OwnRulesError, match="missing: No such file or directory"):
        read_own_rules(missing)
    assert own_rule_errors(missing) == [f"{missing}: No such file or directory"]


def test_a_file_is_over_the_packaged_one_that_its_name_begins_with() -> None:
    assert packaged_name(Path("calendar-2027.toml")) == "calendar.toml"
    assert packaged_name(Path("price_bands.toml")) == "price_bands.toml"


def test_what_is_stated_above_for_a_span_hides_what_begins_within_it_below() -> None:
    below = {"of": [{"from": date(2026, month, 1), "value": month} for month in (1, 3, 5)]}
    above = {"of": [{"from": date(2026, 2, 1), "value": 9, "until": date(2026, 4, 1)}]}
    assert [one["value"] for one in merged(below, above)["of"]] == [1, 9, 5]
    assert len(below["of"]) == 3, "the table below is not changed"
