"""The executor's events as rows of `decisions`, `orders` and `options_data`."""

import json
from collections.abc import Sequence
from decimal import Decimal
from math import nan
from typing import Any

from libs.events.event import Event
from libs.events.instruments import ChainSnapshot
from libs.events.orders import OrderCancelled, OrderEvent, OrderFilled, OrderPlanned
from libs.events.signals import ExecutionDecided
from services.executor.domain.order import broker_order_id_of


def decisions(event: Event) -> dict[str, Any]:
    """Return the columns of one decision; the table of candidates and the inputs are JSON text."""
    if not isinstance(event, ExecutionDecided):
        return {}
    return {
        **_common(event),
        "underlying": [event.underlying],
        "outcome": [event.outcome],
        "reason": [event.reason],
        "tradingsymbol": [event.tradingsymbol],
        "lots": [event.lots],
        "quantity": [event.quantity],
        "premium": [event.premium],
        "numbers": [json.dumps(event.numbers, sort_keys=True)],
        "candidates": [json.dumps(event.candidates)],
        "inputs": [event.inputs.model_dump_json() if event.inputs else ""],
    }


def orders(event: Event) -> dict[str, Any]:
    """Return the columns of one order event; prices are of the plan or of the fill."""
    if not isinstance(event, OrderEvent):
        return {}
    return {
        **_common(event),
        "order_id": [event.order_id],
        "tag": [event.tag],
        "position_id": [event.position_id],
        "type": [event.type],
        "leg": [event.leg],
        "mode": [event.mode],
        "transaction_type": [event.transaction_type],
        "reason": [event.reason],
        "exchange": [event.contract.exchange],
        "tradingsymbol": [event.contract.tradingsymbol],
        **_amounts(event),
        "broker_order_id": [broker_order_id_of(event)],
    }


def _common(event: ExecutionDecided | OrderEvent) -> dict[str, Any]:
    return {
        "event_id": [event.event_id],
        "occurred_at": [event.occurred_at],
        "trading_day": [event.trading_day],
        "correlation_id": [event.correlation_id],
        "signal_id": [event.signal_id],
    }


def _amounts(event: OrderEvent) -> dict[str, Any]:
    if isinstance(event, OrderFilled):
        return {
            "quantity": [event.fill_quantity],
            "price": [event.fill_price],
            "filled_quantity": [event.filled_quantity],
            "average_price": [event.average_price],
            "fill_id": [event.fill_id],
        }
    return {
        "quantity": [event.quantity],
        "price": [event.price if isinstance(event, OrderPlanned) else Decimal(0)],
        "filled_quantity": [event.filled_quantity if isinstance(event, OrderCancelled) else 0],
        "average_price": [Decimal(0)],
        "fill_id": [""],
    }


def options_data(event: Event) -> dict[str, Any]:
    """Return the columns of one chain, a row per contract; what was not solved is nan."""
    if not isinstance(event, ChainSnapshot):
        return {}
    count = len(event.instrument_token)
    return {
        "event_id": [event.event_id] * count,
        "occurred_at": [event.occurred_at] * count,
        "trading_day": [event.trading_day] * count,
        "underlying": [event.underlying] * count,
        "expiry": [event.expiry] * count,
        "spot": [event.spot] * count,
        "forward": [event.forward] * count,
        **_quoted(event),
        "implied_volatility": _numbers(event.implied_volatility),
        "delta": _numbers(event.delta),
        "gamma": _numbers(event.gamma),
        "theta": _numbers(event.theta),
        "vega": _numbers(event.vega),
        "rho": _numbers(event.rho),
    }


def _quoted(event: ChainSnapshot) -> dict[str, Any]:
    return {
        "instrument_token": list(event.instrument_token),
        "tradingsymbol": list(event.tradingsymbol),
        "strike": list(event.strike),
        "instrument_type": list(event.instrument_type),
        "last_price": list(event.last_price),
        "bid_price": list(event.bid_price),
        "ask_price": list(event.ask_price),
        "bid_quantity": list(event.bid_quantity),
        "ask_quantity": list(event.ask_quantity),
        "volume": list(event.volume),
        "oi": list(event.oi),
    }


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [nan if value is None else value for value in values]
