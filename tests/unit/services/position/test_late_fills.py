"""Fills that repeat, come late, or sell more than is held: each is booked exactly once."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from libs.events.event import Event
from libs.events.orders import OrderFilled
from libs.events.positions import (
    ExitRequested,
    PerformanceMeasured,
    PositionAlerted,
    PositionClosed,
    PositionEvent,
    PositionOpened,
    PositionUpdated,
)
from services.position.domain.open_positions import OpenPositions
from tests.unit.services.position.builders import (
    NOW,
    at,
    contract,
    fill,
    hear,
    make_positions,
    restarted,
    ticks,
)

JUNE_11 = date(2026, 6, 11)
TRADE = "10000123"


def states(events: Sequence[Event]) -> list[PositionEvent]:
    return [event for event in events if isinstance(event, PositionEvent)]


def last(events: Sequence[Event]) -> PositionEvent:
    return states(events)[-1]


def first_day() -> list[Event]:
    """A purchase and a sale of the first day, by the exchange's ids."""
    return [
        fill(fill_id=TRADE, broker_order_id="1"),
        fill("SELL", price="130.00", fill_id="10000187", broker_order_id="2", at_ms=at(10, 40)),
    ]


def test_a_trade_id_of_another_day_is_another_fill() -> None:
    held = make_positions()
    hear(held, *first_day())
    again = fill(of=2, price="118", at_ms=at(10, 31, day=JUNE_11), fill_id=TRADE)
    opened = last(hear(held, again))
    assert (opened.type, opened.quantity) == ("PositionOpened", 75)


@pytest.mark.parametrize(
    ("exchange", "order"), [("NFO", "2"), ("BFO", "1")], ids=["of another order", "elsewhere"]
)
def test_a_trade_id_of_another_order_or_exchange_is_another_fill(exchange: str, order: str) -> None:
    held = make_positions()
    hear(held, fill(fill_id=TRADE, broker_order_id="1"))
    other = fill(of=2, fill_id=TRADE, broker_order_id=order, contract=contract(exchange=exchange))
    events = states(hear(held, other))
    assert [event.quantity for event in events] == [75]
    ids = {event.event_id for event in (*events, *states(hear(make_positions(), *first_day())))}
    assert len(ids) == 3, "none has the id of another"


def test_the_same_trade_told_again_is_ignored_after_a_restart_too() -> None:
    held, told = make_positions(), first_day()
    written = hear(held, *told)
    for desk in (held, restarted(written)):
        assert hear(desk, *told) == []


def test_a_position_of_before_keys_knows_its_bare_ids() -> None:
    written = hear(make_positions(), fill(fill_id=TRADE))
    bare = [event.model_copy(update={"fill_ids": (TRADE,)}) for event in states(written)]
    assert hear(restarted(bare), fill(fill_id=TRADE)) == []


def oversold() -> tuple[OpenPositions, list[Event]]:
    """Bought and sold 375, and sold 375 more by a second order."""
    held = make_positions()
    written = hear(
        held,
        fill(quantity=375),
        fill("SELL", quantity=375, price="130", at_ms=NOW + 1000),
        fill("SELL", quantity=375, price="131", order=2, at_ms=NOW + 2000),
    )
    return held, written


def test_a_sale_after_the_closing_is_a_short_position_and_no_dead_letter() -> None:
    held, written = oversold()
    short = last(written)
    assert (short.type, short.quantity, short.openings) == ("PositionOpened", -375, 2)
    assert (short.entry_price, short.realised) == (Decimal(131), Decimal(0))
    marked = last(hear(held, ticks(132.0, NOW + 62_000)))
    assert (marked.unrealised, marked.realised) == (Decimal(-375), Decimal(0))


def test_what_is_oversold_asks_for_no_sale_and_for_a_person_once() -> None:
    held, _ = oversold()
    events = hear(held, ticks(50.0, NOW + 3000), ticks(300.0, NOW + 4000), ticks(None, at(15, 20)))
    assert not [event for event in events if isinstance(event, ExitRequested)]
    alerts = [event for event in events if isinstance(event, PositionAlerted)]
    assert [(one.alert, one.reason) for one in alerts] == [
        ("oversold", "375 units more were sold than held")
    ]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_cover_brings_it_back_to_nothing_and_closes_it(is_restarted: bool) -> None:
    held, written = oversold()
    held = restarted(written) if is_restarted else held
    cover = fill(quantity=375, price="129", order=3, leg="exit", at_ms=NOW + 60_000)
    closed = last(hear(held, cover))
    assert isinstance(closed, PositionClosed)
    assert (closed.quantity, closed.realised) == (0, Decimal(750)), "375 x (131 - 129)"
    assert hear(held, cover) == []
    assert held.open_tokens == ()


def test_brokerage_is_paid_once_an_order_also_for_what_fills_after_the_closing() -> None:
    held = make_positions()
    whole = hear(held, fill(quantity=75), fill("SELL", quantity=75, at_ms=NOW + 1000))
    late = last(hear(held, fill(quantity=75, number=2, at_ms=NOW + 2000)))
    first = next(event for event in whole if isinstance(event, PositionOpened))
    assert first.charges - late.charges == Decimal("23.60"), "20 of brokerage, and its GST"


def test_each_closing_counts_its_own_result_once() -> None:
    held, written = oversold()
    written += hear(held, fill(quantity=375, price="129", order=3, leg="exit", at_ms=NOW + 60_000))
    closings = [event for event in written if isinstance(event, PositionClosed)]
    *_, measured = [event for event in written if isinstance(event, PerformanceMeasured)]
    assert [closing.realised for closing in closings] == [Decimal(3750), Decimal(750)]
    assert measured.net == sum(closing.net for closing in closings)


def test_the_requests_of_a_reopened_position_have_ids_of_their_own() -> None:
    held = make_positions()
    written = hear(held, fill(), ticks(80.0, NOW + 1000), fill("SELL", at_ms=NOW + 2000))
    written += hear(held, fill(number=2, at_ms=NOW + 3000), ticks(79.0, NOW + 4000))
    ids = [event.event_id for event in written if isinstance(event, ExitRequested)]
    assert len(ids) == len(set(ids)) == 2


@pytest.mark.parametrize("reason", ["expiry", "manual", "square_off"])
def test_a_booking_closes_for_its_own_reason(reason: str) -> None:
    held = make_positions()
    hear(held, fill(), ticks(80.0, NOW + 1000))
    booking = fill("SELL", price="12.30", reason=reason, at_ms=NOW + 2000)
    closed = last(hear(held, booking))
    assert isinstance(closed, PositionClosed)
    assert (closed.exit_reason, closed.exit_price) == (reason, Decimal("12.30"))


def planned(premium: str, **changes: Any) -> OrderFilled:
    """A fill whose plan tells the premium of its levels."""
    return fill(**changes, premium=Decimal(premium))


@pytest.mark.parametrize(
    ("price", "stop", "target"),
    [("120", "84", "192"), ("80", "56", "128"), ("121.30", "84.90", "194.10")],
)
def test_stop_and_target_are_as_far_in_percent_from_the_price_paid_as_planned(
    price: str, stop: str, target: str
) -> None:
    opened = last(hear(make_positions(), planned("120", price=price)))
    assert (opened.stop_loss, opened.target) == (Decimal(stop), Decimal(target))


def test_each_partial_fill_moves_the_levels_to_the_average_and_a_sale_leaves_them() -> None:
    held = make_positions()
    hear(held, planned("120", quantity=75, price="120"))
    both = last(hear(held, planned("120", quantity=75, price="130", number=2)))
    assert [both.entry_price, both.stop_loss, both.target] == [125, Decimal("87.50"), 200]
    sold = last(hear(held, fill("SELL", quantity=75, price="150", at_ms=NOW + 1000)))
    assert (sold.stop_loss, sold.target) == (both.stop_loss, both.target)


def test_a_fill_below_its_own_stop_is_not_left_at_once() -> None:
    held = make_positions()
    opened = last(hear(held, fill(price="80")))
    assert (opened.stop_loss, opened.target) == (Decimal(56), Decimal(128))
    events = hear(held, ticks(80.0, NOW + 1000))
    assert not [event for event in events if isinstance(event, ExitRequested)]


def test_a_plan_without_a_premium_or_a_stop_keeps_its_levels() -> None:
    opened = last(hear(make_positions(), fill(price="121")))
    assert (opened.stop_loss, opened.target) == (Decimal(84), Decimal(192))
    unset = last(hear(make_positions(), planned("120", price="130", stop_loss=Decimal(0))))
    assert (unset.stop_loss, unset.target) == (Decimal(0), Decimal(208))


def test_a_late_fill_after_a_restart_goes_on_with_the_same_account() -> None:
    live = make_positions()
    written = hear(live, fill(quantity=50), fill("SELL", quantity=50, at_ms=NOW + 1000))
    late = fill(quantity=25, number=2, at_ms=NOW + 2000)
    assert hear(restarted(written), late) == hear(live, late)
    assert isinstance(last(hear(live, fill("SELL", 25, at_ms=NOW + 3000, order=2))), PositionClosed)


def test_updates_of_a_mark_carry_the_keys_on() -> None:
    held = make_positions()
    opened = last(hear(held, fill(fill_id=TRADE)))
    marked = last(hear(held, ticks(121.0, NOW + 60_000)))
    assert isinstance(marked, PositionUpdated)
    assert marked.fill_ids == opened.fill_ids == (f"2026-06-10/NFO/broker/{TRADE}",)


def test_an_order_that_fills_on_after_the_closing_costs_what_it_would_have_in_one() -> None:
    held, later = make_positions(), at(10, 50)
    first = fill(price="33.35", filled_quantity=75)
    late = fill(price="33.35", number=2, filled_quantity=150, at_ms=later)
    whole = fill(price="33.35", quantity=150, filled_quantity=150, of=2)
    closed, reopened = states(hear(held, first, fill("SELL", at_ms=at(10, 40)), late))[-2:]
    sold = states(hear(make_positions(), first, fill("SELL", at_ms=at(10, 40))))[-1]
    bought = states(hear(make_positions(), first))[-1]
    assert (closed.type, reopened.type, closed.charges) == (
        "PositionClosed",
        "PositionOpened",
        sold.charges,
    )
    assert bought.charges + reopened.charges == last(hear(make_positions(), whole)).charges
