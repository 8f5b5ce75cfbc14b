from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.reasons import UNTRADED
from libs.market.calendar import load_calendar
from libs.market.price_limits import option_price_limits
from libs.market.rulebook import load_rulebook
from services.executor.domain.pretrade.checks import check, refusals
from services.executor.domain.pretrade.order import Circumstances, OrderToCheck
from services.executor.domain.risk import Breach
from tests.unit.services.executor.builders import DAY, LOT, NOW, at, contract

AFTER = date(2026, 8, 20)
"""A day with the closing auction."""


@dataclass(frozen=True, slots=True)
class Old:
    hop: str = "tick"
    age_ms: int = 9000
    budget_ms: int = 5000


def order(**changes: Any) -> OrderToCheck:
    fields: dict[str, Any] = {
        "contract": contract(),
        "leg": "entry",
        "transaction_type": "BUY",
        "quantity": 2 * LOT,
        "order_type": "LIMIT",
        "price": Decimal("101.00"),
        "product": "NRML",
    }
    return OrderToCheck(**(fields | changes))


def known(now_ms: int = NOW, **changes: Any) -> Circumstances:
    fields: dict[str, Any] = {
        "now_ms": now_ms,
        "calendar": load_calendar(),
        "rulebook": load_rulebook(),
        "freeze_quantity": 1800,
        "reference_price": Decimal("100.00"),
        "required_margin": Decimal(20_000),
        "available": Decimal(20_000),
    }
    return Circumstances(**(fields | changes))


SHARE = contract(exchange="NSE", tradingsymbol="RELIANCE", lot_size=1, expiry=date(2026, 8, 25))
STOP = {"order_type": "SL", "transaction_type": "SELL", "leg": "exit"}


def test_on_a_day_without_a_calendar_an_exit_is_not_refused() -> None:
    unknown = known(now_ms=at(10, 30, day=date(2027, 1, 5)))
    assert [one.reason for one in refusals(order(), unknown)] == ["no_calendar"]
    assert refusals(order(leg="exit", transaction_type="SELL"), unknown) == ()


def test_an_ordinary_order_may_be_planned() -> None:
    assert refusals(order(), known()) == ()


@pytest.mark.parametrize(
    ("of_order", "of_moment", "reason"),
    [
        ({"quantity": LOT + 1}, {}, "odd_lot"),
        ({"quantity": 0}, {}, "odd_lot"),
        ({"price": Decimal("101.03")}, {}, "off_tick"),
        ({"price": Decimal(0)}, {}, "off_tick"),
        ({"quantity": 25 * LOT}, {}, "above_freeze"),
        ({"price": Decimal("140.05")}, {}, "outside_price_range"),
        ({}, {"required_margin": Decimal("20000.01")}, "margin_short"),
        ({}, {"breach": Breach("positions", 3, 3)}, "positions"),
        ({}, {"too_old": Old()}, "old_data"),
        ({}, {"clock_off_ms": 2001}, "clock_off"),
        ({}, {"clock_off_ms": -2001}, "clock_off"),
        ({}, {"silent_since_ms": at(10, 29)}, "feed_silent"),
        ({}, {"banned": {"NIFTY"}}, "ban_period"),
        ({}, {"now_ms": at(15, 30)}, "market_closed"),
        ({}, {"now_ms": at(9, 14, 59)}, "market_closed"),
        ({}, {"now_ms": at(10, 30, day=date(2026, 6, 14))}, "market_closed"),
        ({}, {"now_ms": at(10, 30, day=date(2027, 1, 5))}, "no_calendar"),
        ({"product": "MIS"}, {"now_ms": at(15, 25)}, "after_square_off"),
        ({"product": "MIS"}, {"now_ms": at(15, 10, day=AFTER)}, "after_square_off"),
        ({"product": "MIS"}, {"stays_over_night": True}, "product_over_night"),
        (
            {"contract": contract(underlying="RELIANCE", expiry=date(2026, 6, 16))},
            {},
            "settled_in_shares",
        ),
    ],
)
def test_each_check_alone_refuses_with_its_reason(
    of_order: Mapping[str, Any], of_moment: Mapping[str, Any], reason: str
) -> None:
    said = refusals(order(**of_order), known(**of_moment))
    assert [one.reason for one in said] == [reason]
    assert reason in UNTRADED
    assert check(order(**of_order), known(**of_moment)) == said[0]
    assert said[0].numbers


@pytest.mark.parametrize(
    ("of_order", "of_moment"),
    [
        ({"price": Decimal("140.00")}, {}),
        ({"quantity": 24 * LOT}, {}),
        ({}, {"now_ms": at(9, 15)}),
        ({}, {"now_ms": at(15, 29, 59)}),
        ({"product": "MIS"}, {"now_ms": at(15, 24, 59)}),
        ({"price": Decimal("500.00")}, {"reference_price": None}),
        ({"price": Decimal("500.00")}, {"now_ms": at(10, 0, day=date(2022, 10, 28))}),
        ({"price": Decimal("5.00")}, {}),
        ({"transaction_type": "SELL", "price": Decimal("60.00")}, {}),
        ({"order_type": "MARKET", "price": Decimal(0)}, {}),
        ({}, {"required_margin": None, "available": None}),
    ],
)
def test_just_inside_a_limit_or_without_what_a_check_needs_the_order_passes(
    of_order: Mapping[str, Any], of_moment: Mapping[str, Any]
) -> None:
    assert refusals(order(**of_order), known(**of_moment)) == ()


def test_an_exit_is_never_refused_for_want_of_money_room_or_fresh_data() -> None:
    poor = known(
        required_margin=Decimal(10**9),
        breach=Breach("kill_switch", 1, 0),
        too_old=Old(),
        clock_off_ms=60_000,
        silent_since_ms=at(10, 29),
        banned={"NIFTY"},
        stays_over_night=True,
    )
    leaving = order(leg="exit", transaction_type="SELL", product="MIS")
    assert refusals(leaving, poor) == ()
    assert [one.reason for one in refusals(order(product="MIS"), poor)] == [
        "kill_switch",
        "clock_off",
        "feed_silent",
        "old_data",
        "product_over_night",
        "ban_period",
        "margin_short",
    ]


@pytest.mark.parametrize(
    ("trigger", "limit", "passes"),
    [
        ("100.00", "80.00", True),
        ("100.00", "79.95", False),
        ("40.00", "30.00", True),
        ("40.00", "29.95", False),
        ("100.00", "100.05", False),
    ],
)
def test_a_stop_is_as_far_from_its_trigger_as_the_rules_allow(
    trigger: str, limit: str, passes: bool
) -> None:
    stop = order(**STOP, price=Decimal(limit), trigger_price=Decimal(trigger))
    assert [one.reason for one in refusals(stop, known())] == ([] if passes else ["stop_gap"])


@pytest.mark.parametrize(
    ("when", "kind", "is_refused"),
    [
        ((15, 14, 59), "LIMIT", False),
        ((15, 15, 0), "LIMIT", True),
        ((15, 19, 59), "LIMIT", True),
        ((15, 20, 0), "LIMIT", False),
        ((15, 20, 0), "MARKET", False),
        ((15, 20, 0), "SL", True),
        ((15, 25, 0), "MARKET", True),
        ((15, 25, 0), "LIMIT", False),
        ((15, 28, 0), "LIMIT", True),
    ],
)
def test_the_closing_auction_of_shares_takes_orders_at_its_hours(
    when: tuple[int, int, int], kind: Any, is_refused: bool
) -> None:
    price = Decimal(0) if kind == "MARKET" else Decimal("101.00")
    share = order(
        contract=SHARE,
        leg="exit",
        transaction_type="SELL",
        order_type=kind,
        price=price,
        trigger_price=Decimal("101.00"),
    )
    said = refusals(share, known(at(*when, day=AFTER)))
    assert [one.reason for one in said] == (["closing_auction"] if is_refused else [])
    on_an_option = order(order_type="LIMIT", contract=contract(expiry=date(2026, 8, 25)))
    assert refusals(on_an_option, known(at(*when, day=AFTER))) == ()


def test_options_trade_until_fifteen_forty_since_the_auction() -> None:
    later = contract(expiry=date(2026, 8, 25))
    assert refusals(order(contract=later), known(at(15, 39, 59, day=AFTER))) == ()
    (closed,) = refusals(order(contract=later), known(at(15, 40, day=AFTER)))
    assert (closed.reason, closed.numbers["time"]) == ("market_closed", "15:40:00")


def test_before_there_was_an_auction_shares_traded_to_the_end() -> None:
    share = order(contract=SHARE, leg="exit", transaction_type="SELL")
    assert refusals(share, known(at(15, 16))) == ()


@given(st.decimals(1, 5000, places=2))
def test_the_price_range_holds_its_reference_and_reaches_as_the_rule_says(
    reference: Decimal,
) -> None:
    low, high = option_price_limits(DAY).protection(is_index_option=True).around(reference)
    assert 0 <= low < reference < high
    reach = Decimal(20) if reference <= 50 else reference * Decimal("0.4")
    assert high - reference == reach
    before = option_price_limits(date(2022, 10, 30)).protection(is_index_option=True)
    assert before.around(reference)[0] == 0
