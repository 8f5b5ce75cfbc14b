"""Orders and their fills as Kite's replies and updates show them."""

import hashlib
from decimal import Decimal
from typing import Any

from services.simulator.domain.account.order import Fill, Order
from services.simulator.domain.account.order_request import Terms
from services.simulator.domain.account.rules import AccountRules
from services.simulator.domain.india_time import clock, second

_TERMINAL = "111111111111100"
_DECIMALS = 4


def number(amount: Decimal) -> float:
    """Money or a price as a JSON number, to the hundredth of a paisa."""
    return float(round(amount, _DECIMALS))


def order_row(order: Order, user_id: str) -> dict[str, Any]:
    """Return an order as a row of the order book."""
    return {
        "account_id": user_id,
        "placed_by": order.placed_by,
        "terminal_id": _TERMINAL,
        "order_id": order.order_id,
        "exchange_order_id": order.exchange_order_id,
        "parent_order_id": None,
        **_progress(order),
        "variety": order.variety,
        "exchange": order.exchange,
        "tradingsymbol": order.tradingsymbol,
        "instrument_token": order.instrument_token,
        "transaction_type": order.transaction_type,
        "product": order.product,
        **_terms(order.terms),
        "auction_number": "",
        "meta": {},
        "tag": order.tag,
        "tags": list(order.tags),
        "guid": f"{order.order_id}X{user_id}",
    }


def _progress(order: Order) -> dict[str, Any]:
    return {
        "status": order.status,
        "status_message": order.status_message,
        "status_message_raw": order.status_message_raw,
        "order_timestamp": clock(order.requested_ms),
        "exchange_update_timestamp": _stamp_or_none(order.exchange_update_ms),
        "exchange_timestamp": _stamp_or_none(order.exchange_ms),
        "modified": order.is_modified,
        "average_price": number(order.average_price),
        "filled_quantity": order.filled_quantity,
        "pending_quantity": order.pending_quantity,
        "cancelled_quantity": order.cancelled_quantity,
    }


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "order_type": terms.order_type,
        "validity": terms.validity,
        "validity_ttl": terms.validity_ttl,
        "quantity": terms.quantity,
        "disclosed_quantity": terms.disclosed_quantity,
        "price": number(terms.price),
        "trigger_price": number(terms.trigger_price),
        "market_protection": number(terms.market_protection),
    }


def order_update(row: dict[str, Any], user_id: str, rules: AccountRules) -> dict[str, Any]:
    """Return a row as a postback: what happened to the order, with Kite's checksum.

    A fill of a part and a modification come as `UPDATE`, although the row of the order book says
    `OPEN`; the checksum is the SHA-256 of order_id, order_timestamp and the app's secret.
    """
    signed = f"{row['order_id']}{row['order_timestamp']}{rules.api_secret}"
    return {
        "user_id": user_id,
        "unfilled_quantity": row["pending_quantity"],
        "app_id": rules.app_id,
        "checksum": hashlib.sha256(signed.encode()).hexdigest(),
        **row,
    }


def trade_row(fill: Fill) -> dict[str, Any]:
    """Return a fill as a row of the trade book."""
    return {
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "exchange": fill.exchange,
        "tradingsymbol": fill.tradingsymbol,
        "instrument_token": fill.instrument_token,
        "product": fill.product,
        "average_price": number(fill.price),
        "quantity": fill.quantity,
        "exchange_order_id": fill.exchange_order_id,
        "transaction_type": fill.transaction_type,
        "fill_timestamp": clock(fill.at_ms),
        "order_timestamp": second(fill.at_ms),
        "exchange_timestamp": clock(fill.at_ms),
    }


def _stamp_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else clock(at_ms)
