"""Events to bytes and back: Avro for TickBatch, JSON for all others.

Avro records are in single-object encoding (two marker bytes, the schema's 64-bit Rabin
fingerprint, the body), so bytes written with any schema in `schemas/` can be read.
"""

import io
import json
from collections import OrderedDict
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import fastavro
import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from libs.events.bus import Message, Record
from libs.events.errors import PoisonMessage
from libs.events.event import Event, ms_from_utc, utc_from_ms
from libs.events.packed_columns import columns_in_place
from libs.events.ticks import COLUMN_TYPES, REQUIRED, TickBatch, TickColumns
from libs.events.topics import TOPIC_OF, topic_named

SCHEMAS = files("libs.events") / "schemas"
_MARKER = b"\xc3\x01"
_BODY_AT = 10
_TICK_SCHEMAS = tuple(f"TickBatch.{version}.avsc" for version in range(1, 5))
"""Oldest first; the last one is written."""


def record_of(event: Event, topic: str | None = None, partitions: int | None = None) -> Record:
    """Return the record of an event for its topic, or for the topic given.

    `partitions` is the topic's number of partitions where it differs from the table.
    """
    table = topic_named(topic or TOPIC_OF[event.type])
    return Record(
        topic=table.name,
        key=table.key_of(event),
        value=encode(event),
        timestamp_ms=event.occurred_ms,
        partition=table.partition_for(event, partitions or table.partitions),
        headers=(("type", event.type.encode()),),
    )


class Decoder:
    """Decodes each message once, even if several groups get it.

    The embedded bus delivers the same message object to each group; events are immutable.
    """

    def __init__(self, remembered: int = 64) -> None:
        self._remembered = remembered
        self._recent: OrderedDict[int, tuple[Message, Event]] = OrderedDict()

    def event_of(self, message: Message) -> Event:
        """Return the event of a message; raise PoisonMessage when it can never be read."""
        known = self._recent.get(id(message))
        if known is not None:
            return known[1]
        event = decode(message.topic, message.value)
        self._recent[id(message)] = (message, event)
        if len(self._recent) > self._remembered:
            self._recent.popitem(last=False)
        return event


def event_of(message: Message) -> Event:
    """Return the event of a message; raise PoisonMessage when it can never be read."""
    return decode(message.topic, message.value)


def encode(event: Event) -> bytes:
    """Return an event's bytes."""
    if isinstance(event, TickBatch):
        return _encode_ticks(event)
    return event.model_dump_json().encode()


def decode(topic: str, value: bytes) -> Event:
    """Return the event that `value` holds on `topic`; raise PoisonMessage naming the reason."""
    try:
        if topic == "ticks":
            return _decode_ticks(value)
        event: Event = _json_adapter(topic).validate_json(value)
        return event
    except ValidationError as error:
        raise PoisonMessage(_first_reason(topic, error)) from error
    except (ValueError, TypeError, KeyError, EOFError, IndexError, OverflowError) as error:
        raise PoisonMessage(_one_line(f"{topic}: {type(error).__name__}: {error}")) from error


@cache
def _json_adapter(topic: str) -> TypeAdapter[Any]:
    union: Any = topic_named(topic).events[0]
    for event in topic_named(topic).events[1:]:
        union = union | event
    if len(topic_named(topic).events) == 1:
        return TypeAdapter(union)
    return TypeAdapter(Annotated[union, Field(discriminator="type")])


def _first_reason(topic: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return _one_line(f"{topic}: {field}: {first['msg']}")


def _one_line(reason: str) -> str:
    """Return a reason, which may quote refused data, on one line of at most 400 characters."""
    return " ".join(reason.split())[:400]


@cache
def _tick_schemas() -> dict[bytes, Any]:
    """Return fingerprint → parsed schema, of every published version."""
    parsed = {}
    for name in _TICK_SCHEMAS:
        schema = json.loads((SCHEMAS / name).read_text())
        canonical = fastavro.schema.to_parsing_canonical_form(schema)
        print_hex = fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
        parsed[bytes.fromhex(print_hex)] = fastavro.parse_schema(schema)
    return parsed


@cache
def _current_tick_schema() -> tuple[bytes, Any]:
    return list(_tick_schemas().items())[-1]


def _encode_ticks(batch: TickBatch) -> bytes:
    print_bytes, schema = _current_tick_schema()
    out = io.BytesIO()
    out.write(_MARKER + print_bytes)
    fastavro.schemaless_writer(out, schema, _tick_record(batch))
    return out.getvalue()


def _tick_record(batch: TickBatch) -> dict[str, Any]:
    return {
        "event_id": str(batch.event_id),
        "occurred_at": ms_from_utc(batch.occurred_at),
        "trading_day": batch.trading_day,
        "correlation_id": str(batch.correlation_id),
        "source": batch.source,
        "connection": batch.connection,
        "sequence": batch.sequence,
        "partition": batch.partition,
        "clock_ms": batch.clock_ms,
        "received_ms": batch.received_ms,
        "time_is_arrival": batch.time_is_arrival,
        "offset_ms": batch.offset_ms,
        "started_ms": batch.started_ms,
        "rows": len(batch.columns),
        **{
            name: b"" if column is None else column.astype(COLUMN_TYPES[name]).tobytes()
            for name, column in batch.columns.columns().items()
        },
    }


def _decode_ticks(value: bytes) -> TickBatch:
    print_bytes, schema = _current_tick_schema()
    if value[:2] != _MARKER or value[2:10] not in _tick_schemas():
        raise ValueError("not a TickBatch of a known schema")
    is_current = value[2:10] == print_bytes
    read = _read_in_place(value) if is_current else None
    if read is None:
        writer = _tick_schemas()[value[2:10]]
        reader = None if is_current else schema
        record: Any = fastavro.schemaless_reader(_body(value), writer, reader)
        rows = record.pop("rows")
        columns = TickColumns(*(_unpacked(name, record.pop(name), rows) for name in COLUMN_TYPES))
    else:
        record, columns = read
    occurred_at = utc_from_ms(record.pop("occurred_at"))
    return TickBatch(occurred_at=occurred_at, columns=columns, **record)


def _body(value: bytes) -> io.BytesIO:
    stream = io.BytesIO(value)
    stream.seek(_BODY_AT)
    return stream


def _read_in_place(value: bytes) -> tuple[Any, TickColumns] | None:
    """Read a record of the current schema without copying: columns are views of the bytes.

    Returns None if columns differ in length; the ordinary reader then finds the reason.
    """
    stream = _body(value)
    record: Any = fastavro.schemaless_reader(stream, _tick_head(), None)
    rows = record.pop("rows")
    columns = columns_in_place(value, stream.tell(), rows) if rows > 0 else None
    return None if columns is None else (record, columns)


@cache
def _tick_head() -> Any:
    """Return the current schema without its columns, which are its last fields."""
    schema = json.loads((SCHEMAS / _TICK_SCHEMAS[-1]).read_text())
    head = [field for field in schema["fields"] if field["name"] not in COLUMN_TYPES]
    return fastavro.parse_schema({**schema, "fields": head})


def _unpacked(name: str, packed: bytes, rows: int) -> Any:
    if not packed and (rows or name not in REQUIRED):
        if name in REQUIRED:
            raise ValueError(f"column {name} is empty in a batch of {rows} rows")
        return None
    column = np.frombuffer(packed, COLUMN_TYPES[name])
    if len(column) != rows:
        raise ValueError(f"column {name} has {len(column)} rows, the batch {rows}")
    return column
