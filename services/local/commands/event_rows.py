"""Messages as readable rows: one for each tick, candle or other event."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from libs.events.bus import Message
from libs.events.candles import CandleBatch
from libs.events.codec import event_of
from libs.events.errors import PoisonMessage
from libs.events.event import Event, ms_from_utc, utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch
from libs.market.calendar import IST

Row = Mapping[str, Any]
"""Field → value; `time` (in India), `type` and, if there is one, `symbol` come first."""
Symbols = Mapping[int, str]
"""Instrument token → exchange:tradingsymbol."""

_ENVELOPE = frozenset(
    {"type", "event_id", "occurred_at", "trading_day", "correlation_id", "causation_id"}
)
_CANDLE = ("open", "high", "low", "close", "volume", "vwap", "oi", "ticks", "revision", "source")
_LETTER = ("service", "origin", "reason")
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST_VALUE = 60


def symbols_of(events: Iterable[Event]) -> Symbols:
    """Return the symbols of listed instruments by token."""
    listed = (event for event in events if isinstance(event, InstrumentListed))
    return {one.instrument_token: f"{one.exchange}:{one.tradingsymbol}" for one in listed}


def rows_of(message: Message, symbols: Symbols) -> Iterator[Row]:
    """Yield the rows of a message; one that cannot be decoded is a row of type Poison."""
    if message.topic.endswith(".dlq"):
        yield _letter_row(message)
        return
    try:
        event = event_of(message)
    except PoisonMessage as poison:
        origin = f"{message.topic}/{message.partition}/{message.offset}"
        time = _time(message.timestamp_ms)
        yield {"time": time, "type": "Poison", "origin": origin, "reason": str(poison)}
        return
    yield from _event_rows(event, symbols)


def line_of(row: Row) -> str:
    """Return a row as one compact line: time, type, symbol, then field=value."""
    first = [str(row["time"]), f"{row['type']:16}"]
    if "symbol" in row:
        first.append(f"{row['symbol']:24}")
    rest = {name: value for name, value in row.items() if name not in {"time", "type", "symbol"}}
    return " ".join([*first, *(f"{name}={_short(value)}" for name, value in rest.items())])


def json_of(row: Row) -> str:
    """Return a row as one line of JSON; its time is India's, with the offset."""
    at = f"{str(row['time']).replace(' ', 'T')}+05:30"
    return json.dumps({**row, "time": at}, separators=(",", ":"), default=str)


def _event_rows(event: Event, symbols: Symbols) -> Iterator[Row]:
    if isinstance(event, TickBatch):
        yield from _tick_rows(event, symbols)
    elif isinstance(event, CandleBatch):
        yield from _candle_rows(event)
    else:
        fields = event.model_dump(mode="json")
        time = _time(ms_from_utc(event.occurred_at))
        own = {name: value for name, value in fields.items() if name not in _ENVELOPE}
        yield {"time": time, "type": event.type, **_symbol(own), **own}


def _tick_rows(batch: TickBatch, symbols: Symbols) -> Iterator[Row]:
    columns = {name: c.tolist() for name, c in batch.columns.columns().items() if c is not None}
    tokens, times = columns.pop("instrument_token"), columns.pop("exchange_timestamp")
    for at, token in enumerate(tokens):
        values = {name: column[at] for name, column in columns.items()}
        symbol = symbols.get(token, str(token))
        yield {"time": _time(times[at]), "type": "Tick", "symbol": symbol, **values}


def _candle_rows(batch: CandleBatch) -> Iterator[Row]:
    for candle in batch.candles():
        values = {name: getattr(candle, name) for name in _CANDLE}
        time = _time(candle.opened_ms)
        named = {"type": "Candle", "symbol": candle.key, "interval": candle.interval}
        yield {"time": time, **named, **values}


def _letter_row(message: Message) -> Row:
    headers = {name: value.decode(errors="replace") for name, value in message.headers}
    time = _time(message.timestamp_ms)
    if "retried" in headers:
        return {"time": time, "type": "Retried", "letter": headers["retried"]}
    named = {name: headers.get(name, "") for name in _LETTER}
    return {"time": time, "type": "DeadLetter", **named}


def _symbol(fields: Mapping[str, Any]) -> Row:
    """Return the symbol of an event's instrument, if it has one."""
    named = fields.get("tradingsymbol")
    if not named:
        return {}
    exchange = fields.get("exchange")
    return {"symbol": f"{exchange}:{named}" if exchange else str(named)}


def _time(epoch_ms: int) -> str:
    at = utc_from_ms(epoch_ms).astimezone(IST)
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{epoch_ms % 1000:03}"


def _short(value: object) -> str:
    """Return a value for a line: of a contract the symbol, of an id the first 8 characters."""
    if isinstance(value, dict) and "tradingsymbol" in value:
        return f"{value.get('exchange', '')}:{value['tradingsymbol']}"
    text = json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
    if _ID.fullmatch(text):
        return text[:8]
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
