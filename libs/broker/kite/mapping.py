"""Converts Kite's orders and trades to the port's types. Money is exact, times are epoch ms."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from libs.broker.errors import ReplyUnreadable
from libs.broker.port.account import NetPosition, Trade
from libs.broker.port.orders import Fill, OrderRequest, OrderStatus, OrderUpdate
from libs.events.event import ms_from_utc
from libs.market.calendar import IST

Row = Mapping[str, Any]

_AUTOMATIC_PROTECTION = -1  # 0 is refused for MARKET orders by API
_ORDER_TIMES = ("exchange_update_timestamp", "exchange_timestamp", "order_timestamp")
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
    """Return the port's status for Kite's; all that is not final is OPEN."""
    shown = str(order["status"]).upper()
    return next((status for status in _FINAL if shown.startswith(status)), "OPEN")


def updated_ms(order: Row, otherwise_ms: int) -> int:
    """Return the latest time that an order shows (epoch ms)."""
    shown = [epoch_ms(order.get(name)) for name in _ORDER_TIMES]
    return max((at_ms for at_ms in shown if at_ms is not None), default=otherwise_ms)


def reason_of(order: Row) -> str:
    """Return the status message of the broker or the exchange."""
    return str(order.get("status_message") or order.get("status_message_raw") or "")


def _shown(trade: Row) -> tuple[object, ...]:
    return trade.get("fill_timestamp"), trade.get("exchange_timestamp")


def open_order_of(row: Row) -> OrderUpdate:
    """Return an order with the quantity that may still fill, without its fills.

    Raises ReplyUnreadable.
    """
    try:
        return OrderUpdate(
            broker_order_id=str(row["order_id"]),
            tag=str(row.get("tag") or ""),
            status=status_of(row),
            at_ms=updated_ms(row, 0),
            exchange=str(row["exchange"]),
            tradingsymbol=str(row["tradingsymbol"]),
            transaction_type=row["transaction_type"],
            product=str(row["product"]),
            quantity=int(row["quantity"]) - int(row.get("filled_quantity") or 0),
            awaits_trigger=str(row["status"]).upper() == "TRIGGER PENDING",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ReplyUnreadable(f"an order of Kite cannot be read: {error!r}") from error


def fill_of(trade: Row) -> Fill:
    """Return a trade as a fill. Raises ReplyUnreadable."""
    try:
        return Fill(
            fill_id=str(trade["trade_id"]),
            quantity=int(trade["quantity"]),
            price=money(trade["average_price"]),
            at_ms=next((at_ms for at_ms in map(epoch_ms, _shown(trade)) if at_ms), 0),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ReplyUnreadable(f"a trade of Kite cannot be read: {error!r}") from error


def trade_of(row: Row) -> Trade:
    """Return a row of the trade book. Raises ReplyUnreadable."""
    fill = fill_of(row)
    try:
        side = row["transaction_type"]
        return Trade(
            broker_order_id=str(row["order_id"]),
            tradingsymbol=str(row["tradingsymbol"]),
            transaction_type=side,
            fill=fill,
            exchange=str(row.get("exchange") or ""),
            product=str(row.get("product") or ""),
        )
    except KeyError as error:
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
