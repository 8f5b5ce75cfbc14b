"""Our orders and positions beside the broker's."""

from collections.abc import Mapping
from typing import Any

import pytest

from libs.events.orders import OrderEvent
from services.local.play.reconciliation import order_differences, position_differences
from tests.unit.services.executor.builders import signal
from tests.unit.services.executor.test_executor import trading
from tests.unit.services.executor.venue import Trading


def traded() -> Trading:
    """A desk with one entry, filled in two parts."""
    desk = trading()
    desk.hear(signal())
    (entry,) = desk.plans("entry")
    desk.fill(entry.tag, entry.contract.lot_size, "100.00")
    desk.fill(entry.tag, entry.quantity - entry.contract.lot_size, "101.00")
    return desk


def orders_of(desk: Trading) -> list[OrderEvent]:
    return [event for event in desk.events if isinstance(event, OrderEvent)]


def row_of(desk: Trading, **changed: object) -> dict[str, Any]:
    """The order as Kite's book shows it."""
    (entry,) = desk.plans("entry")
    lot = entry.contract.lot_size
    average = (100 * lot + 101 * (entry.quantity - lot)) / entry.quantity
    shown = {"tag": entry.tag, "status": "COMPLETE", "filled_quantity": entry.quantity}
    return {**shown, "average_price": round(average, 4), **changed}


def position_of(desk: Trading, **changed: object) -> Mapping[str, Any]:
    (entry,) = desk.plans("entry")
    lot = entry.contract.lot_size
    value = 100 * lot + 101 * (entry.quantity - lot)
    shown = {"tradingsymbol": entry.contract.tradingsymbol, "buy_quantity": entry.quantity}
    return {**shown, "buy_value": value, "sell_quantity": 0, "sell_value": 0, **changed}


def test_the_same_orders_and_positions_differ_in_nothing() -> None:
    desk = traded()
    assert not list(order_differences(orders_of(desk), [row_of(desk)]))
    assert not list(position_differences(orders_of(desk), [position_of(desk)]))


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"status": "OPEN"}, "OPEN"),
        ({"filled_quantity": 1}, "COMPLETE 1 at"),
        ({"average_price": 99.0}, "99.0 at the broker"),
        ({"tag": "STRANGER"}, "STRANGER: at the broker, and not ours"),
    ],
)
def test_an_order_that_differs_is_named(changed: dict[str, object], word: str) -> None:
    desk = traded()
    said = list(order_differences(orders_of(desk), [row_of(desk, **changed)]))
    assert any(word in line for line in said)


def test_an_order_that_is_missing_at_the_broker_or_there_twice_is_named() -> None:
    desk = traded()
    (missing,) = order_differences(orders_of(desk), [])
    assert "not at the broker" in missing
    (twice,) = order_differences(orders_of(desk), [row_of(desk), row_of(desk)])
    assert "2 orders carry this tag" in twice


def test_an_order_refused_on_the_spot_is_not_missed() -> None:
    desk = trading()
    desk.refuse_next = 1
    desk.hear(signal())
    assert not list(order_differences(orders_of(desk), []))


@pytest.mark.parametrize("column", ["buy_quantity", "buy_value", "sell_quantity", "sell_value"])
def test_a_position_that_differs_is_named_with_both_figures(column: str) -> None:
    desk = traded()
    (said,) = position_differences(orders_of(desk), [position_of(desk, **{column: 7})])
    assert column in said
    assert "7 at the broker" in said


def test_a_position_of_somebody_else_is_a_difference() -> None:
    stranger = {"tradingsymbol": "X", "buy_quantity": 5, "buy_value": 500}
    assert len(list(position_differences([], [stranger]))) == 2
