"""Orders and trades as Kite's replies show them."""

from decimal import Decimal
from typing import Any

from libs.broker.port import OrderRequest


def order(
    order_id: Any = "1", status: Any = "OPEN", filled: Any = 0, **more: Any
) -> dict[str, Any]:
    """Return a row of the order book, with anything in its fields; an update has the same ones."""
    return {
        "order_id": order_id,
        "status": status,
        "status_message": None,
        "order_timestamp": "2021-05-31 09:18:57",
        "exchange_update_timestamp": None,
        "exchange_timestamp": None,
        "quantity": 75,
        "filled_quantity": filled,
        "average_price": 109.4 if filled else 0,
        "tag": "tag1",
        **more,
    }


def trade(
    trade_id: str = "11", quantity: int = 75, price: float = 109.4, order_id: str = "1"
) -> dict[str, Any]:
    """Return a row of the trades book."""
    return {
        "trade_id": trade_id,
        "order_id": order_id,
        "quantity": quantity,
        "average_price": price,
        "fill_timestamp": "2021-05-31 09:18:58",
        "order_timestamp": "09:18:57",
    }


def request(**changes: Any) -> OrderRequest:
    """Return a request to buy a lot at a limit."""
    fields: dict[str, Any] = {
        "tag": "tag1",
        "exchange": "NFO",
        "tradingsymbol": "NIFTY25O1425100CE",
        "instrument_token": 12345602,
        "transaction_type": "BUY",
        "quantity": 75,
        "order_type": "LIMIT",
        "price": Decimal("109.40"),
        "product": "NRML",
        "placed_ms": 1_622_432_937_000,
    }
    return OrderRequest(**(fields | changes))
