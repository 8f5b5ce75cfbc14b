"""Slippage: what fills cost against the prices that were decided on, as the positions say it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from libs.events.event import Event
from libs.events.orders import OrderFilled
from libs.events.positions import ExitRequested, PositionEvent
from tests.unit.services.position.builders import (
    NOW,
    exit_requested,
    fill,
    hear,
    make_positions,
    restarted,
    ticks,
)


def bought(price: str = "120.00", premium: str | None = "119.50", **more: Any) -> OrderFilled:
    decided = None if premium is None else Decimal(premium)
    return fill(price=price, **more).model_copy(update={"premium": decided})


def last(events: Sequence[Event]) -> PositionEvent:
    return [one for one in events if isinstance(one, PositionEvent)][-1]


def test_an_entry_is_measured_from_the_premium_at_its_decision() -> None:
    held = make_positions()
    first = last(hear(held, bought()))
    assert first.entry_slippage == Decimal("37.50")
    assert first.exit_slippage is None
    both = last(hear(held, bought(price="119.00", number=2)))
    assert both.entry_slippage == 0


def test_an_exit_is_measured_from_the_price_that_its_rule_saw() -> None:
    held = make_positions()
    made = hear(held, bought(), ticks(83.5, NOW + 1000))
    (asked,) = [one for one in made if isinstance(one, ExitRequested)]
    assert asked.price == Decimal("83.5")
    sold = fill("SELL", price="82.00", at_ms=NOW + 2000)
    for desk in (held, restarted(made)):
        assert last(hear(desk, sold)).exit_slippage == Decimal("112.50")


def test_a_stop_at_the_exchange_is_measured_from_its_level() -> None:
    held = make_positions()
    hear(held, bought(premium=None))
    sold = fill("SELL", price="83.00", at_ms=NOW + 2000, reason="stop_loss")
    assert last(hear(held, sold)).exit_slippage == 75


def test_what_was_decided_at_an_unknown_price_has_no_slippage_from_then_on() -> None:
    held = make_positions()
    hear(held, bought(), bought(premium=None, number=2))
    again = last(hear(held, bought(number=3)))
    assert again.entry_slippage is None
    hear(held, exit_requested())
    assert last(hear(held, fill("SELL", 225, at_ms=NOW + 90_000))).exit_slippage is None


def test_a_mark_keeps_the_slippage() -> None:
    held = make_positions()
    made = hear(held, bought(), ticks(121.0, NOW + 61_000))
    assert last(made).type == "PositionUpdated"
    assert last(made).entry_slippage == Decimal("37.50")
