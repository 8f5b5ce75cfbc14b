from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.codec import decode, encode
from libs.events.event import Event, utc_from_ms
from libs.events.positions import (
    ExitRequested,
    PerformanceMeasured,
    PositionClosed,
    PositionEvent,
    PositionOpened,
    PositionUpdated,
)
from libs.events.signals import SignalActivated, SignalCompleted, SignalStopped
from libs.events.topics import TOPIC_OF
from libs.market.rulebook import load_rulebook
from services.position.domain.exit_rules.settings import ExitSettings
from services.position.domain.open_positions import OpenPositions, SaleWithoutPosition
from tests.unit.services.position.builders import (
    DAY,
    EXPIRY,
    NOW,
    TOKEN,
    at,
    contract,
    exit_requested,
    fill,
    hear,
    make_positions,
    position_id,
    ticks,
)

E = TypeVar("E", bound=Event)
ZERO = Decimal(0)


def only(kind: type[E], events: list[Event]) -> E:
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def opened() -> OpenPositions:
    held = make_positions()
    hear(held, fill())
    return held


def asked(events: list[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, ExitRequested)]


def test_the_first_fill_opens_a_position_and_activates_its_signal() -> None:
    events = hear(make_positions(), fill())
    assert types(events) == ["SignalActivated", "PositionOpened"]
    state, activated = only(PositionOpened, events), only(SignalActivated, events)
    assert (state.position_id, state.quantity, state.entry_price) == (
        position_id(),
        75,
        Decimal(120),
    )
    assert (state.stop_loss, state.target) == (Decimal(84), Decimal(192))
    assert (state.underlying, state.contract.instrument_token) == ("NIFTY", TOKEN)
    assert (state.realised, state.unrealised) == (ZERO, ZERO)
    assert (state.charges, state.net) == (Decimal("27.66"), Decimal("-27.66"))
    assert (state.opened_at, state.closed_at) == (utc_from_ms(NOW), None)
    assert activated.signal_id == state.signal_id
    assert state.causation_id == fill().event_id


def test_further_fills_average_and_brokerage_is_paid_once_an_order() -> None:
    held = make_positions()
    hear(held, fill(quantity=50))
    state = only(PositionUpdated, hear(held, fill(quantity=25, number=2)))
    assert (state.quantity, state.entry_price, state.charges) == (
        75,
        Decimal(120),
        Decimal("27.66"),
    )
    assert len(state.order_ids) == 1
    other = only(PositionUpdated, hear(held, fill(quantity=75, price="130", order=2)))
    assert (other.quantity, other.entry_price) == (150, Decimal(125))
    assert other.charges > state.charges + 20
    assert len(other.order_ids) == 2


def test_the_last_sale_closes_the_position_to_the_paisa() -> None:
    held = opened()
    events = hear(held, fill("SELL", price="150.00", at_ms=NOW + 60_000))
    assert types(events) == ["SignalCompleted", "PerformanceMeasured", "PositionClosed"]
    state = only(PositionClosed, events)
    assert (state.quantity, state.exit_price) == (0, Decimal(150))
    assert (state.realised, state.unrealised) == (Decimal(2250), ZERO)
    assert (state.charges, state.net) == (Decimal("72.87"), Decimal("2177.13"))
    assert (state.closed_at, state.exit_reason) == (utc_from_ms(NOW + 60_000), "manual")
    assert only(PerformanceMeasured, events).net == Decimal("2177.13")
    assert held.open_tokens == ()


def test_a_round_trip_of_2021_pays_the_rates_of_2021() -> None:
    day = date(2021, 6, 9)
    of_2021 = contract(expiry=date(2021, 6, 10))
    held, at_ms = make_positions(), at(10, 30, day=day)
    hear(held, fill(at_ms=at_ms, contract=of_2021))
    events = hear(held, fill("SELL", price="150.00", at_ms=at_ms + 1, contract=of_2021))
    state = only(PositionClosed, events)
    assert (state.charges, state.net) == (Decimal("65.78"), Decimal("2184.22"))


def test_a_partial_sale_realises_its_part_and_keeps_the_rest() -> None:
    held = make_positions()
    hear(held, fill(quantity=150))
    state = only(PositionUpdated, hear(held, fill("SELL", quantity=50, price="150")))
    assert (state.quantity, state.sold_quantity) == (100, 50)
    assert (state.realised, state.unrealised) == (Decimal(1500), Decimal(3000))
    assert state.net == state.realised - state.charges


def test_a_repeated_fill_changes_nothing() -> None:
    held = opened()
    assert hear(held, fill()) == []
    hear(held, fill("SELL"))
    assert hear(held, fill("SELL"), fill()) == []


def test_a_sale_without_a_position_is_refused_and_counts_when_it_is_tried_after_its_purchase() -> (
    None
):
    held = make_positions()
    with pytest.raises(SaleWithoutPosition, match="a sale of 75 units without a position"):
        hear(held, fill("SELL"))
    hear(held, fill())
    assert only(PositionClosed, hear(held, fill("SELL"))).quantity == 0


def test_a_sale_of_more_than_is_held_leaves_a_short_position_open_until_it_is_bought_back() -> None:
    held = opened()
    state = only(PositionUpdated, hear(held, fill("SELL", quantity=100, price="130")))
    assert (state.quantity, state.realised) == (-25, Decimal(750))
    assert (state.unrealised, state.entry_price) == (ZERO, Decimal(120))
    assert asked(hear(held, ticks(80.0, NOW + 1000), ticks(None, at(15, 15)))) == []
    cover = fill(quantity=25, number=2, price="100", leg="exit", at_ms=NOW + 2000)
    closed = only(PositionClosed, hear(held, cover))
    assert (closed.quantity, closed.realised) == (0, Decimal(1500)), "750, and 25 x 30 of the cover"
    assert (closed.stop_loss, closed.target) == (state.stop_loss, state.target)


def test_a_fill_whose_charges_cannot_be_reckoned_changes_nothing_and_counts_when_tried_again() -> (
    None
):
    held = make_positions()
    held.rulebook = replace(load_rulebook(), rates={})
    with pytest.raises(LookupError):
        hear(held, fill())
    assert held.open_tokens == ()
    held.rulebook = load_rulebook()
    assert types(hear(held, fill())) == ["SignalActivated", "PositionOpened"]


@pytest.mark.parametrize(("price", "reason"), [(84.0, "stop_loss"), (192.0, "target")])
def test_a_level_reached_by_a_tick_asks_for_an_exit_of_everything(
    price: float, reason: str
) -> None:
    request = only(ExitRequested, hear(opened(), ticks(price, NOW + 1000)))
    assert (request.reason, request.lots) == (reason, None)
    assert (request.position_id, request.occurred_at) == (position_id(), utc_from_ms(NOW + 1000))


def test_an_exit_is_asked_for_once_whatever_happens_later() -> None:
    held = opened()
    later = [ticks(80.0, NOW + 2000), ticks(200.0, NOW + 3000), ticks(100.0, at(15, 20))]
    assert asked(hear(held, ticks(84.0, NOW + 1000), *later)) == ["stop_loss"]


def test_a_position_stays_open_until_its_exit_fills() -> None:
    held = opened()
    hear(held, ticks(80.0, NOW + 1000))
    assert held.open_tokens == (TOKEN,)
    events = hear(held, fill("SELL", price="79.50", at_ms=NOW + 2000))
    assert only(PositionClosed, events).exit_reason == "stop_loss"
    assert types(events) == ["SignalStopped", "PerformanceMeasured", "PositionClosed"]
    assert only(SignalStopped, events).reason == "stop_loss"


@pytest.mark.parametrize(
    ("tick_price", "at_ms", "reason"),
    [(195.0, NOW + 1000, "target"), (100.0, at(15, 15), "square_off")],
)
def test_every_other_exit_completes_the_signal(tick_price: float, at_ms: int, reason: str) -> None:
    held = opened()
    hear(held, ticks(tick_price, at_ms))
    completed = only(SignalCompleted, hear(held, fill("SELL", at_ms=at_ms + 1000)))
    assert completed.reason == reason
    assert "net" in completed.numbers


def test_the_square_off_needs_no_price_only_the_clock() -> None:
    held = opened()
    assert asked(hear(held, ticks(None, at(15, 15) - 1))) == []
    assert asked(hear(held, ticks(None, at(15, 15)))) == ["square_off"]


def test_a_contract_that_expires_today_is_exited_an_hour_before_the_close() -> None:
    held = make_positions()
    hear(held, fill(at_ms=at(10, 0, day=EXPIRY)))
    assert asked(hear(held, ticks(None, at(14, 29, 59, EXPIRY)))) == []
    assert asked(hear(held, ticks(None, at(14, 30, day=EXPIRY)))) == ["expiry"]


def test_the_holding_time_ends_a_position() -> None:
    held = make_positions(ExitSettings(holding_ms=600_000))
    hear(held, fill())
    assert asked(hear(held, ticks(None, NOW + 599_999))) == []
    assert asked(hear(held, ticks(None, NOW + 600_000))) == ["holding_time"]


def test_ticks_of_other_contracts_and_of_before_the_fill_move_nothing() -> None:
    held = opened()
    assert asked(hear(held, ticks(1.0, NOW + 1000, token=42), ticks(1.0, NOW - 1000))) == []


def test_a_mark_shows_profit_and_excursions_at_the_latest_price() -> None:
    held = opened()
    quiet = [ticks(122.0, NOW + 10_000), ticks(118.0, NOW + 20_000), ticks(121.0, NOW + 59_999)]
    assert hear(held, *quiet) == []
    mark = only(PositionUpdated, hear(held, ticks(121.5, NOW + 60_000)))
    assert (mark.last_price, mark.unrealised) == (Decimal("121.5"), Decimal("112.50"))
    assert (mark.highest_price, mark.lowest_price) == (Decimal(122), Decimal(118))
    assert (mark.quantity, mark.realised, mark.charges) == (75, ZERO, Decimal("27.66"))
    assert hear(held, ticks(121.0, NOW + 119_999)) == []
    assert types(hear(held, ticks(121.0, NOW + 120_000))) == ["PositionUpdated"]


@pytest.mark.parametrize("price", [122.4, 117.6])
def test_an_extreme_two_percent_beyond_the_marked_one_is_marked_at_once_and_survives_a_restart(
    price: float,
) -> None:
    held = make_positions()
    written = hear(held, fill(), ticks(price, NOW + 1000), ticks(120.0, NOW + 2000))
    assert types(written)[2:] == ["PositionUpdated"]
    extremes = [
        (closed.highest_price, closed.lowest_price)
        for desk in (held, restarted(*written))
        for closed in hear(desk, fill("SELL", price="120", at_ms=NOW + 3000))
        if isinstance(closed, PositionClosed)
    ]
    assert len(set(extremes)) == 1
    assert Decimal(str(price)) in extremes[0]


def test_extremes_are_marked_at_most_once_a_second() -> None:
    held = opened()
    prices = [ticks(120.0 + 3 * n, NOW + 1000 + n) for n in range(10)]
    assert types(hear(held, *prices)) == ["PositionUpdated"]


def test_excursions_last_to_the_closing_and_contain_the_exit() -> None:
    held = opened()
    hear(held, ticks(150.0, NOW + 1000), ticks(110.0, NOW + 2000))
    state = only(PositionClosed, hear(held, fill("SELL", price="100", at_ms=NOW + 3000)))
    assert (state.highest_price, state.lowest_price) == (Decimal(150), Decimal(100))


def test_positions_are_watched_apart() -> None:
    held = opened()
    hear(
        held,
        fill(of=2, stop_loss=Decimal(50), contract=contract(instrument_token=TOKEN + 1)),
    )
    assert asked(hear(held, ticks(80.0, NOW + 1000))) == ["stop_loss"]
    assert held.open_tokens == (TOKEN, TOKEN + 1)
    hear(held, fill("SELL"))
    assert list(held.open_tokens) == [TOKEN + 1]


def test_an_exit_on_a_later_day_counts_on_that_day() -> None:
    held, tomorrow = opened(), date(2026, 6, 11)
    events = hear(held, fill("SELL", at_ms=at(9, 20, day=tomorrow)))
    assert only(PositionClosed, events).trading_day == tomorrow
    assert only(PerformanceMeasured, events).trading_day == tomorrow
    assert only(PositionClosed, events).opened_at == utc_from_ms(NOW)


def test_a_late_purchase_after_the_closing_opens_and_is_watched_again() -> None:
    held = opened()
    hear(held, fill("SELL", at_ms=NOW + 1000))
    events = hear(held, fill(quantity=25, number=2, at_ms=NOW + 2000))
    assert only(PositionOpened, events).quantity == 25
    assert asked(hear(held, ticks(80.0, NOW + 3000))) == ["stop_loss"]


def test_events_of_no_interest_are_ignored() -> None:
    assert hear(make_positions(), exit_requested(), ticks(100.0, NOW)) == []


def restarted(*written: Event) -> OpenPositions:
    held = make_positions()
    for event in written:
        if TOPIC_OF[event.type] in {"positions", "exit_requests"}:
            held.restore(decode(TOPIC_OF[event.type], encode(event)))
    return held


story = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(1, 2), st.integers(1, 3)),
        st.tuples(st.just("sell"), st.integers(1, 2), st.integers(1, 3)),
        st.tuples(st.just("tick"), st.integers(60, 200), st.integers(1, 90)),
    ),
    max_size=12,
)


def held_after(said: list[Event], otherwise: int = 0) -> int:
    quantities = [event.quantity for event in said if isinstance(event, PositionEvent)]
    return quantities[-1] if quantities else otherwise


def tell(
    desks: list[OpenPositions], steps: list[tuple[str, int, int]], since: int, held_before: int = 0
) -> list[Event]:
    """Play steps to all desks alike; each must say the same. Return what the first one said."""
    said: list[Event] = []
    held = held_before
    for number, (kind, what, size) in enumerate(steps, start=since):
        at_ms = NOW + number * 90_000
        if kind == "tick":
            event: Event = ticks(float(what), at_ms)
        elif kind == "buy":
            event = fill(quantity=25 * size, number=number, at_ms=at_ms)
        elif kind == "sell" and held:
            event = fill("SELL", min(25 * size, held), "130", number, at_ms)
        else:
            continue
        answers = [hear(held, event) for held in desks]
        assert all(answer == answers[0] for answer in answers)
        said += answers[0]
        held = held_after(said, held)
    return said


@given(story, story)
def test_a_restart_changes_no_later_reaction(
    before: list[tuple[str, int, int]], after: list[tuple[str, int, int]]
) -> None:
    held = make_positions()
    written = tell([held], before, since=1)
    desks = [held, restarted(*written), restarted(*written, *written)]
    tell(desks, after, since=len(before) + 1, held_before=held_after(written))


@given(story)
def test_what_is_held_is_what_was_bought_and_not_sold(steps: list[tuple[str, int, int]]) -> None:
    for event in tell([make_positions()], steps, since=1):
        if isinstance(event, PositionEvent):
            assert event.quantity == event.bought_quantity - event.sold_quantity >= 0
            assert (event.quantity == 0) == isinstance(event, PositionClosed)
            assert event.lowest_price <= event.last_price <= event.highest_price
            assert event.net == event.realised - event.charges
            assert len(set(event.fill_ids)) == len(event.fill_ids)


@given(story)
def test_an_open_position_asks_for_its_exit_at_most_once(
    steps: list[tuple[str, int, int]],
) -> None:
    requests = 0
    for event in tell([make_positions()], steps, since=1):
        requests += isinstance(event, ExitRequested)
        assert requests <= 1
        if isinstance(event, PositionClosed):
            requests = 0


def test_after_a_partial_exit_by_hand_and_a_restart_the_stop_still_requests_its_exit() -> None:
    state = only(PositionOpened, hear(make_positions(), fill()))
    held = restarted(state, exit_requested(lots=1))
    assert asked(hear(held, ticks(80.0, NOW + 1000))) == ["stop_loss"]


@pytest.mark.parametrize("is_request_first", [True, False])
def test_an_exit_asked_for_before_the_restart_is_not_asked_for_again(
    is_request_first: bool,
) -> None:
    live = make_positions()
    state = only(PositionOpened, hear(live, fill()))
    request = only(ExitRequested, hear(live, ticks(80.0, NOW + 1000)))
    held = restarted(request, state) if is_request_first else restarted(state, request)
    assert asked(hear(held, ticks(70.0, NOW + 2000))) == []
    closed = only(PositionClosed, hear(held, fill("SELL", at_ms=NOW + 3000)))
    assert closed.exit_reason == "stop_loss"
    assert closed.trading_day == DAY


def test_the_requests_of_a_closed_position_are_forgotten_after_a_restart_too() -> None:
    live = make_positions()
    sale = fill("SELL", at_ms=NOW + 2000)
    written = hear(live, fill(), ticks(80.0, NOW + 1000), sale)
    held = restarted(*written)
    hear(held, fill(quantity=25, number=2, at_ms=NOW + 3000))
    assert asked(hear(held, ticks(79.0, NOW + 4000))) == ["stop_loss"]


def test_the_days_figures_go_on_after_a_restart() -> None:
    live = opened()
    first = hear(live, fill("SELL", price="100", at_ms=NOW + 1000))
    held = restarted(*first, *first)
    hear(held, fill(of=2, at_ms=NOW + 2000))
    figures = only(
        PerformanceMeasured, hear(held, fill("SELL", price="150", of=2, at_ms=NOW + 3000))
    )
    assert (figures.trades, figures.wins) == (2, 1)


def test_a_level_that_was_passed_before_a_restart_requests_an_exit_within_a_second() -> None:
    held = make_positions()
    hear(held, fill(), ticks(120.0, NOW + 1000))
    below = hear(make_positions(mark_every_ms=1), fill(), ticks(83.0, NOW + 1000))
    (marked,) = [event for event in below if isinstance(event, PositionUpdated)]
    again = make_positions()
    again.restore(marked)
    assert asked(hear(again, ticks(None, NOW + 2000))) == ["stop_loss"]


@pytest.mark.parametrize(("paid", "stop"), [("0.15", "0.10"), ("0.10", "0.05")])
def test_a_low_premium_that_was_bought_cheaper_than_planned_keeps_its_stop_below_the_price_paid(
    paid: str, stop: str
) -> None:
    held = make_positions()
    bought = fill(
        price=paid,
        premium=Decimal("0.20"),
        stop_loss=Decimal("0.15"),
        target=Decimal("0.30"),
    )
    (opened,) = [one for one in hear(held, bought) if isinstance(one, PositionEvent)]
    assert opened.stop_loss == Decimal(stop)
    made = hear(held, ticks(float(paid), NOW + 1000))
    assert not any(isinstance(one, ExitRequested) for one in made)
