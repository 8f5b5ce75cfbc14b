"""Our orders and positions beside the broker's."""

from collections.abc import Mapping
from typing import Any

import pytest

from libs.events.orders import OrderEvent
from services.local.play.reconciliation import order_differences, position_differences
from tests.unit.services.executor.builders import signal
from tests.unit.services.executor.test_executor import make_trading
from tests.unit.services.executor.venue import Trading


def traded() -> Trading:
    """A trading with one entry, filled in two parts."""
    trading = make_trading()
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, entry.contract.lot_size, "100.00")
    trading.fill(entry.tag, entry.quantity - entry.contract.lot_size, "101.00")
    return trading


def orders_of(trading: Trading) -> list[OrderEvent]:
    return [event for event in trading.events if isinstance(event, OrderEvent)]


def row_of(trading: Trading, **changed: object) -> dict[str, Any]:
    """The order as Kite's book shows it."""
    (entry,) = trading.plans("entry")
    lot = entry.contract.lot_size
    average = (100 * lot + 101 * (entry.quantity - lot)) / entry.quantity
    shown = {"tag": entry.tag, "status": "COMPLETE", "filled_quantity": entry.quantity}
    return {**shown, "average_price": round(average, 4), **changed}


def position_of(trading: Trading, **changed: object) -> Mapping[str, Any]:
    (entry,) = trading.plans("entry")
    lot = entry.contract.lot_size
    value = 100 * lot + 101 * (entry.quantity - lot)
    shown = {"tradingsymbol": entry.contract.tradingsymbol, "buy_quantity": entry.quantity}
    return {**shown, "buy_value": value, "sell_quantity": 0, "sell_value": 0, **changed}


def test_the_same_orders_and_positions_differ_in_nothing() -> None:
    trading = traded()
    assert not list(order_differences(orders_of(trading), [row_of(trading)]))
    assert not list(position_differences(orders_of(trading), [position_of(trading)]))


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
    trading = traded()
    said = list(order_differences(orders_of(trading), [row_of(trading, **changed)]))
    assert any(word in line for line in said)


def test_an_order_that_is_missing_at_the_broker_or_there_twice_is_named() -> None:
    trading = traded()
    (missing,) = order_differences(orders_of(trading), [])
    assert "not at the broker" in missing
    (twice,) = order_differences(orders_of(trading), [row_of(trading), row_of(trading)])
    assert "2 orders carry this tag" in twice


def test_an_order_that_the_broker_refused_is_not_missed() -> None:
    trading = make_trading()
    trading.refuse_next = 1
    trading.hear(signal())
    assert not list(order_differences(orders_of(trading), []))


@pytest.mark.parametrize("column", ["buy_quantity", "buy_value", "sell_quantity", "sell_value"])
def test_a_position_that_differs_is_named_with_both_figures(column: str) -> None:
    trading = traded()
    (said,) = position_differences(orders_of(trading), [position_of(trading, **{column: 7})])
    assert column in said
    assert "7 at the broker" in said


def test_a_position_of_somebody_else_is_a_difference() -> None:
    stranger = {"tradingsymbol": "X", "buy_quantity": 5, "buy_value": 500}
    assert len(list(position_differences([], [stranger]))) == 2
