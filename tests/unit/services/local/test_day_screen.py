"""The tables at the end of a day."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from libs.events.event import utc_from_ms
from libs.events.positions import PositionClosed
from libs.events.signals import SignalRejected
from services.local import screen
from services.local.day_screen import LONGEST_TABLE, show_day
from services.local.play.day_events import DayEvents
from tests.unit.services.executor.builders import DAY, NOW, position
from tests.unit.services.local.play.test_day_events import stopped, taken, update


def shown(monkeypatch: pytest.MonkeyPatch, day: DayEvents) -> str:
    """What a terminal of 80 columns shows."""
    stream = io.StringIO()
    monkeypatch.setattr(screen, "console", Console(file=stream, width=80))
    show_day("Demo", day.figures(), day, "var/demo/")
    return stream.getvalue()


def closed(number: int, at_ms: int = NOW) -> PositionClosed:
    made = position(
        number,
        PositionClosed,
        net="-123456.785",
        exit_price=Decimal("1234.5"),
        exit_reason="square_off",
        opened_at=utc_from_ms(at_ms),
    )
    assert isinstance(made, PositionClosed)
    return made


def test_a_trade_is_one_line_with_its_time_in_india_and_rupees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = shown(monkeypatch, taken(closed(1)))
    (line,) = [line for line in text.splitlines() if "square-off" in line]
    words = ["10:30:00", closed(1).contract.tradingsymbol, "1", "100.00", "1,234.50"]
    assert line.split() == [*words, "square-off", "-1,23,456.79"]


def test_a_position_that_is_open_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "still open" in shown(monkeypatch, taken(position(1)))


def test_reasons_are_counted_and_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, taken(*(update(SignalRejected, n, "kill_switch") for n in (1, 2))))
    (line,) = [line for line in text.splitlines() if "kill_switch" in line]
    assert line.split() == ["2", "kill_switch", "trading", "is", "halted"]
    assert "No position was opened." in text


def test_a_strategy_that_was_stopped_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, taken(stopped(DAY)))
    assert "strategies stopped │" in text
    assert "pullback: on NSE:SBIN 5m: KeyError" in text


def test_of_many_trades_the_last_ones_are_shown_and_where_the_others_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = [closed(number, NOW + number * 60_000) for number in range(LONGEST_TABLE + 3)]
    text = shown(monkeypatch, taken(*many))
    assert "10:32:00" not in text
    assert "10:33:00" in text
    assert "… and 3 earlier ones, in var/demo/" in text
    assert f"all {LONGEST_TABLE + 3}" in text
