"""Converts Kite's orders and trades to the port's types. Money is exact, times are epoch ms."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from libs.broker.errors import ReplyUnreadable
from libs.broker.port.account import NetPosition, Trade
from libs.broker.port.orders import Fill, OrderRequest, OrderStatus, Side, is_own_tag
from libs.events.event import ms_from_utc
from libs.market.calendar import IST

Row = Mapping[str, Any]

_AUTOMATIC_PROTECTION = -1  # 0 is refused for MARKET orders by API
_ORDER_TIMES = ("exchange_update_timestamp", "exchange_timestamp", "order_timestamp")
_OF_EXCHANGE = re.compile(r"\d{4,6}\s*:")  # the exchange's error codes
_OF_VALIDITY = re.compile(r"lapse|expire|unmatched|validity|end of day|\beod\b", re.IGNORECASE)
_OF_BROKER = re.compile(r"\brms\b|admin|square|auto|broker|risk", re.IGNORECASE)
_FINAL: tuple[OrderStatus, ...] = ("COMPLETE", "CANCELLED", "REJECTED")


def order_fields(request: OrderRequest) -> dict[str, Any]:
    """Return Kite's fields to place a day order."""
    fields: dict[str, Any] = {
        "variety": "regular",
        "exchange": request.exchange,
        "tradingsymbol": request.tradingsymbol,
        "transaction_type": request.transaction_type,
        "quantity": request.quantity,
        "product": request.product,
        "order_type": request.order_type,
        "validity": "DAY",
        "tag": request.tag,
    }
    if request.order_type == "MARKET":
        fields["market_protection"] = _AUTOMATIC_PROTECTION
    else:
        fields["price"] = f"{request.price:f}"
    if request.order_type == "SL":
        fields["trigger_price"] = f"{request.trigger_price:f}"
    return fields


def changed_fields(
    broker_order_id: str, quantity: int, price: Decimal, trigger_price: Decimal
) -> dict[str, Any]:
    """Return Kite's fields to modify a limit order, or a stop-limit order by its trigger price."""
    trigger = {"trigger_price": f"{trigger_price:f}"} if trigger_price else {}
    return {
        "variety": "regular",
        "order_id": broker_order_id,
        "quantity": quantity,
        "price": f"{price:f}",
        "order_type": "SL" if trigger_price else "LIMIT",
        "validity": "DAY",
        **trigger,
    }


def money(value: object) -> Decimal:
    """Return a price of Kite's JSON exactly as written."""
    return Decimal(str(value))


def epoch_ms(shown: object) -> int | None:
    """Return a local time of India, as text or naive datetime, in epoch ms."""
    if isinstance(shown, str):
        try:
            shown = datetime.fromisoformat(shown)
        except ValueError:
            return None
    if not isinstance(shown, datetime):
        return None
    return ms_from_utc(shown if shown.tzinfo else shown.replace(tzinfo=IST))


def status_of(order: Row) -> OrderStatus:
    """Return the port's status for Kite's; all that is not final is OPEN. Raises ValueError."""
    shown = order["status"]
    if not isinstance(shown, str) or not shown:
        raise ValueError(f"status is {shown!r}")
    shown = shown.upper()
    return next((status for status in _FINAL if shown.startswith(status)), "OPEN")


def updated_ms(order: Row, otherwise_ms: int) -> int:
    """Return the latest time that an order shows (epoch ms)."""
    shown = [epoch_ms(order.get(name)) for name in _ORDER_TIMES]
    return max((at_ms for at_ms in shown if at_ms is not None), default=otherwise_ms)


def reason_of(order: Row) -> str:
    """Return the status message of the broker or the exchange."""
    return str(order.get("status_message") or order.get("status_message_raw") or "")


def unasked(reason: str, *, has_ended: bool = False) -> str:
    """Return the reason of a cancellation that was not asked for here: who made it.

    `has_ended`: it came after the last session of the day.
    """
    said = f": {reason}" if reason else ""
    if _OF_EXCHANGE.match(reason):
        return f"cancelled by the exchange{said}"
    if _OF_VALIDITY.search(reason) or (has_ended and not reason):
        return f"lapsed{said}"
    if _OF_BROKER.search(reason):
        return f"cancelled by the broker{said}"
    return f"cancelled by somebody else{said}"


def filled_of(order: Row) -> int:
    """Return the units filled; where the row does not say, all if it is complete, else 0."""
    shown = order.get("filled_quantity")
    if shown is None:
        return int(order.get("quantity") or 0) if status_of(order) == "COMPLETE" else 0
    return int(shown)


def tag_of(order: Row) -> str:
    """Return the tag that an order was placed with, also where Kite added tags of its own."""
    tags = order.get("tags")
    shown = [order.get("tag"), *(tags if isinstance(tags, list) else ())]
    texts = [tag for tag in shown if isinstance(tag, str) and tag]
    return next((tag for tag in texts if is_own_tag(tag)), texts[0] if texts else "")


def side_of(row: Row) -> Side:
    """Return BUY or SELL; raise ValueError for anything else."""
    side = row["transaction_type"]
    if side == "BUY":
        return "BUY"
    if side == "SELL":
        return "SELL"
    raise ValueError(f"transaction_type is {side!r}")


def text_of(row: object, name: str) -> str:
    """Return a field as text; empty where the row does not have it."""
    value = row.get(name) if isinstance(row, Mapping) else None
    return str(value) if isinstance(value, str | int) else ""


def _shown(trade: Row) -> tuple[object, ...]:
    return trade.get("fill_timestamp"), trade.get("exchange_timestamp")


def fill_of(trade: Row) -> Fill:
    """Return a trade as a fill. Raises ReplyUnreadable."""
    try:
        fill = Fill(
            fill_id=str(trade["trade_id"] or ""),
            quantity=int(trade["quantity"]),
            price=money(trade["average_price"]),
            at_ms=next((at_ms for at_ms in map(epoch_ms, _shown(trade)) if at_ms), 0),
        )
        if not fill.fill_id or not fill.quantity > 0 or not fill.price > 0:
            raise ValueError("id, quantity or price is missing")
        return fill
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ReplyUnreadable(f"a trade of Kite cannot be read: {error!r}") from error


def trade_of(row: Row) -> Trade:
    """Return a row of the trade book. Raises ReplyUnreadable."""
    fill = fill_of(row)
    try:
        return Trade(
            broker_order_id=str(row["order_id"]),
            tradingsymbol=str(row["tradingsymbol"]),
            transaction_type=side_of(row),
            fill=fill,
            exchange=str(row.get("exchange") or ""),
            product=str(row.get("product") or ""),
        )
    except (KeyError, ValueError) as error:
        raise ReplyUnreadable(f"a trade of Kite cannot be read: {error!r}") from error


def position_of(row: Row) -> NetPosition:
    """Return a row of the net positions. Raises ReplyUnreadable."""
    try:
        return NetPosition(
            exchange=str(row["exchange"]),
            tradingsymbol=str(row["tradingsymbol"]),
            product=str(row["product"]),
            quantity=int(row["quantity"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ReplyUnreadable(f"a position of Kite cannot be read: {error!r}") from error
