"""What time alone asks for, when no tick comes: exits, marks and alerts."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from libs.events.event import Event
from libs.events.positions import (
    ExitRequested,
    PositionAlerted,
    PositionClosed,
    PositionEvent,
    PositionUpdated,
)
from services.position.domain.exit_rules.settings import ExitSettings
from services.position.domain.open_positions import OpenPositions
from tests.unit.services.position.builders import (
    EXPIRY,
    NOW,
    at,
    contract,
    fill,
    hear,
    make_positions,
    restarted,
    ticks,
)


def opened(settings: ExitSettings | None = None) -> OpenPositions:
    held = make_positions(settings)
    hear(held, fill())
    return held


def asked(events: Sequence[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, ExitRequested)]


def alerts(events: Sequence[Event]) -> list[str]:
    return [event.alert for event in events if isinstance(event, PositionAlerted)]


@pytest.mark.parametrize(
    ("settings", "at_ms", "reason"),
    [
        (ExitSettings(), at(15, 15), "square_off"),
        (ExitSettings(holding_ms=600_000), NOW + 600_000, "holding_time"),
    ],
)
def test_an_exit_by_time_needs_no_tick(settings: ExitSettings, at_ms: int, reason: str) -> None:
    held = opened(settings)
    assert asked(held.on_time(at_ms - 1000)) == []
    assert asked(held.on_time(at_ms)) == [reason]
    assert asked(held.on_time(at_ms + 1000)) == []


def test_a_contract_is_left_before_its_expiry_without_a_tick() -> None:
    held = make_positions()
    hear(held, fill(at_ms=at(10, 0, day=EXPIRY)))
    assert asked(held.on_time(at(14, 30, day=EXPIRY))) == ["expiry"]


def test_a_mark_is_published_at_least_each_interval_when_only_time_passes() -> None:
    held = opened()
    marks = [
        event.occurred_ms
        for second in range(1, 181)
        for event in held.on_time(NOW + second * 1000)
        if isinstance(event, PositionUpdated)
    ]
    assert marks == [NOW + 60_000, NOW + 120_000, NOW + 180_000]


def test_a_mark_belongs_to_the_day_on_which_it_is_made() -> None:
    held, tomorrow = opened(), date(2026, 6, 11)
    marks = [*held.on_time(at(15, 0)), *held.on_time(at(9, 20, day=tomorrow))]
    days = [one.trading_day for one in marks if isinstance(one, PositionUpdated)]
    assert days == [date(2026, 6, 10), tomorrow]
    asked_for = [one.trading_day for one in marks if isinstance(one, ExitRequested)]
    assert asked_for == [tomorrow]


def test_time_acts_once_a_second_and_never_before_the_clock_is_known() -> None:
    held = opened()
    assert held.on_time(0) == ()
    assert asked(held.on_time(at(15, 15))) == ["square_off"]
    hear(held, fill(of=2, at_ms=at(15, 15)))
    assert held.on_time(at(15, 15) + 999) == ()


def test_what_time_asks_for_is_known_after_a_restart() -> None:
    held = make_positions()
    written = [*hear(held, fill()), *held.on_time(at(15, 15))]
    assert asked(restarted(written).on_time(at(15, 15, 1))) == []


def test_a_contract_without_a_price_for_a_minute_is_said_once_until_it_is_quoted_again() -> None:
    held = opened()
    assert alerts([*held.on_time(NOW), *held.on_time(NOW + 60_000)]) == []
    assert alerts(held.on_time(NOW + 61_000)) == ["unguarded"]
    assert alerts(held.on_time(NOW + 70_000)) == []
    assert alerts(hear(held, ticks(120.0, NOW + 80_000))) == []
    assert alerts(held.on_time(NOW + 141_000)) == ["unguarded"]


def test_nobody_is_woken_by_a_position_over_night_or_right_after_the_open() -> None:
    held = opened()
    tomorrow = date(2026, 6, 11)
    assert "unguarded" not in alerts(held.on_time(at(23, 0)))
    assert "unguarded" not in alerts(held.on_time(at(9, 15, 59, tomorrow)))
    assert "unguarded" in alerts(held.on_time(at(9, 16, 1, tomorrow)))


def test_a_restarted_service_waits_a_minute_for_the_first_quote() -> None:
    held = restarted(hear(make_positions(), fill()))
    assert alerts(held.on_time(NOW + 600_000)) == []
    assert alerts(held.on_time(NOW + 661_000)) == ["unguarded"]


def test_a_position_without_a_stop_is_said_at_once() -> None:
    held = make_positions()
    hear(held, fill(stop_loss=Decimal(0)))
    (alert,) = [one for one in held.on_time(NOW + 1000) if isinstance(one, PositionAlerted)]
    assert (alert.alert, alert.reason) == ("unguarded", "it has no stop loss")


def test_units_held_after_the_expiry_are_said_each_day_and_wait_for_their_settlement() -> None:
    held = opened()
    after_close = at(15, 40, day=EXPIRY)
    events = held.on_time(after_close)
    assert [event.type for event in events] == ["PositionAlerted"], "nothing can be sold any more"
    (alert,) = [one for one in events if isinstance(one, PositionAlerted)]
    assert (alert.alert, alert.contract) == ("expired", "NIFTY2661625000CE")
    assert alert.trading_day == EXPIRY
    assert held.on_time(after_close + 3_600_000) == ()
    next_day = date(2026, 6, 17)
    assert alerts(held.on_time(at(9, 20, day=next_day))) == ["expired"]
    booking = fill("SELL", price="310.55", reason="expiry", at_ms=at(9, 30, day=next_day))
    *_, closed = hear(held, booking)
    assert isinstance(closed, PositionClosed)
    assert (closed.exit_reason, closed.exit_price) == ("expiry", Decimal("310.55"))
    assert held.on_time(at(9, 40, day=next_day)) == ()


def test_a_contract_that_expires_beyond_the_calendar_is_booked_watched_and_said() -> None:
    held, entered = make_positions(), at(10, 30, day=date(2026, 12, 30))
    beyond = contract(expiry=date(2027, 1, 5))
    events = hear(held, fill(at_ms=entered, contract=beyond))
    assert [one.quantity for one in events if isinstance(one, PositionEvent)] == [75]
    said = [one for one in held.on_time(entered + 1000) if isinstance(one, PositionAlerted)]
    assert [(one.alert, one.reason) for one in said] == [
        ("calendar_ends", "no sessions are known on its expiry 2027-01-05")
    ]
    assert asked(hear(held, ticks(80.0, entered + 2000))) == ["stop_loss"]
    assert asked(held.on_time(at(15, 30, day=date(2027, 1, 5)))) == [], "asked for once"
    assert "expired" in alerts(held.on_time(at(9, 0, day=date(2027, 1, 6))))


@pytest.mark.parametrize(
    ("day", "warning"),
    [
        (date(2026, 11, 19), ()),
        (
            date(2026, 12, 2),
            ("the calendar of trading days ends in 30 days: expiries beyond it are not known",),
        ),
        (
            date(2027, 1, 4),
            ("the calendar of trading days has ended: expiries beyond it are not known",),
        ),
    ],
)
def test_the_end_of_the_calendar_is_said_weeks_ahead(day: date, warning: tuple[str, ...]) -> None:
    said = make_positions().warnings(at(10, 0, day=day))
    assert tuple(one for one in said if "calendar" in one) == warning


@pytest.mark.parametrize(
    ("day", "count", "left"),
    [(date(2026, 7, 31), 0, 42), (date(2026, 8, 1), 5, 31), (date(2026, 9, 1), 6, 0)],
)
def test_a_rule_that_ends_is_said_30_days_ahead(day: date, count: int, left: int) -> None:
    held, now_ms = make_positions(), at(10, 0, day=day)
    assert sum("freeze quantity" in one for one in held.warnings(now_ms)) == count
    assert held.rule_days_left(now_ms) == left
