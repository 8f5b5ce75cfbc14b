"""Fills, ticks and positions for the position service's tests."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from libs.events.codec import decode, encode
from libs.events.event import Event, identity, ms_from_utc, utc_from_ms
from libs.events.instruments import Contract
from libs.events.orders import OrderFilled
from libs.events.positions import ExitRequested, PositionClosed
from libs.events.ticks import COLUMN_TYPES, TickBatch, TickColumns
from libs.events.topics import TOPIC_OF
from libs.market.calendar import IST, load_calendar
from libs.market.rulebook import load_rulebook
from services.position.domain.exit_rules.settings import ExitSettings, exit_rules
from services.position.domain.open_positions import OpenPositions

DAY = date(2026, 6, 10)
EXPIRY = date(2026, 6, 16)
TOKEN = 11_000_322


def at(hour: int, minute: int, second: int = 0, day: date = DAY) -> int:
    """Epoch ms of a time in India."""
    when = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=IST)
    return ms_from_utc(when)


NOW = at(10, 30)


def position_id(number: int = 1) -> UUID:
    return identity("test position", number)


def fill(
    side: str = "BUY",
    quantity: int = 75,
    price: str = "120.00",
    number: int = 1,
    at_ms: int = NOW,
    order: int = 1,
    of: int = 1,
    **changes: Any,
) -> OrderFilled:
    """Fill `number` of order `order` of position `of`; its stop is at 84, its target at 192."""
    order_id = identity("test order", of, side, order)
    fill_id = f"{of}-{side}-{order}-{number}"
    fields: dict[str, Any] = {
        "event_id": identity("OrderFilled", fill_id),
        "occurred_at": utc_from_ms(at_ms),
        "trading_day": utc_from_ms(at_ms).astimezone(IST).date(),
        "correlation_id": identity("test candle", of),
        "order_id": order_id,
        "tag": f"TAG{of}{side}{order}",
        "signal_id": identity("test signal", of),
        "position_id": position_id(of),
        "strategy": "ma_crossover",
        "leg": "entry" if side == "BUY" else "exit",
        "mode": "paper",
        "contract": contract(),
        "transaction_type": side,
        "quantity": 150,
        "action": "BUY",
        "tradingsymbol": "NIFTY 50",
        "stop_loss": Decimal(84),
        "target": Decimal(192),
        "broker_order_id": "broker",
        "fill_id": fill_id,
        "fill_quantity": quantity,
        "fill_price": Decimal(price),
        "filled_quantity": quantity,
        "average_price": Decimal(price),
    }
    return OrderFilled(**(fields | changes))


def contract(**changes: Any) -> Contract:
    fields: dict[str, Any] = {
        "exchange": "NFO",
        "tradingsymbol": "NIFTY2661625000CE",
        "instrument_token": TOKEN,
        "underlying": "NIFTY",
        "expiry": EXPIRY,
        "strike": 25_000.0,
        "instrument_type": "CE",
        "lot_size": 75,
        "tick_size": Decimal("0.05"),
    }
    return Contract(**(fields | changes))


def ticks(last_price: float | None, at_ms: int, token: int = TOKEN) -> TickBatch:
    """A frame with one tick, or with none but the clock's."""
    rows = 0 if last_price is None else 1
    event_id = identity("TickBatch", at_ms, last_price, token)
    columns = TickColumns(
        instrument_token=np.full(rows, token, "<u4"),
        exchange_timestamp=np.full(rows, at_ms, "<i8"),
        last_price=np.full(rows, last_price or 0.0, "<f8"),
    )
    return TickBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(at_ms),
        trading_day=utc_from_ms(at_ms).astimezone(IST).date(),
        correlation_id=event_id,
        source="test",
        connection=0,
        sequence=0,
        partition=0,
        clock_ms=at_ms,
        received_ms=at_ms,
        columns=columns,
    )


def updates(*rows: dict[str, float], day: date | None = None) -> TickBatch:
    """A frame of updates of TOKEN in their order; a column that none of them has is left out.

    `at_ms` is the exchange's stamp, `price` the last price; other keys are columns by name.
    """
    names = {"at_ms": "exchange_timestamp", "price": "last_price"}
    told = [{names.get(name, name): value for name, value in row.items()} for row in rows]
    carried = {name for row in told for name in row} | {"instrument_token"}
    columns = {
        name: np.array(
            [row.get(name, TOKEN if name == "instrument_token" else 0) for row in told], kind
        )
        for name, kind in COLUMN_TYPES.items()
        if name in carried
    }
    frame = ticks(None, int(max(row["at_ms"] for row in rows)))
    changes = {"columns": TickColumns(**columns), "event_id": identity("updates", str(rows))}
    return frame.model_copy(update=changes | ({"trading_day": day} if day else {}))


def exit_requested(of: int = 1, reason: str = "manual", lots: int | None = None) -> ExitRequested:
    fields: dict[str, Any] = {
        "event_id": identity("test exit", of, reason, lots),
        "occurred_at": utc_from_ms(NOW + 60_000),
        "trading_day": DAY,
        "correlation_id": identity("test candle", of),
        "position_id": position_id(of),
        "signal_id": identity("test signal", of),
        "reason": reason,
        "lots": lots,
    }
    return ExitRequested(**fields)


def make_positions(
    settings: ExitSettings | None = None, mark_every_ms: int = 60_000
) -> OpenPositions:
    rules = exit_rules(settings or ExitSettings(), load_calendar())
    return OpenPositions(load_rulebook(), rules, mark_every_ms)


def hear(held: OpenPositions, *events: Event) -> list[Event]:
    """Let the held react to each event at the event's own time."""
    return [made for event in events for made in held.on_event(event, event.occurred_ms)]


def closed(net: str, number: int = 1, **changes: Any) -> PositionClosed:
    """A closed position with this result after charges."""
    held = make_positions()
    events = hear(held, fill(of=number), fill("SELL", of=number, at_ms=NOW + number * 1000))
    made = next(event for event in events if isinstance(event, PositionClosed))
    return made.model_copy(update={"net": Decimal(net)} | changes)


def restarted(published: Sequence[Event], held: OpenPositions | None = None) -> OpenPositions:
    """What a new process holds, restored topic by topic like the service's subscription."""
    held = held or make_positions()
    for topic in ("positions", "exit_requests"):
        for event in published:
            if TOPIC_OF[event.type] == topic:
                held.restore(decode(topic, encode(event)))
    return held
