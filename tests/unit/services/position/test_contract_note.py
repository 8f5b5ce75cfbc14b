"""A contract note adds up: fills to orders, orders and rounding to the day."""

from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.orders import OrderFilled
from libs.events.positions import PositionClosed
from libs.market.charges import option_charges
from libs.market.rulebook import load_rulebook
from services.position.domain.accounts import accounts_of, realised_by_day
from services.position.domain.booked import BookedFill, corrected
from services.position.domain.charge_lines import Lines
from services.position.domain.contract_note import ContractNote, notes_of
from tests.unit.services.position.builders import DAY, NOW, at, contract, fill, hear, make_positions

RULES = load_rulebook()


def note(*fills: BookedFill) -> ContractNote:
    (only,) = notes_of(fills, RULES)
    return only


def booked(*args: Any, **changes: Any) -> BookedFill:
    return BookedFill.of(fill(*args, **changes))


def test_a_day_of_2026_to_the_paisa() -> None:
    # Bought 75 at 120 = 9,000: brokerage 20.00, exchange 0.03553 % 3.20 (of it 0.00 for the fund),
    # SEBI 0.01, stamp 0.27, GST 4.18. Sold 75 at 150 = 11,250: brokerage 20.00, STT 16.88,
    # exchange 4.00, SEBI 0.01, GST 4.32.
    day = note(booked(), booked("SELL", price="150.00", at_ms=NOW + 1000))
    assert dict(day.by_orders.named()) == {
        "brokerage": Decimal("40.00"),
        "stt": Decimal("16.88"),
        "exchange": Decimal("7.20"),
        "ipft": Decimal("0.00"),
        "sebi": Decimal("0.02"),
        "stamp": Decimal("0.27"),
        "gst": Decimal("8.50"),
    }
    assert dict(day.rounding.named()) == dict(
        Lines(stt=Decimal("0.12"), stamp=Decimal("-0.27")).named()
    )
    assert day.total == Decimal("72.72")
    assert not day.steps_are_exact, "no circular tells the rounding"


def test_the_share_of_the_investor_protection_fund_is_a_line_of_its_own() -> None:
    # 0.0005 % of 9,000 = 0.045; the exchange's 0.03553 % of 9,000 = 3.20 holds it.
    lines = note(booked(at_ms=at(10, 30, day=date(2025, 6, 11)))).by_orders
    assert (lines.ipft, lines.exchange) == (Decimal("0.05"), Decimal("3.15"))


def test_an_order_that_fills_in_parts_is_rounded_once() -> None:
    parts = [booked(quantity=25, price="33.35", number=n, at_ms=NOW + n) for n in range(3)]
    rates = RULES.charges(DAY).value
    whole = option_charges(rates, "BUY", 75 * Decimal("33.35"))
    alone = [option_charges(rates, "BUY", 25 * Decimal("33.35"), orders=0) for _ in range(3)]
    (order,) = note(*parts).orders
    assert order.lines.total == whole.total
    assert sum(one.total for one in alone) + Decimal("23.60") != whole.total, "the example shows it"


def test_a_days_modes_have_a_note_each() -> None:
    made = notes_of([booked(), booked(of=2, mode="live")], RULES)
    assert [one.mode for one in made] == ["live", "paper"]


def test_charges_of_another_exchange_are_not_exact() -> None:
    assert note(booked()).rates_are_exact
    assert not note(booked(contract=contract(exchange="BFO"))).rates_are_exact


def test_a_fill_that_was_corrected_counts_as_it_was_first_told_and_is_named() -> None:
    first = booked()
    again = booked(price="119.00", at_ms=NOW + 5000)
    assert corrected([again, first]) == (first.key,)
    assert note(again, first).orders[0].value == 9000
    assert corrected([first, first]) == ()


prices = st.integers(1, 20_000).map(lambda steps: str(steps * Decimal("0.05")))
trades = st.lists(
    st.tuples(st.lists(st.tuples(st.integers(1, 900), prices), min_size=1, max_size=3), prices),
    min_size=1,
    max_size=4,
)


def story(day: list[tuple[list[tuple[int, str]], str]]) -> list[BookedFill]:
    """Each trade is bought by one order in parts, and sold by another in two."""
    return [BookedFill.of(one) for one in told_story(day)]


def told_story(day: list[tuple[list[tuple[int, str]], str]]) -> list[OrderFilled]:
    made: list[OrderFilled] = []
    for of, (purchases, taken) in enumerate(day, 1):
        held = sum(units for units, _ in purchases)
        sales = [(units, taken) for units in (held // 2, held - held // 2) if units]
        for side, parts, from_ms in (("BUY", purchases, NOW), ("SELL", sales, NOW + 60_000)):
            done = 0
            for number, (units, price) in enumerate(parts):
                done += units
                one = fill(side, units, price, number, from_ms + number, of=of)
                made.append(one.model_copy(update={"quantity": held, "filled_quantity": done}))
    return made


@given(trades, st.randoms(use_true_random=False))
def test_the_parts_of_a_day_add_up_in_any_order_of_its_fills(
    day: list[tuple[list[tuple[int, str]], str]], chance: Random
) -> None:
    fills = story(day)
    told = [*fills, *chance.sample(fills, len(fills) // 2)]
    chance.shuffle(told)
    made = note(*told)
    assert made == note(*fills), "neither order nor repeats change anything"
    assert sum((one.lines for one in made.orders), Lines()) == made.by_orders
    assert made.lines == made.by_orders + made.rounding
    assert made.total == sum((amount for _, amount in made.lines.named()), Decimal(0))
    assert made.lines.stt % 1 == 0
    assert made.lines.stamp % 1 == 0
    assert all(abs(amount) <= Decimal("0.50") for _, amount in made.rounding.named())


@given(trades)
def test_positions_and_their_fills_alone_come_to_the_same_and_to_the_days_charges(
    day: list[tuple[list[tuple[int, str]], str]],
) -> None:
    events = told_story(day)
    held = make_positions()
    closings = [one for one in hear(held, *events) if isinstance(one, PositionClosed)]
    fills = [BookedFill.of(one) for one in events]
    accounts = accounts_of(fills, RULES)
    for closed in closings:
        ledger = accounts[closed.position_id, 1].ledger
        assert ledger.realised == closed.realised
        assert ledger.charges == closed.charges
    assert len(closings) == len(day)
    charges = sum((one.ledger.charges for one in accounts.values()), Decimal(0))
    assert charges == note(*fills).by_orders.total
    realised = sum((one.ledger.realised for one in accounts.values()), Decimal(0))
    assert realised_by_day(accounts.values()) == {DAY: realised}


@pytest.mark.parametrize("is_reversed", [False, True])
def test_what_was_realised_belongs_to_the_day_of_the_sale(is_reversed: bool) -> None:
    tomorrow = at(9, 30, day=date(2026, 6, 11))
    fills = [
        booked(quantity=150),
        booked("SELL", 75, "150", at_ms=NOW + 1000),
        booked("SELL", 75, "90", order=2, at_ms=tomorrow),
    ]
    accounts = accounts_of(fills[::-1] if is_reversed else fills, RULES)
    found = realised_by_day(accounts.values())
    # 75 x (150 - 120) and 75 x (90 - 120)
    assert found == {DAY: Decimal("2250.00"), date(2026, 6, 11): Decimal("-2250.00")}


def test_a_late_fill_after_the_closing_opens_an_account_of_its_own() -> None:
    fills = [
        booked(),
        booked("SELL", price="150", at_ms=NOW + 1000),
        booked(number=2, at_ms=NOW + 2000),
    ]
    accounts = accounts_of(fills, RULES)
    assert [number for _, number in accounts] == [1, 2]
    first, second = accounts.values()
    assert (first.ledger.quantity, second.ledger.quantity) == (0, 75)
    assert first.ledger.charges + second.ledger.charges == note(*fills).by_orders.total
