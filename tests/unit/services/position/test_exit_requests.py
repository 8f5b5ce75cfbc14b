"""Rules of every kind in OpenPositions: partial exits, what silences what, and restarts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest

from libs.events.event import Event
from libs.events.positions import ExitReason, ExitRequested, PositionClosed, PositionEvent
from libs.market.rulebook import load_rulebook
from services.position.domain.exit_rules.levels import StopLoss
from services.position.domain.exit_rules.rule import Exit, ExitRule, Mark
from services.position.domain.exit_rules.settings import ExitSettings
from services.position.domain.exit_rules.trailing_stop import TrailingStopSettings
from services.position.domain.open_positions import OpenPositions
from tests.unit.services.position.builders import (
    NOW,
    exit_requested,
    fill,
    hear,
    make_positions,
    position_id,
    restarted,
    ticks,
)


@dataclass(frozen=True, slots=True)
class Part:
    """Leaves so many lots from a price on."""

    reason: ExitReason
    price: float
    lots: int

    def check(self, mark: Mark, position: PositionEvent) -> Exit | None:
        return Exit(self.reason, self.lots) if mark.last_price >= self.price else None


RULES: tuple[ExitRule, ...] = (StopLoss(), Part("target", 150.0, 1), Part("trailing_stop", 140, 2))


def without_position(rules: Sequence[ExitRule] = RULES) -> OpenPositions:
    return OpenPositions(load_rulebook(), rules, mark_every_ms=10**9)


def held_by(rules: Sequence[ExitRule] = RULES) -> OpenPositions:
    held = without_position(rules)
    hear(held, fill(quantity=300))
    return held


def asked(events: Sequence[Event]) -> list[tuple[str, int | None]]:
    return [(one.reason, one.lots) for one in events if isinstance(one, ExitRequested)]


def test_a_rule_asks_for_its_part_once_and_the_others_still_ask_for_theirs() -> None:
    held = held_by()
    assert asked(hear(held, ticks(141.0, NOW + 1000))) == [("trailing_stop", 2)]
    assert asked(hear(held, ticks(151.0, NOW + 2000))) == [("target", 1)]
    assert asked(hear(held, ticks(152.0, NOW + 3000))) == []
    assert asked(hear(held, ticks(80.0, NOW + 4000))) == [("stop_loss", None)]
    assert asked(hear(held, ticks(160.0, NOW + 5000))) == []


def test_rules_that_hold_at_once_ask_in_their_order_up_to_the_first_that_wants_everything() -> None:
    assert asked(hear(held_by(), ticks(151.0, NOW + 1000))) == [("target", 1), ("trailing_stop", 2)]
    everything = (Part("target", 1.0, 1), StopLoss(), Part("trailing_stop", 1.0, 2))
    held = held_by(everything)
    assert asked(hear(held, ticks(80.0, NOW + 1000))) == [("target", 1), ("stop_loss", None)]


def test_a_part_that_was_asked_for_before_a_restart_is_not_asked_for_again() -> None:
    published = hear(without_position(), fill(quantity=300), ticks(141.0, NOW + 1000))
    held = restarted(published, without_position())
    assert asked(hear(held, ticks(151.0, NOW + 2000))) == [("target", 1)]


def test_each_request_has_an_id_of_its_position_and_rule() -> None:
    requests = [
        event
        for event in hear(held_by(), ticks(151.0, NOW + 1000))
        if isinstance(event, ExitRequested)
    ]
    again = hear(held_by(), ticks(155.0, NOW + 9000))
    assert len({one.event_id for one in requests}) == 2
    assert [one.event_id for one in requests] == [
        one.event_id for one in again if isinstance(one, ExitRequested)
    ]
    assert {one.position_id for one in requests} == {position_id()}


@pytest.mark.parametrize(
    ("prices", "reason"),
    [((141.0,), "trailing_stop"), ((141.0, 151.0), "target"), ((151.0, 80.0), "stop_loss")],
)
def test_the_reason_is_that_of_the_first_request_for_everything_else_of_the_latest_part(
    prices: tuple[float, ...], reason: str
) -> None:
    held = held_by()
    for second, price in enumerate(prices, start=1):
        hear(held, ticks(price, NOW + second * 1000))
    *_, closed = hear(held, fill("SELL", quantity=300, at_ms=NOW + 9000))
    assert isinstance(closed, PositionClosed)
    assert closed.exit_reason == reason


def test_requests_of_a_closed_position_do_not_stop_those_of_its_reopening_after_a_restart() -> None:
    live = make_positions()
    published = hear(live, fill(), ticks(80.0, NOW + 1000), fill("SELL", at_ms=NOW + 2000))
    published += hear(live, fill(quantity=25, number=2, at_ms=NOW + 3000))
    held = restarted(published)
    assert asked(hear(held, ticks(79.0, NOW + 4000))) == [("stop_loss", None)]
    assert asked(hear(held, ticks(78.0, NOW + 5000))) == []


def test_after_an_exit_of_everything_by_hand_and_a_restart_no_rule_requests_another() -> None:
    published = hear(make_positions(), fill())
    held = restarted([*published, exit_requested()])
    assert asked(hear(held, ticks(80.0, NOW + 61_000))) == []


def test_a_trailing_stop_exits_after_a_fall_from_the_highest_price_and_completes_the_signal() -> (
    None
):
    trailing = TrailingStopSettings(gain=Decimal("0.20"), fall=Decimal("0.10"))
    held = make_positions(ExitSettings(trailing_stop=trailing))
    rise = [ticks(150.0, NOW + 1000), ticks(160.0, NOW + 2000), ticks(144.05, NOW + 3000)]
    assert asked(hear(held, fill(), *rise)) == []
    assert asked(hear(held, ticks(144.0, NOW + 4000))) == [("trailing_stop", None)]
    completed, _, closed = hear(held, fill("SELL", price="143.90", at_ms=NOW + 5000))
    assert isinstance(closed, PositionClosed)
    assert (completed.type, closed.exit_reason) == ("SignalCompleted", "trailing_stop")


def test_a_trailing_stop_knows_the_highest_price_of_the_last_mark_after_a_restart() -> None:
    settings = ExitSettings(trailing_stop=TrailingStopSettings(Decimal("0.20"), Decimal("0.10")))
    live = make_positions(settings)
    published = hear(live, fill(), ticks(160.0, NOW + 60_000))
    held = restarted(published, make_positions(settings))
    assert asked(hear(held, ticks(143.0, NOW + 61_000))) == [("trailing_stop", None)]


def test_a_fill_of_a_contract_that_expires_beyond_the_calendar_is_booked_and_watched() -> None:
    held = make_positions()
    of = fill().contract.model_copy(update={"expiry": date(2099, 1, 5)})
    assert [event.type for event in hear(held, fill(contract=of))][-1] == "PositionOpened"
    assert asked(hear(held, ticks(80.0, NOW + 1000))) == [("stop_loss", None)]
