"""What a person is shown of the executor: only what it knows."""

from datetime import date
from decimal import Decimal

import pytest

from libs.events.event import Event, utc_from_ms
from libs.events.positions import PositionClosed
from services.executor.domain.overview import OpenPosition, overview
from services.executor.domain.risk import DayResult
from services.executor.replies import Rupees, State, state_of
from tests.unit.services.executor.builders import (
    DAY,
    LOT,
    NEXT_DAY,
    NOW,
    at,
    chain_listed,
    exit_requested,
    make_executor,
    one_trade,
    position,
)
from tests.unit.services.executor.venue import Trading

LATER = NOW + 2000


def traded(first: int = 0) -> Trading:
    """An executor that has bought a position, the first units at 100 and the rest at 103."""
    trading = Trading(make_executor())
    for event in one_trade():
        trading.hear(event)
    (plan,) = trading.plans("entry")
    if first:
        trading.fill(plan.tag, first, "100.00")
    trading.fill(plan.tag, plan.quantity - first, "103.00")
    return trading


def only(trading: Trading) -> OpenPosition:
    (one,) = overview(trading.executor, LATER).positions
    return one


def test_before_anything_happened_there_is_nothing_and_no_day() -> None:
    seen = overview(make_executor(), 0)
    assert (seen.day, seen.positions, seen.result) == (None, (), DayResult())
    assert seen.at_risk == seen.exposed == 0
    assert seen.unrealised == Decimal(0)
    state = state_of(seen)
    assert (state.at, state.trading_day, state.halted_because) == (None, None, None)
    assert state.model_dump(mode="json")["realised"] == "0.00"


def test_a_position_has_the_average_of_its_fills_and_the_latest_price() -> None:
    trading = traded(first=LOT)
    one, (plan,) = only(trading), trading.plans("entry")
    assert one.quantity == plan.quantity
    expected = (100 * LOT + 103 * (plan.quantity - LOT)) / Decimal(plan.quantity)
    assert one.average_price == expected
    quote = trading.executor.market.quotes.quote(plan.contract.instrument_token)
    assert quote is not None
    assert one.last_price == Decimal(str(quote.last_price))
    assert one.unrealised == (one.last_price - expected) * plan.quantity
    assert one.at_risk == trading.executor.risk.at_risk
    assert (one.quoted_ms, one.selling) == (NOW + 1000, 0)


def test_a_restarted_executor_knows_its_positions_but_no_price_before_a_tick() -> None:
    trading, again = traded(), make_executor()
    for event in [*chain_listed(), *trading.events]:
        again.restore(event)
    seen, before = overview(again, LATER), only(trading)
    (one,) = seen.positions
    assert (one.quantity, one.average_price) == (before.quantity, before.average_price)
    assert (one.last_price, one.quoted_ms, one.unrealised, seen.unrealised) == (None,) * 4
    shown = state_of(seen).model_dump(mode="json")
    assert shown["unrealised"] is None
    assert shown["positions"][0]["last_price"] is None


def test_units_that_are_being_sold_are_told() -> None:
    trading = traded()
    (plan,) = trading.plans("entry")
    trading.hear(exit_requested(plan.position_id))
    assert (only(trading).selling, only(trading).quantity) == (plan.quantity, plan.quantity)
    seen = overview(trading.executor, LATER)
    assert (seen.working, seen.in_doubt) == (1, 0)
    trading.fill(trading.plans("exit")[0].tag, plan.quantity)
    assert overview(trading.executor, LATER).positions == ()


def closed(number: int, net: str) -> Event:
    return position(number, PositionClosed, net=net, at_ms=NOW + number * 60_000)


def test_the_result_is_that_of_the_day_and_begins_anew_on_the_next() -> None:
    executor = make_executor()
    for number, net in ((1, "500.50"), (2, "-1200.25"), (3, "-100")):
        executor.risk.on_event(closed(number, net))
    seen = overview(executor, at(14, 0))
    assert seen.day == DAY
    assert seen.result == DayResult(Decimal("-799.75"), closed=3, trades=0, losses_in_a_row=2)
    state = state_of(seen)
    assert (state.realised, state.closed_positions) == (Decimal("-799.75"), 3)
    assert state.limits.daily_loss.used == Decimal("799.75")
    assert state.limits.daily_loss.limit == Decimal(50_000)
    assert (state.limits.losses_in_a_row.used, state.limits.losses_in_a_row.limit) == (2, 3)
    tomorrow = overview(executor, at(9, 15, day=NEXT_DAY))
    assert (tomorrow.day, tomorrow.result) == (NEXT_DAY, DayResult())


def test_a_day_that_the_clock_has_not_reached_is_the_one_that_is_counted() -> None:
    executor = make_executor()
    executor.risk.on_event(closed(1, "10"))
    assert overview(executor, 0).day == DAY
    assert overview(executor, at(9, 15, day=date(2026, 6, 9))).result.closed == 1


def test_a_restart_does_not_change_what_is_used_of_the_limits() -> None:
    trading = traded()
    limits = state_of(overview(trading.executor, LATER)).limits
    assert (limits.trades_a_day.used, limits.positions.used) == (1, 1)
    assert limits.capital_at_risk.used > 0
    again = make_executor()
    for event in trading.events:
        again.restore(event)
    assert state_of(overview(again, LATER)).limits == limits


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1E+5", "100000.00"), ("0E-10", "0.00"), ("-12.345678", "-12.35"), ("7", "7.00")],
)
def test_money_is_text_with_two_decimals_and_no_exponent(amount: Rupees, text: str) -> None:
    state = state_of(overview(make_executor(), NOW)).model_copy(update={"capital": Decimal(amount)})
    assert state.model_dump(mode="json")["capital"] == text
    assert State.model_validate_json(state.model_dump_json()).at == utc_from_ms(NOW)
