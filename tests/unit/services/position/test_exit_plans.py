"""A position obeys the exit plan under which it was opened: each rule's first and not-yet moment.

Bought at 100 a unit in lots of 75, with its stop at 65 and its target at 200.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.event import Event
from libs.events.exit_plan import Booking, ExitPlan, Trail
from libs.events.orders import OrderFilled
from libs.events.positions import (
    ExitRequested,
    PositionAlerted,
    PositionClosed,
    PositionEvent,
    PositionUpdated,
)
from services.position.domain.exit_rules.settings import ExitSettings
from services.position.domain.exit_rules.trailing_stop import TrailingStopSettings
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
    updates,
)
from tests.unit.services.position.exit_rules.plans import AGGRESSIVE, BALANCED, HOUR_MS, STEPS

TOMORROW = date(2026, 6, 11)
LOT = 75
TRAIL_IN_POINTS = ExitPlan(
    profile="points", trail=Trail(gain=Decimal("0.10"), fall=Decimal(7), unit="points")
)


def bought(lots: int = 4, plan: ExitPlan | None = BALANCED, **changes: Any) -> OrderFilled:
    fields: dict[str, Any] = {
        "stop_loss": Decimal(65),
        "target": Decimal(200),
        "premium": Decimal(100),
        "exit_plan": plan,
    }
    price = changes.pop("price", "100")
    return fill(quantity=lots * LOT, price=price, **(fields | changes))


def opened(
    plan: ExitPlan | None, lots: int = 4, settings: ExitSettings | None = None, **changes: Any
) -> OpenPositions:
    held = make_positions(settings)
    hear(held, bought(lots, plan, **changes))
    return held


def asked(events: Sequence[Event]) -> list[tuple[str, int | None]]:
    return [(one.reason, one.lots) for one in events if isinstance(one, ExitRequested)]


def along(held: OpenPositions, *prices: float, begin_ms: int = NOW) -> list[Event]:
    """Show the held these prices, a second apart."""
    shown = enumerate(prices, 1)
    return [one for n, price in shown for one in hear(held, ticks(price, begin_ms + n * 1000))]


FIRST_MOMENTS = [
    ("stop loss", BALANCED, (), 65.05, 65.0, ("stop_loss", None)),
    ("target", BALANCED, (149.95,), 199.95, 200.0, ("target", None)),
    ("booking", BALANCED, (), 149.95, 150.0, ("booking", 2)),
    ("stop at cost", BALANCED, (120.0,), 100.05, 100.0, ("stop_to_cost", None)),
    ("trailing by a fraction", BALANCED, (130.0,), 117.05, 117.0, ("trailing_stop", None)),
    ("trailing by points", TRAIL_IN_POINTS, (110.0,), 103.05, 103.0, ("trailing_stop", None)),
    ("a second booking", STEPS, (130.0,), 149.95, 150.0, ("booking", 1)),
]


@pytest.mark.parametrize(
    ("plan", "before", "not_yet", "first", "wanted"),
    [row[1:] for row in FIRST_MOMENTS],
    ids=[row[0] for row in FIRST_MOMENTS],
)
def test_a_rule_asks_at_its_first_moment_and_not_before(
    plan: ExitPlan,
    before: Sequence[float],
    not_yet: float,
    first: float,
    wanted: tuple[str, int | None],
) -> None:
    held = opened(plan)
    along(held, *before)
    later_ms = NOW + 10_000
    waiting = [one for one in asked(along(held, not_yet, begin_ms=later_ms)) if one == wanted]
    assert waiting == []
    assert asked(along(held, first, begin_ms=later_ms + 1000))[-1:] == [wanted]


@pytest.mark.parametrize(
    ("plan", "prices"),
    [
        (BALANCED, (119.95, 100.0, 90.0)),  # the gain of 20 % was not reached
        (TRAIL_IN_POINTS, (109.95, 90.0)),  # nor that of 10 %
        (None, (199.0, 66.0)),
        (ExitPlan(profile="bare"), (199.0, 66.0)),
    ],
)
def test_a_rule_whose_gain_was_not_reached_or_that_is_not_in_the_plan_never_asks(
    plan: ExitPlan | None, prices: Sequence[float]
) -> None:
    assert asked(along(opened(plan), *prices)) == []


@pytest.mark.parametrize(
    ("lots", "parts", "booked"),
    [(1, ("0.5",), []), (3, ("0.6",), [1]), (5, ("0.6", "0.6"), [3, 2]), (2, ("0.4", "1"), [2])],
)
def test_bookings_are_whole_lots_of_what_was_bought_rounded_down_and_never_more_than_that(
    lots: int, parts: Sequence[str], booked: list[int]
) -> None:
    plan = ExitPlan(
        profile="parts",
        bookings=tuple(Booking(price=Decimal(150), part=Decimal(part)) for part in parts),
    )
    events = along(opened(plan, lots), 150.0, 151.0)
    assert [lots for _, lots in asked(events)] == booked


def test_a_position_of_one_lot_goes_to_its_target() -> None:
    held = opened(BALANCED.model_copy(update={"trail": None}), lots=1)
    assert asked(along(held, 150.0, 199.95)) == []
    assert asked(along(held, 200.0, begin_ms=NOW + 9000)) == [("target", None)]


def test_a_jump_over_several_bookings_books_them_all_and_one_over_the_target_sells_all() -> None:
    held = opened(STEPS, lots=6)
    events = [one for one in along(held, 160.0) if isinstance(one, ExitRequested)]
    assert [(one.step, one.lots) for one in events] == [(0, 2), (1, 2)]
    assert len({one.event_id for one in events}) == 2
    assert asked(along(opened(STEPS, lots=6), 250.0)) == [("target", None)]


def test_prices_of_a_plan_hang_on_the_price_paid_as_stop_and_target_do() -> None:
    held = opened(BALANCED, price="110")
    (state,) = states(held)
    assert state.exit_plan is not None
    assert (state.stop_loss, state.exit_plan.bookings[0].price, state.target) == (
        Decimal("71.50"),
        Decimal("165.00"),
        Decimal("220.00"),
    )
    assert asked(along(held, 164.95)) == []
    assert asked(along(held, 165.0, begin_ms=NOW + 2000)) == [("booking", 2)]


def states(held: OpenPositions) -> list[PositionEvent]:
    """The positions as the next mark shows them."""
    marks = held.on_time(NOW + 3_600_000)
    return [one for one in marks if isinstance(one, PositionUpdated)]


def test_a_stop_that_is_lifted_is_published_at_once_and_never_falls_back() -> None:
    held = opened(BALANCED)
    marks = [one for one in along(held, 119.95, 120.0) if isinstance(one, PositionUpdated)]
    assert [(one.stop_loss, one.planned_stop) for one in marks][-1] == (Decimal(100), Decimal(65))
    marks = [
        one
        for one in along(held, 140.0, 130.0, begin_ms=NOW + 5000)
        if isinstance(one, PositionUpdated)
    ]
    assert [one.stop_loss for one in marks] == [126]
    assert [one.stop_loss for one in states(held)] == [126]


def test_a_later_purchase_moves_the_planned_stop_and_leaves_the_lifted_one() -> None:
    held = opened(BALANCED, lots=2)
    along(held, 125.0)
    (state,) = hear(held, bought(2, price="120", number=2, at_ms=NOW + 5000))
    assert isinstance(state, PositionUpdated)
    assert (state.stop_loss, state.planned_stop) == (Decimal(100), Decimal("71.50"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [((), "stop_loss"), ((125.0,), "stop_to_cost"), ((140.0,), "trailing_stop")],
)
def test_a_stop_at_the_exchange_closes_for_the_rule_that_had_set_its_level(
    path: Sequence[float], reason: str
) -> None:
    held = opened(BALANCED)
    along(held, *path)
    sale = fill("SELL", 300, "99", at_ms=NOW + 9000, reason="stop_loss")
    closings = [one for one in hear(held, sale) if isinstance(one, PositionClosed)]
    assert [one.exit_reason for one in closings] == [reason]


def test_the_settings_hold_for_a_position_without_a_plan_and_for_no_other() -> None:
    settings = ExitSettings(
        holding_ms=HOUR_MS,
        cost_after=Decimal("0.05"),
        trailing_stop=TrailingStopSettings(gain=Decimal("0.10"), points=Decimal(7)),
    )
    assert asked(along(opened(None, settings=settings), 105.0, 100.0)) == [("stop_to_cost", None)]
    assert asked(along(opened(None, settings=settings), 112.0, 105.0)) == [("trailing_stop", None)]
    bare = ExitPlan(profile="bare")
    assert asked(along(opened(bare, settings=settings), 112.0, 100.0)) == []
    assert asked(opened(bare, settings=settings).on_time(NOW + HOUR_MS)) == []
    assert asked(opened(None, settings=settings).on_time(NOW + HOUR_MS)) == [("holding_time", None)]


def test_a_stop_that_was_lifted_under_other_settings_still_stands() -> None:
    settings = ExitSettings(cost_after=Decimal("0.05"))
    published = [*hear(make_positions(settings), bought(plan=None))]
    lifted = opened(None, settings=settings)
    published += along(lifted, 110.0)
    held = restarted(published)
    assert asked(along(held, 100.05, begin_ms=NOW + 5000)) == []
    assert asked(along(held, 100.0, begin_ms=NOW + 6000)) == [("stop_to_cost", None)]


def test_the_holding_time_of_a_plan_ends_at_its_moment() -> None:
    held = opened(BALANCED, at_ms=at(9, 15))
    assert asked(held.on_time(at(15, 14, 59))) == []
    assert asked(held.on_time(at(15, 15))) == [("square_off", None)]
    held = opened(BALANCED.model_copy(update={"holding_ms": HOUR_MS}))
    assert asked(held.on_time(NOW + HOUR_MS - 1000)) == []
    assert asked(held.on_time(NOW + HOUR_MS)) == [("holding_time", None)]


def test_held_over_night_it_is_not_squared_off_and_its_time_ends_at_the_open() -> None:
    held = opened(AGGRESSIVE)
    assert asked(held.on_time(at(15, 15))) == []
    assert asked(held.on_time(at(22, 30))) == []  # twelve hours, but the exchange is closed
    assert asked(held.on_time(at(9, 14, 59, day=TOMORROW))) == []
    assert asked(held.on_time(at(9, 15, day=TOMORROW))) == [("holding_time", None)]


def test_a_position_over_night_is_left_before_its_expiry_and_before_its_settlement() -> None:
    plan = AGGRESSIVE.model_copy(update={"holding_ms": None})
    expiring = opened(plan, contract=contract(expiry=TOMORROW))
    assert asked(expiring.on_time(at(14, 29, 59, day=TOMORROW))) == []
    assert asked(expiring.on_time(at(14, 30, day=TOMORROW))) == [("expiry", None)]
    share = contract(underlying="RELIANCE", expiry=date(2026, 6, 30))
    settled, last = opened(plan, contract=share), date(2026, 6, 22)
    assert asked(settled.on_time(at(14, 29, 59, day=last))) == []
    assert asked(settled.on_time(at(14, 30, day=last))) == [("expiry", None)]


def said(events: Sequence[Event]) -> list[str]:
    alerts = [one for one in events if isinstance(one, PositionAlerted)]
    return [one.reason for one in alerts if one.alert == "over_night"]


def test_each_morning_says_when_a_position_over_night_is_left_and_by_which_rule() -> None:
    plan = AGGRESSIVE.model_copy(update={"holding_ms": None})
    expiring = opened(plan, contract=contract(expiry=TOMORROW))
    assert said([*expiring.on_time(at(15, 20)), *expiring.on_time(at(8, 59, day=TOMORROW))]) == []
    assert said(expiring.on_time(at(9, 0, day=TOMORROW))) == [
        "held over night (aggressive); it expires on 2026-06-11: it is left today at 14:30"
    ]
    assert said(expiring.on_time(at(9, 1, day=TOMORROW))) == []
    share = opened(plan, contract=contract(underlying="RELIANCE", expiry=date(2026, 6, 30)))
    assert said(share.on_time(at(9, 0, day=TOMORROW))) == [
        "held over night (aggressive); it expires on 2026-06-30 and is settled in shares: "
        "it is left at the latest on 2026-06-22 at 14:30"
    ]
    (alert,) = said(share.on_time(at(9, 0, day=date(2026, 6, 22))))
    assert alert.endswith("it is left today at 14:30")


@pytest.mark.parametrize(
    ("bid", "wanted"), [(149.95, []), (150.0, [("booking", 2)]), (65.0, [("stop_loss", None)])]
)
def test_where_the_last_trade_is_old_a_plans_rules_see_the_bid(
    bid: float, wanted: list[tuple[str, int | None]]
) -> None:
    held = opened(BALANCED)
    old = {"last_trade_time": NOW + 1000, "price": 100.0, "volume_traded": 75}
    quotes = {"bid_price": bid, "ask_price": bid + 0.05}
    assert asked(hear(held, updates({"at_ms": NOW + 60_000, **old, **quotes}))) == wanted


def test_a_price_from_before_the_fill_books_and_stops_nothing() -> None:
    held = opened(BALANCED)
    for price in (150.0, 60.0, 250.0):
        before = {"last_trade_time": NOW - 1000, "price": price, "volume_traded": 75}
        quotes = {"bid_price": 100.0, "ask_price": 100.05}
        assert asked(hear(held, updates({"at_ms": NOW + 1000, **before, **quotes}))) == []


def test_without_a_quote_a_person_is_told_and_the_time_of_the_plan_acts() -> None:
    held = opened(BALANCED.model_copy(update={"holding_ms": HOUR_MS}))
    quiet = [one for minute in range(1, 60) for one in held.on_time(NOW + minute * 60_000)]
    alerts = [one.alert for one in quiet if isinstance(one, PositionAlerted)]
    assert (alerts, asked(quiet)) == (["unguarded"], [])
    assert asked(held.on_time(NOW + HOUR_MS)) == [("holding_time", None)]


PRICES = st.lists(st.integers(1300, 4100), min_size=1, max_size=25)
"""In ticks of 0.05 rupees: from 65 to 205."""


@st.composite
def plans(draw: st.DrawFn) -> ExitPlan:
    parts = st.sampled_from(["0.2", "0.34", "0.5", "0.6", "1"])
    prices = sorted(draw(st.sets(st.integers(2100, 3900), max_size=4)))
    return ExitPlan(
        profile="drawn",
        bookings=tuple(
            Booking(price=Decimal(price) / 20, part=Decimal(draw(parts))) for price in prices
        ),
        trail=draw(st.sampled_from([None, BALANCED.trail, TRAIL_IN_POINTS.trail])),
        cost_after=draw(st.sampled_from([None, Decimal("0.05"), Decimal("0.2")])),
    )


@given(plans(), st.integers(1, 7), PRICES, st.data())
def test_never_more_lots_are_asked_for_than_held_and_each_booking_once_whatever_happens(
    plan: ExitPlan, lots: int, prices: list[int], data: st.DataObject
) -> None:
    """Ticks, fills of what was asked for (whole lots of it), and restarts in any order."""
    held, published, sold = make_positions(), list[Event](), 0
    published += hear(held, bought(lots, plan))
    for number, price in enumerate(prices, 1):
        at_ms = NOW + number * 1000
        published += hear(held, ticks(price / 20, at_ms))
        requests = asked(published)
        wanted = (
            lots
            if any(one is None for _, one in requests)
            else sum(one or 0 for _, one in requests)
        )
        assert wanted <= lots
        what = data.draw(st.sampled_from(["nothing", "restart", "fill"]))
        if what == "restart":
            held = restarted(published)
        if what == "fill" and wanted > sold:
            part = data.draw(st.integers(1, wanted - sold))
            sold += part
            sale = fill("SELL", part * LOT, str(price / 20), number, at_ms)
            published += hear(held, sale)
        if sold == lots:
            break
    steps = [one.step for one in published if isinstance(one, ExitRequested) and one.lots]
    assert len(steps) == len(set(steps))
    assert sum(one.lots is None for one in published if isinstance(one, ExitRequested)) <= 1


@given(plans(), st.integers(1, 7), PRICES)
def test_levels_lie_on_the_grid_and_below_the_price_that_has_lifted_them(
    plan: ExitPlan, lots: int, prices: list[int]
) -> None:
    held = make_positions()
    published = hear(held, bought(lots, plan))
    for number, price in enumerate(prices, 1):
        published += hear(held, ticks(price / 20, NOW + number * 1000))
    stops = [one.stop_loss for one in published if isinstance(one, PositionEvent)]
    for one in published:
        if isinstance(one, PositionEvent):
            levels = [one.stop_loss, one.target, *(b.price for b in plan.bookings)]
            assert all(level % Decimal("0.05") == 0 for level in levels)
            assert one.stop_loss < one.highest_price < one.target + 10
            assert (one.planned_stop or one.stop_loss) < one.entry_price < one.target
    assert stops == sorted(stops)


@given(plans(), st.integers(1, 7), st.lists(st.integers(13, 41), min_size=1, max_size=12))
def test_a_restart_at_every_point_asks_for_the_same(
    plan: ExitPlan, lots: int, steps: list[int]
) -> None:
    """Prices move by 5 % of the price paid: each new extreme is marked before a restart."""
    undisturbed, published = make_positions(), list[Event]()
    held, begun = make_positions(), hear(undisturbed, bought(lots, plan))
    kept = hear(held, bought(lots, plan))
    published += begun
    for number, step in enumerate(steps, 1):
        tick = ticks(step * 5.0, NOW + number * 1000)
        published += hear(undisturbed, tick)
        kept += hear(held, tick)
        held = restarted(kept)
    assert [one.event_id for one in kept if isinstance(one, ExitRequested)] == [
        one.event_id for one in published if isinstance(one, ExitRequested)
    ]
