"""What `alphastocks doctor` finds, from facts: each check in each of its states."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from libs.broker.errors import SessionExpired, SessionFileBroken, SessionMissing
from libs.broker.kite.session import KiteSession
from libs.market.calendar import IST, load_calendar
from libs.market.market_hours import MarketHours
from services.executor.domain.doctor.day import calendar_finding, day_finding, next_session
from services.executor.domain.doctor.finding import Finding, is_well
from services.executor.domain.doctor.machine import disk_finding
from services.local.checks import (
    Answer,
    Port,
    clock_finding,
    key_finding,
    ports_finding,
    server_finding,
    session_finding,
)

CALENDAR = load_calendar()
HOURS = MarketHours(CALENDAR)
FRIDAY, MONDAY = date(2026, 6, 19), date(2026, 6, 22)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST).astimezone(UTC)


def session(login: datetime, key: str = "k") -> KiteSession:
    return KiteSession("AB1234", key, "token", login)


def test_what_waits_is_well_and_what_failed_is_not() -> None:
    ok, waits = Finding("a", "ok", ""), Finding("b", "waits", "")
    assert is_well([ok, waits])
    assert not is_well([ok, waits, Finding("c", "failed", "")])


def test_a_missing_key_fails_and_names_the_variable() -> None:
    assert key_finding("k", "KITE_API_KEY").state == "ok"
    missing = key_finding("", "KITE_API_KEY")
    assert (missing.state, "export KITE_API_KEY=" in missing.action) == ("failed", True)


@pytest.mark.parametrize(
    "error",
    [
        SessionMissing("there is no session at s.json: run `alphastocks login`"),
        SessionExpired("the session of AB1234 ended at 06:00: run `alphastocks login`"),
        SessionFileBroken("the session at s.json cannot be read: run `alphastocks login`"),
    ],
)
def test_without_a_session_services_wait_and_it_says_how_to_log_in(error: SessionMissing) -> None:
    found = session_finding(error, "k", at(FRIDAY, 9, 15))
    assert (found.state, found.action) == ("waits", "log in: alphastocks login")
    assert found.reason + ": run `alphastocks login`" == str(error)


def test_a_session_of_today_is_well_and_says_until_when() -> None:
    found = session_finding(session(at(FRIDAY, 8)), "k", at(FRIDAY, 9, 15))
    assert found == Finding("session", "ok", "of AB1234, until 2026-06-20 06:00 in India")


def test_a_session_that_ends_before_the_market_opens_waits_for_a_new_one() -> None:
    found = session_finding(session(at(FRIDAY, 8)), "k", at(MONDAY, 9, 15))
    assert (found.state, found.action) == ("waits", "log in after 06:00: alphastocks login")


def test_a_session_of_another_key_fails() -> None:
    found = session_finding(session(at(FRIDAY, 8), "other"), "k", at(FRIDAY, 9, 15))
    assert (found.state, found.reason) == ("failed", "belongs to another API key")


def test_ports_are_free_or_ours_or_named_with_who_holds_them() -> None:
    free, ours = Port("candle", 8100, "runtime.port"), Port("x", 8101, "s", "our x", is_ours=True)
    taken = Port("grafana", 3000, "GRAFANA_PORT", "another program")
    assert ports_finding([free]) == Finding("ports", "ok", "free: 8100")
    assert ports_finding([free, ours]).state == "ok"
    found = ports_finding([free, ours, taken])
    assert (found.state, found.reason) == ("failed", "taken: 3000 (grafana) by another program")
    assert found.action.endswith("set another: GRAFANA_PORT")


@pytest.mark.parametrize(
    ("gib", "state", "acts"), [(1.9, "failed", True), (5.0, "ok", True), (50.0, "ok", False)]
)
def test_a_disk_that_is_nearly_full_fails(gib: float, state: str, acts: bool) -> None:
    found = disk_finding(Path("var"), int(gib * 2**30))
    assert (found.state, bool(found.action)) == (state, acts)
    assert found.reason == f"{gib:.1f} GiB free at var"


@pytest.mark.parametrize(
    ("now", "state", "reason"),
    [
        (at(FRIDAY, 8), "ok", "today, 09:15 to 15:30 in India"),
        (at(FRIDAY, 12), "ok", "today, 09:15 to 15:30 in India"),
        (
            at(FRIDAY, 15, 30),
            "waits",
            "today's session is over; the next one is Monday 2026-06-22 09:15",
        ),
        (
            at(date(2026, 6, 20), 10),
            "waits",
            "closed today (Saturday); the next one is Monday 2026-06-22 09:15",
        ),
        (
            at(date(2026, 1, 26), 10),
            "waits",
            "closed today (holiday: Republic Day); the next one is Tuesday 2026-01-27 09:15",
        ),
    ],
)
def test_the_trading_day_is_today_or_the_next_one_is_named(
    now: datetime, state: str, reason: str
) -> None:
    found = day_finding(HOURS, now)
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    ("now", "state", "reason"),
    [
        (at(FRIDAY, 16), "ok", "today, 09:00 to 23:30 in India"),
        (at(date(2026, 6, 26), 10), "ok", "today, 17:00 to 23:30 in India"),
        (
            at(FRIDAY, 23, 30),
            "waits",
            "today's session is over; the next one is Monday 2026-06-22 09:00",
        ),
    ],
)
def test_with_commodities_the_day_is_that_of_mcx(now: datetime, state: str, reason: str) -> None:
    found = day_finding(MarketHours(CALENDAR, ("NSE", "MCX", "NFO")), now)
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize("now", [at(date(2026, 12, 31), 16), at(date(2027, 1, 4), 9)])
def test_a_day_past_the_calendar_fails(now: datetime) -> None:
    found = day_finding(HOURS, now)
    assert found.state == "failed"
    assert "the data files cover" in found.reason


def test_the_next_session_is_the_one_that_is_on_or_the_next() -> None:
    assert next_session(HOURS, at(FRIDAY, 12)).day == FRIDAY
    assert next_session(HOURS, at(FRIDAY, 15, 30)).day == MONDAY


@pytest.mark.parametrize(
    ("today", "state", "reason"),
    [
        (date(2026, 12, 1), "ok", "known for more than 30 days"),
        (date(2026, 12, 19), "waits", "ends on 2026-12-31, in 12 days"),
        (date(2027, 1, 1), "failed", "2027-01-01 is not in it"),
    ],
)
def test_the_end_of_the_calendar_is_told_in_time(today: date, state: str, reason: str) -> None:
    found = calendar_finding(CALENDAR, today)
    assert (found.state, found.reason) == (state, reason)


def test_a_clock_behind_what_is_on_record_fails() -> None:
    login = at(FRIDAY, 8)
    assert clock_finding(at(FRIDAY, 9), login, "the login").state == "ok"
    assert clock_finding(at(FRIDAY, 9), None, "").state == "ok"
    found = clock_finding(at(FRIDAY, 7), login, "the login")
    assert found.state == "failed"
    assert found.reason == "2026-06-19 07:00:00 in India, but the login is of 2026-06-19 08:00"


def test_a_server_that_does_not_answer_fails_and_names_its_setting() -> None:
    assert server_finding(Answer("Kafka", "k:9092", "bus.bootstrap")).state == "ok"
    found = server_finding(Answer("Kafka", "k:9092", "bus.bootstrap", "refused"))
    assert (found.state, found.action) == ("failed", "start it, or correct bus.bootstrap")
    assert found.reason == "no answer at k:9092: refused"
