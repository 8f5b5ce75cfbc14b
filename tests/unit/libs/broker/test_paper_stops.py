"""Stop-limit orders of the paper venue."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from libs.broker.errors import OrderRefused
from libs.broker.paper import PaperBroker, PaperRules
from libs.broker.port import OrderRequest, OrderUpdate
from tests.unit.libs.broker.builders import quotes, request


def stop(**changes: Any) -> OrderRequest:
    """A sale of 150 units from 90 rupees on, down to 80."""
    fields: dict[str, Any] = {
        "transaction_type": "SELL",
        "order_type": "SL",
        "trigger_price": Decimal(90),
        "price": Decimal(80),
    }
    return request("S" * 20, **(fields | changes))


def broker_with(order: OrderRequest) -> PaperBroker:
    broker = PaperBroker(PaperRules(latency_ms=500))
    asyncio.run(broker.place(order))
    return broker


def only(broker: PaperBroker) -> OrderUpdate:
    (update,) = asyncio.run(broker.orders())
    return update


def test_a_stop_waits_for_its_trigger_whatever_the_bid_is() -> None:
    broker = broker_with(stop())
    broker.on_quotes(quotes(500, bid=85.0, ask=95.0, last_price=90.05))
    assert (only(broker).awaits_trigger, only(broker).fills) == (True, ())
    assert broker.take_updates() == []


def test_at_its_trigger_it_becomes_a_limit_order_and_fills_at_the_bid() -> None:
    broker = broker_with(stop())
    broker.on_quotes(quotes(500, bid=88.0, last_price=90.0))
    triggered, filled = broker.take_updates()
    assert (triggered.status, triggered.awaits_trigger) == ("OPEN", False)
    assert [(fill.quantity, fill.price) for fill in filled.fills] == [(150, Decimal(88))]


def test_a_price_through_its_limit_leaves_it_resting_and_it_fills_when_the_bid_returns() -> None:
    broker = broker_with(stop())
    broker.on_quotes(quotes(500, bid=70.0, ask=72.0, last_price=71.0))
    assert (only(broker).status, only(broker).awaits_trigger) == ("OPEN", False)
    broker.on_quotes(quotes(600, bid=81.0, ask=95.0, last_price=94.0))
    assert only(broker).status == "COMPLETE"


def test_a_purchase_is_triggered_from_below() -> None:
    order = stop(transaction_type="BUY", trigger_price=Decimal(105), price=Decimal(110))
    broker = broker_with(order)
    broker.on_quotes(quotes(500, last_price=104.95))
    assert only(broker).awaits_trigger
    broker.on_quotes(quotes(600, ask=106.0, last_price=105.0))
    assert only(broker).status == "COMPLETE"


def test_trigger_limit_and_quantity_of_a_waiting_stop_can_be_changed() -> None:
    broker = broker_with(stop())
    broker_order_id = only(broker).broker_order_id
    asyncio.run(broker.modify(broker_order_id, 75, Decimal(88), Decimal(98)))
    broker.on_quotes(quotes(500, bid=97.0, last_price=97.5))
    assert (only(broker).status, only(broker).filled_quantity) == ("COMPLETE", 75)


def test_a_trigger_that_was_reached_stays_reached() -> None:
    broker = broker_with(stop())
    broker.on_quotes(quotes(500, bid=70.0, last_price=71.0))
    asyncio.run(broker.modify(only(broker).broker_order_id, 150, Decimal(69), Decimal(50)))
    assert not only(broker).awaits_trigger
    broker.on_quotes(quotes(600, bid=70.0, last_price=71.0))
    assert only(broker).status == "COMPLETE"


def test_a_stop_is_cancelled_like_any_order() -> None:
    broker = broker_with(stop())
    asyncio.run(broker.cancel(only(broker).broker_order_id))
    assert (only(broker).status, only(broker).awaits_trigger) == ("CANCELLED", False)
    with pytest.raises(OrderRefused):
        asyncio.run(broker.modify(only(broker).broker_order_id, 75, Decimal(88), Decimal(98)))
