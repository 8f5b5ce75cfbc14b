"""Each line of the doctor: well, and failing by its own cause alone; live is not armed then."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from libs.broker.port import Margin
from libs.events.event import utc_from_ms
from libs.market.calendar import load_calendar
from libs.market.facts import Fact, values_of
from libs.market.rulebook import load_rulebook
from services.executor.domain.doctor.addresses import address_in, echo_address
from services.executor.domain.doctor.finding import is_well
from services.executor.domain.doctor.lines import Facts, Seen, examine
from services.executor.domain.doctor.machine import feed_finding
from services.executor.domain.doctor.schedule import Schedule
from services.executor.domain.live.arming import Arming
from services.executor.domain.live.asking import Asked, Readiness, arming_refusal
from services.executor.domain.live.outcome import Footing
from services.executor.settings import LiveSettings
from tests.unit.services.executor.builders import DAY, EXPIRY, NOW, at

CALENDAR = load_calendar()
NEXT_MORNING = utc_from_ms(at(6, 0, day=date(2026, 6, 11)))
LAKH = Decimal(100_000)
GIB = 2**30


@dataclass(frozen=True)
class Login:
    """A session at the broker."""

    user_id: str = "AB1234"
    expires_at: datetime = NEXT_MORNING


SEEN = Seen(disk_bytes=50 * GIB, free_bytes=50 * GIB, address="203.0.113.7")
GOOD = Facts(
    now=utc_from_ms(NOW),
    footing=Footing("real", "wall", "kafka"),
    seen=SEEN,
    folder=Path("var"),
    calendar=CALENDAR,
    facts=values_of(DAY, load_rulebook()),
    session=Login(),
    session_error="",
    closes=utc_from_ms(at(15, 30)),
    user_id="AB1234",
    registered=("203.0.113.7",),
    held=(EXPIRY,),
    listed_on=DAY,
    offset_ms=400,
    tick_age_ms=900,
    is_open=True,
    is_silent=False,
    lag=30,
    clean_age_ms=40_000,
    pace=1.0,
    capital=10 * LAKH,
    funds=Margin(available=8 * LAKH, used=2 * LAKH),
    orders_a_second=10,
)
ENDED = Fact("freeze quantity", "NIFTY", "1800", "", date(2026, 6, 1), date(2026, 6, 9))
CAUSES: dict[str, tuple[str, dict[str, Any]]] = {
    "nobody is logged in": ("session", {"session": None, "session_error": "there is none"}),
    "the session ends before the close": (
        "session",
        {"session": Login(expires_at=utc_from_ms(at(15, 0)))},
    ),
    "books and account differ": ("reconciliation", {"quarantines": {"NIFTY": "75 units"}}),
    "they were not compared yet": ("reconciliation", {"clean_age_ms": None}),
    "they agreed long ago": ("reconciliation", {"clean_age_ms": 151_000}),
    "the account owes": ("margins", {"funds": Margin(-LAKH, 12 * LAKH)}),
    "the funds are not known": ("margins", {"funds": None}),
    "the account has less than the settings": ("funds", {"capital": 12 * LAKH}),
    "the list is of yesterday": ("instruments", {"listed_on": date(2026, 6, 9)}),
    "no list was read": ("instruments", {"listed_on": None}),
    "a rule has ended": ("rules", {"facts": (*GOOD.facts, ENDED)}),
    "the calendar ends before what is held": ("calendar", {"held": (date(2031, 1, 2),)}),
    "the clock is off": ("clock", {"offset_ms": -2001}),
    "ticks are old": ("feed", {"tick_age_ms": 10_001}),
    "no tick has come": ("feed", {"tick_age_ms": None}),
    "the feed says that it is silent": ("feed", {"is_silent": True}),
    "the bus is away": ("bus", {"seen": replace(SEEN, bus_error="refused")}),
    "the executor is behind": ("bus", {"lag": 10_001}),
    "the database is away": ("database", {"seen": replace(SEEN, database_error="refused")}),
    "the database is read-only": ("database", {"seen": replace(SEEN, is_read_only=True)}),
    "the database is full": ("database", {"seen": replace(SEEN, free_bytes=GIB)}),
    "the disk is full": ("disk", {"seen": replace(SEEN, disk_bytes=GIB)}),
    "requests leave from elsewhere": ("address", {"seen": replace(SEEN, address="203.0.113.8")}),
    "no address is registered": ("address", {"registered": ()}),
    "the page does not answer": (
        "address",
        {"seen": replace(SEEN, address="", address_error="https://x does not reply")},
    ),
    "the client sends too fast": ("order rate", {"orders_a_second": 11}),
    "the session does not end each day": (
        "daily logout",
        {"session": Login(expires_at=utc_from_ms(NOW + 25 * 3_600_000))},
    ),
    "the account is somebody else's": ("owner", {"user_id": "XY9876"}),
    "nobody says whose account it is": ("owner", {"user_id": ""}),
}


def failed(known: Facts) -> list[str]:
    return [one.check for one in examine(known) if one.state == "failed"]


def test_when_all_is_well_no_line_fails_and_each_says_its_value() -> None:
    lines = examine(GOOD)
    assert is_well(lines)
    assert len({one.check for one in lines}) == len(lines) == 16
    assert all(one.reason for one in lines)


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_fails_its_own_line_with_what_to_do_and_live_is_not_armed(cause: str) -> None:
    check, changes = CAUSES[cause]
    lines = examine(replace(GOOD, **changes))
    assert [one.check for one in lines if one.state == "failed"] == [check]
    (line,) = [one for one in lines if one.state == "failed"]
    assert line.action
    ready = Readiness("live", CALENDAR, [line.line])
    assert arming_refusal(Asked(time(15, 0)), ready, Arming(), NOW) == line.line


def test_every_line_has_a_cause_that_fails_it() -> None:
    assert {check for check, _ in CAUSES.values()} == {one.check for one in examine(GOOD)}


def test_what_cannot_be_known_is_said_and_fails_nothing() -> None:
    unasked = replace(GOOD, seen=replace(SEEN, address="", free_bytes=None))
    unknown = {one.check: one.action for one in examine(unasked) if one.state == "unknown"}
    assert set(unknown) == {"address", "database"}
    assert "executor.live.echo_url" in unknown["address"]
    assert failed(unasked) == []


def test_before_the_open_no_tick_is_due() -> None:
    assert feed_finding(None, is_open=False).state == "ok"


def test_at_a_simulator_there_is_no_owner_no_daily_logout_and_the_clock_of_the_day_is_another() -> (
    None
):
    simulated = replace(
        GOOD,
        footing=Footing("simulator", "feed", "local"),
        session=Login("SIM", datetime(2031, 1, 1, tzinfo=UTC)),
        closes=None,
        user_id="",
    )
    assert failed(simulated) == []


def test_a_paper_venue_needs_neither_session_nor_funds() -> None:
    paper = replace(GOOD, footing=Footing(), session=None, funds=None, orders_a_second=None)
    assert failed(paper) == []


def test_fast_markets_stretch_what_may_be_old() -> None:
    assert failed(replace(GOOD, clean_age_ms=600_000, tick_age_ms=60_000, pace=60.0)) == []


def test_the_examination_is_due_once_on_a_trading_day_from_its_time_on() -> None:
    schedule = Schedule(time(9, 0))
    moments = [0, at(8, 59, 59), at(9, 0), at(9, 1), at(15, 0)]
    assert [schedule.is_due(one, CALENDAR) for one in moments] == [False, False, True, False, False]
    next_day = at(11, 0, day=date(2026, 6, 11))
    assert schedule.is_due(next_day, CALENDAR), "a late start is examined at once"
    assert not Schedule(time(9, 0)).is_due(at(9, 0, day=date(2026, 6, 14)), CALENDAR), "a Sunday"


def test_the_time_of_the_examination_may_be_before_the_open_but_not_before_the_login() -> None:
    chosen = LiveSettings.model_validate({"doctor_at": "09:00:00"})
    assert chosen.doctor_at == LiveSettings().doctor_at == time(9, 0)
    with pytest.raises(ValidationError, match="from 06:00 to"):
        LiveSettings.model_validate({"doctor_at": "05:59"})


def test_an_address_is_read_from_the_reply_and_nothing_else_is_taken_for_one() -> None:
    assert address_in(" 203.0.113.7\n") == "203.0.113.7"
    with pytest.raises(ValueError, match="does not appear"):
        address_in("<html>")


@pytest.mark.parametrize("text", ["http://example.org", "ftp://x", "example.org"])
def test_a_page_is_asked_by_tls_alone(text: str) -> None:
    with pytest.raises(ValueError, match="https"):
        echo_address(text)


def test_no_page_or_one_with_tls_is_taken() -> None:
    assert [echo_address(one) for one in ("", "https://example.org/ip")] == [
        "",
        "https://example.org/ip",
    ]
