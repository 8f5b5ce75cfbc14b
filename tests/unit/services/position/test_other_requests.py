"""Exits that others ask for: a signal in the other direction, a person, a limit of the day."""

from datetime import datetime
from typing import Any

import pytest

from libs.events.event import identity, utc_from_ms
from libs.events.positions import ExitRequested, PositionClosed
from libs.events.signals import SignalGenerated
from services.position.domain.exit_rules.opposite_signal import OppositeSignal
from services.position.domain.open_positions import OpenPositions
from tests.unit.services.position.builders import (
    DAY,
    NOW,
    exit_requested,
    fill,
    hear,
    make_positions,
    restarted,
    ticks,
)


def signal(at_ms: int = NOW + 60_000, **changes: Any) -> SignalGenerated:
    """A signal to sell NIFTY, of the strategy whose signal to buy has opened the position."""
    when: datetime = utc_from_ms(at_ms)
    fields: dict[str, Any] = {
        "event_id": identity("opposite signal", at_ms),
        "occurred_at": when,
        "trading_day": DAY,
        "correlation_id": identity("test candle", at_ms),
        "strategy": "ma_crossover",
        "strategy_version": "1",
        "parameters": {},
        "exchange": "NSE",
        "tradingsymbol": "NIFTY 50",
        "underlying": "NIFTY",
        "interval": "15m",
        "candle_opened_at": when,
        "candle_closed_at": when,
        "action": "SELL",
        "price": 25_000.0,
        "stop_loss": 25_250.0,
        "target": 24_500.0,
        "confidence": 0.8,
        "expected_move": 2.0,
        "indicators": {},
    }
    return SignalGenerated(**fields | changes)


def listening(*, is_on: bool = True) -> OpenPositions:
    held = make_positions()
    held.opposite = OppositeSignal(is_on)
    return held


def reasons(events: list[Any]) -> list[str]:
    return [one.reason for one in events if isinstance(one, ExitRequested)]


def test_a_signal_in_the_other_direction_exits_the_position_once() -> None:
    held = listening()
    hear(held, fill())
    assert reasons(hear(held, signal())) == ["opposite_signal"]
    assert reasons(hear(held, signal(NOW + 120_000), ticks(80.0, NOW + 130_000))) == []


@pytest.mark.parametrize(
    "not_yet",
    [
        signal(action="BUY"),
        signal(strategy="rsi"),
        signal(underlying="BANKNIFTY"),
        signal(NOW),  # at the opening
        signal(NOW - 60_000),  # from a backlog
    ],
)
def test_no_other_signal_does(not_yet: SignalGenerated) -> None:
    held = listening()
    hear(held, fill())
    assert hear(held, not_yet) == []


def test_by_default_a_signal_in_the_other_direction_does_nothing() -> None:
    held = make_positions()
    hear(held, fill())
    assert hear(held, signal()) == []


def test_a_restart_does_not_ask_again() -> None:
    held = listening()
    published = hear(held, fill(), signal())
    assert hear(restarted(published, listening()), signal()) == []


@pytest.mark.parametrize("reason", ["manual", "kill_switch", "daily_profit"])
def test_what_others_have_asked_for_goes_first_and_names_the_closing(reason: str) -> None:
    held = make_positions()
    hear(held, fill())
    assert hear(held, exit_requested(reason=reason)) == []
    assert reasons(hear(held, ticks(80.0, NOW + 120_000))) == []
    sale = fill("SELL", at_ms=NOW + 130_000)
    (closed,) = [one for one in hear(held, sale) if isinstance(one, PositionClosed)]
    assert closed.exit_reason == reason


def test_a_request_for_a_position_that_is_closed_or_unknown_changes_nothing() -> None:
    held = make_positions()
    assert hear(held, exit_requested()) == []
    hear(held, fill())
    assert reasons(hear(held, ticks(80.0, NOW + 120_000))) == ["stop_loss"]
