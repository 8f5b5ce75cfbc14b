from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.control import RiskLimitReached, TradingHalted, TradingResumed
from libs.events.event import Event, identity, utc_from_ms
from libs.events.positions import PositionClosed, PositionOpened, PositionUpdated
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import RiskLimits
from services.executor.domain.risk import Breach, RiskBook
from tests.unit.services.executor.builders import DAY, LOT, NEXT_DAY, NOW, at, position

CAPITAL = Decimal(1_000_000)
ROOMY = {"positions": 100, "positions_per_underlying": 100, "losses_in_a_row": 100}


def book(**limits: Any) -> RiskBook:
    return RiskBook(RiskLimits(**limits), CAPITAL)


def position_id(number: int) -> Any:
    return position_id_of(identity("test signal", number))


def enter(
    risk: RiskBook,
    number: int,
    underlying: str = "NIFTY",
    quantity: int = LOT,
    distance: str = "31",
    day: date = DAY,
) -> None:
    risk.enter(position_id(number), underlying, quantity, Decimal(distance), day)


def control(kind: type[Event], reason: str = "") -> Event:
    fields: dict[str, Any] = {
        "event_id": identity(kind.__name__, reason),
        "occurred_at": utc_from_ms(NOW),
        "trading_day": DAY,
        "correlation_id": identity("control"),
        "reason": reason,
    }
    return kind(**fields)


def close(risk: RiskBook, number: int, net: str, **changes: Any) -> PositionClosed:
    changes = {"at_ms": NOW + number * 60_000} | changes
    event = position(number, PositionClosed, net=net, **changes)
    assert isinstance(event, PositionClosed)
    risk.on_event(event)
    return event


def test_an_empty_book_lets_everything_pass() -> None:
    assert book().breach("NIFTY") is None
    assert book().risk_left == Decimal(150_000)


def test_the_number_of_positions_counts_entries_in_flight_and_open_positions() -> None:
    risk = book()
    enter(risk, 1, "NIFTY")
    risk.on_event(position(2, underlying="RELIANCE"))
    assert risk.breach("SBIN") is None
    enter(risk, 3, "BANKNIFTY")
    assert risk.breach("SBIN") == Breach("positions", 3.0, 3.0)


def test_an_underlying_has_one_position_by_default() -> None:
    risk = book()
    enter(risk, 1, "NIFTY")
    assert risk.breach("NIFTY") == Breach("positions_per_underlying", 1.0, 1.0)
    assert risk.breach("BANKNIFTY") is None


def test_trades_of_the_day_are_counted_even_without_a_fill() -> None:
    risk = book(trades_a_day=2)
    for number in (1, 2):
        enter(risk, number)
        enter(risk, number, quantity=0)
    assert risk.breach("NIFTY") == Breach("trades_a_day", 2.0, 2.0)


def test_the_loss_of_the_day_refuses_at_five_percent_of_the_capital() -> None:
    risk = book()
    close(risk, 1, "-49999.99")
    assert risk.breach("NIFTY") is None
    close(risk, 2, "-0.01")
    assert risk.breach("NIFTY") == Breach("daily_loss", 50_000.0, 50_000.0)


def test_a_profit_makes_room_for_losses() -> None:
    risk = book(losses_in_a_row=10)
    close(risk, 1, "20000")
    close(risk, 2, "-60000")
    assert risk.breach("NIFTY") is None


def test_three_losses_in_a_row_refuse_and_a_profit_restarts_the_count() -> None:
    risk = book()
    for number, net in enumerate(["-1", "-1", "5", "-1", "-1"], start=1):
        close(risk, number, net)
        assert risk.breach("NIFTY") is None
    close(risk, 6, "-1")
    assert risk.breach("NIFTY") == Breach("losses_in_a_row", 3.0, 3.0)


def test_losses_in_a_row_go_by_the_time_of_closing_not_of_reading() -> None:
    in_order, shuffled = book(losses_in_a_row=2), book(losses_in_a_row=2)
    nets = {1: "-1", 2: "7", 3: "-1"}
    for number in (1, 2, 3):
        close(in_order, number, nets[number])
    for number in (2, 1, 3):
        close(shuffled, number, nets[number])
    assert in_order.breach("NIFTY") is None
    assert shuffled.breach("NIFTY") is None


def test_capital_at_risk_refuses_when_nothing_of_it_is_left() -> None:
    risk = book(**ROOMY)
    enter(risk, 1, quantity=5000, distance="30")
    assert risk.risk_left == 0
    assert risk.breach("NIFTY") == Breach("capital_at_risk", 150_000.0, 150_000.0)


def test_entries_in_flight_are_at_risk_from_limit_to_stop() -> None:
    risk = book()
    enter(risk, 1, quantity=150, distance="31")
    assert risk.at_risk == 31 * 150


def test_a_position_partly_filled_is_at_risk_by_its_fills_and_by_what_may_still_come() -> None:
    risk = book()
    enter(risk, 1, quantity=150, distance="31")
    risk.on_event(position(1, quantity=50))
    assert risk.at_risk == 30 * 50 + 31 * 100
    enter(risk, 1, quantity=50, distance="31")  # the rest was cancelled
    assert risk.at_risk == 30 * 50


def test_a_partial_exit_lowers_what_is_at_risk() -> None:
    risk = book()
    enter(risk, 1, quantity=150)
    risk.on_event(position(1, quantity=150))
    later = position(1, PositionUpdated, fill_ids=("a", "b"), bought_quantity=150, quantity=75)
    risk.on_event(later)
    assert risk.at_risk == 30 * 75


def test_a_stop_above_the_entry_puts_nothing_at_risk() -> None:
    risk = book()
    risk.on_event(position(1, stop_loss=Decimal(120)))
    assert risk.at_risk == 0


def test_a_position_that_closed_is_no_longer_at_risk() -> None:
    risk = book()
    enter(risk, 1)
    risk.on_event(position(1))
    close(risk, 1, "10")
    assert risk.at_risk == 0
    assert risk.breach("NIFTY") is None


def test_a_late_fill_of_an_entry_that_was_given_up_counts() -> None:
    risk = book()
    enter(risk, 1)
    enter(risk, 1, quantity=0)
    assert risk.at_risk == 0
    risk.on_event(position(1))
    assert risk.breach("NIFTY") == Breach("positions_per_underlying", 1.0, 1.0)
    close(risk, 1, "-50000")
    assert risk.breach("NIFTY") == Breach("daily_loss", 50_000.0, 50_000.0)


def test_a_position_that_a_late_fill_opens_again_counts_again() -> None:
    risk = book()
    close(risk, 1, "-10", at_ms=NOW + 1000)
    risk.on_event(position(1, at_ms=NOW + 2000))
    assert risk.at_risk == 30 * LOT


def test_a_halt_refuses_until_trading_is_resumed() -> None:
    risk = book()
    risk.on_event(control(TradingHalted, "drill"))
    assert risk.breach("NIFTY") == Breach("kill_switch", 1.0, 0.0)
    risk.on_event(control(TradingResumed))
    assert risk.breach("NIFTY") is None


def test_a_halt_without_a_reason_is_a_halt() -> None:
    risk = book()
    risk.on_event(control(TradingHalted))
    assert risk.breach("NIFTY") is not None


@pytest.mark.parametrize("nets", [["-60000"], ["-1", "-1", "-1"]])
def test_a_new_day_begins_without_the_losses_of_the_last(nets: list[str]) -> None:
    risk = book()
    for number, net in enumerate(nets, start=1):
        close(risk, number, net)
    assert risk.breach("NIFTY") is not None
    risk.start_day(NEXT_DAY)
    assert risk.breach("NIFTY") is None


def test_a_new_day_keeps_open_positions_and_a_halt() -> None:
    risk = book()
    risk.on_event(position(1))
    risk.start_day(NEXT_DAY)
    assert risk.at_risk == 30 * LOT
    risk.on_event(control(TradingHalted))
    risk.start_day(date(2026, 6, 12))
    assert risk.breach("SBIN") is not None


def test_results_of_earlier_days_read_after_a_restart_do_not_count_today() -> None:
    risk = book()
    enter(risk, 9, "SBIN", day=NEXT_DAY)
    close(risk, 1, "-60000")
    close(risk, 2, "-1")
    close(risk, 3, "-1")
    assert risk.breach("NIFTY") is None


def test_a_past_entry_read_after_its_position_closed_opens_nothing() -> None:
    risk = book()
    close(risk, 1, "5")
    risk.start_day(NEXT_DAY)
    enter(risk, 1, day=DAY)
    assert risk.at_risk == 0


def test_an_older_state_of_a_position_does_not_replace_a_later_one() -> None:
    risk = book()
    opened = position(1, quantity=25)
    fuller = position(1, PositionUpdated, quantity=75, fill_ids=("a", "b"))
    for event in (opened, fuller, opened):
        risk.on_event(event)
    assert risk.at_risk == 30 * 75


def test_a_repeat_of_an_opened_position_after_its_closing_opens_nothing() -> None:
    risk = book()
    risk.on_event(position(1))
    close(risk, 1, "5")
    risk.on_event(position(1))
    assert risk.at_risk == 0


steps = st.lists(
    st.tuples(
        st.sampled_from(["plan", "cancel", "open", "update", "close", "halt", "resume"]),
        st.integers(1, 4),
        st.integers(-30_000, 30_000),
    ),
    max_size=25,
)


def take(risk: RiskBook, step: tuple[str, int, int], minute: int) -> None:
    kind, number, net = step
    at_ms = at(10, 0) + minute * 60_000
    if kind in {"plan", "cancel"}:
        enter(risk, number, quantity=0 if kind == "cancel" else 150)
    elif kind == "halt":
        risk.on_event(control(TradingHalted))
    elif kind == "resume":
        risk.on_event(control(TradingResumed))
    else:
        kinds = {"open": PositionOpened, "update": PositionUpdated, "close": PositionClosed}
        fills = tuple(str(fill) for fill in range(minute + 1))
        event = position(number, kinds[kind], net=str(net), at_ms=at_ms, fill_ids=fills)
        risk.on_event(event)


def figures(risk: RiskBook) -> tuple[Any, ...]:
    return risk.at_risk, risk.breach("NIFTY"), risk.breach("OTHER")


@given(steps)
def test_repeating_an_event_changes_nothing(events: list[tuple[str, int, int]]) -> None:
    once, twice = book(), book()
    for minute, step in enumerate(events):
        take(once, step, minute)
        take(twice, step, minute)
        take(twice, step, minute)
        assert figures(once) == figures(twice)


@given(steps)
def test_what_is_at_risk_is_never_negative_and_what_is_left_is_the_rest(
    events: list[tuple[str, int, int]],
) -> None:
    risk = book()
    for minute, step in enumerate(events):
        take(risk, step, minute)
        assert risk.at_risk >= 0
        assert risk.at_risk + risk.risk_left == 150_000


def marked(number: int, unrealised: str, **changes: Any) -> PositionUpdated:
    event = position(number, PositionUpdated, unrealised=Decimal(unrealised), **changes)
    assert isinstance(event, PositionUpdated)
    return event


def test_the_loss_of_the_day_counts_open_positions_at_their_marks() -> None:
    risk = book(**ROOMY)
    close(risk, 1, "-30000")
    assert risk.on_mark(marked(2, "-19999")) is None
    assert risk.breach("SBIN") is None
    reached = risk.on_mark(marked(2, "-20000", at_ms=NOW + 2000))
    assert reached == Breach("daily_loss", 50_000.0, 50_000.0)
    assert risk.breach("SBIN") == reached
    assert risk.result_of(DAY).loss == 50_000
    assert risk.result_of(DAY).open_net == -20_000


def test_the_limit_of_the_day_is_told_once_and_stays_reached_when_prices_come_back() -> None:
    risk = book(**ROOMY)
    assert risk.on_mark(marked(1, "-60000")) is not None
    assert risk.on_time(DAY) is None
    assert risk.on_mark(marked(1, "90000", at_ms=NOW + 2000)) is None
    assert risk.day_loss == 0
    assert risk.breach("SBIN") == Breach("daily_loss", 50_000.0, 50_000.0)
    assert risk.on_time(NEXT_DAY) is None
    assert risk.breach("SBIN") is None


@pytest.mark.parametrize("closes", [True, False])
def test_a_lost_day_closes_everything_only_if_so_set(closes: bool) -> None:
    risk = book(close_at_daily_loss=closes)
    assert not risk.closes_everything
    risk.on_mark(marked(1, "-60000"))
    assert risk.closes_everything == closes


def test_a_lost_day_stays_lost_after_a_restart() -> None:
    risk = book(**ROOMY)
    fields = {"limit": "daily_loss", "value": 50_000.0, "maximum": 50_000.0}
    base = control(TradingHalted).model_dump(exclude={"type"})
    risk.on_event(RiskLimitReached(**base | fields))
    assert risk.breach("SBIN") == Breach("daily_loss", 50_000.0, 50_000.0)
    assert risk.on_time(DAY) is None
    risk.start_day(NEXT_DAY)
    assert risk.breach("SBIN") is None


def test_what_a_position_lost_on_an_earlier_day_is_no_loss_of_today() -> None:
    risk = book(**ROOMY)
    risk.on_mark(marked(1, "-40000"))
    morning = at(9, 20, day=NEXT_DAY)
    assert risk.on_mark(marked(1, "-45000", at_ms=morning)) is None
    assert risk.day_loss == 5000
    close(risk, 1, "-47000", at_ms=morning + 60_000)
    assert risk.day_loss == 7000
