"""The executor's events as rows of `decisions`, `orders` and `options_data`."""

import json
from decimal import Decimal
from math import nan
from typing import Any

from libs.events.event import Event
from libs.events.instruments import ChainSnapshot
from libs.events.orders import OrderEvent, OrderFilled, OrderPlanned
from libs.events.signals import ExecutionDecided

_COMMON = ("event_id", "occurred_at", "trading_day", "correlation_id", "signal_id")


def decisions(event: Event) -> dict[str, Any]:
    """Return the columns of one decision; the table of candidates is JSON text."""
    if not isinstance(event, ExecutionDecided):
        return {}
    same = ("underlying", "outcome", "reason", "tradingsymbol", "lots", "quantity", "premium")
    return {
        **{name: [getattr(event, name)] for name in (*_COMMON, *same)},
        "numbers": [json.dumps(event.numbers, sort_keys=True)],
        "candidates": [json.dumps(event.candidates)],
    }


def orders(event: Event) -> dict[str, Any]:
    """Return the columns of one order event; prices are of the plan or of the fill."""
    if not isinstance(event, OrderEvent):
        return {}
    same = ("order_id", "tag", "position_id", "type", "leg", "mode", "transaction_type", "reason")
    return {
        **{name: [getattr(event, name)] for name in (*_COMMON, *same)},
        "exchange": [event.contract.exchange],
        "tradingsymbol": [event.contract.tradingsymbol],
        **{name: [value] for name, value in _amounts(event).items()},
        "broker_order_id": [getattr(event, "broker_order_id", "")],
    }


def _amounts(event: OrderEvent) -> dict[str, Any]:
    if isinstance(event, OrderFilled):
        quantity, price, fill_id = event.fill_quantity, event.fill_price, event.fill_id
    else:
        price = event.price if isinstance(event, OrderPlanned) else Decimal(0)
        quantity, fill_id = event.quantity, ""
    return {
        "quantity": quantity,
        "price": price,
        "filled_quantity": getattr(event, "filled_quantity", 0),
        "average_price": getattr(event, "average_price", Decimal(0)),
        "fill_id": fill_id,
    }


_CHAIN_COLUMNS = (
    "instrument_token",
    "tradingsymbol",
    "strike",
    "instrument_type",
    "last_price",
    "bid_price",
    "ask_price",
    "bid_quantity",
    "ask_quantity",
    "volume",
    "oi",
)
_SOLVED = ("implied_volatility", "delta", "gamma", "theta", "vega", "rho")


def options_data(event: Event) -> dict[str, Any]:
    """Return the columns of one chain, a row per contract; what was not solved is nan."""
    if not isinstance(event, ChainSnapshot):
        return {}
    count = len(event.instrument_token)
    once = ("event_id", "occurred_at", "trading_day", "underlying", "expiry", "spot", "forward")
    return {
        **{name: [getattr(event, name)] * count for name in once},
        **{name: list(getattr(event, name)) for name in _CHAIN_COLUMNS},
        **{
            name: [nan if value is None else value for value in getattr(event, name)]
            for name in _SOLVED
        },
    }
