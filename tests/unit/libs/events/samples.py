"""An event of every class: seeded, filled in every field, the same on every machine.

`python -m tests.unit.libs.events.samples` adds the golden file of a new event. It never touches
one that is there: golden files are what was once recorded.
"""

import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

import numpy as np
from pydantic import AwareDatetime, BaseModel

from libs.events.candles import CandleBatch
from libs.events.codec import encode
from libs.events.event import Event, identity, utc_from_ms
from libs.events.ticks import TickBatch, TickColumns
from libs.events.topics import TOPICS

GOLDEN = Path(__file__).parent / "golden"
DAY = date(2026, 6, 10)
OPEN_MS = 1_781_063_100_000  # 09:15 of DAY in India
IST = timezone(timedelta(hours=5, minutes=30))
ROWS = 3


def event_classes() -> list[type[Event]]:
    """Every class of the topic table, once."""
    return list({event: None for topic in TOPICS.values() for event in topic.events})


def sample(event: type[Event]) -> Event:
    """An event of a class; the class alone decides what is in it."""
    if event is TickBatch:
        return tick_batch()
    chance = random.Random(event.__name__)
    return event.model_validate(_fields(event, chance))


def tick_batch(**changes: Any) -> TickBatch:
    """Three ticks of one connection; only the optional columns of a quote are carried."""
    fields: dict[str, Any] = {
        "event_id": identity("sample", "TickBatch"),
        "occurred_at": utc_from_ms(OPEN_MS + 2_750),
        "trading_day": DAY,
        "correlation_id": identity("sample", "correlation"),
        "source": "recorded",
        "connection": 1,
        "sequence": 42,
        "partition": 5,
        "clock_ms": OPEN_MS + 2_750,
        "received_ms": OPEN_MS + 2_812,
        "started_ms": OPEN_MS - 5,
        "columns": tick_columns(),
    }
    return TickBatch(**fields | changes)


def tick_columns() -> TickColumns:
    return TickColumns(
        instrument_token=np.array([256_265, 738_561, 4_294_967_295], "<u4"),
        exchange_timestamp=np.array([OPEN_MS, OPEN_MS + 1_000, OPEN_MS + 2_750], "<i8"),
        last_price=np.array([25_012.35, 2_951.0, 0.05], "<f8"),
        volume_traded=np.array([0, 1_250_000, 2**62], "<i8"),
        bid_price=np.array([0.0, 2_950.95, 0.05], "<f8"),
        bid_quantity=np.array([0, 75, 900], "<i8"),
    )


def candle_batch(rows: int = ROWS) -> CandleBatch:
    """A batch of so many one-minute candles."""
    chance = random.Random("CandleBatch")
    return CandleBatch.model_validate(_fields(CandleBatch, chance, rows))


def _fields(model: type[BaseModel], chance: random.Random, rows: int = ROWS) -> dict[str, Any]:
    return {
        name: _value(field.annotation, chance, rows)
        for name, field in model.model_fields.items()
        if name != "type"
    }


def _value(kind: Any, chance: random.Random, rows: int) -> Any:
    if kind in _MAKERS:
        return _MAKERS[kind](chance)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _fields(kind, chance, rows)
    return _composed(kind, chance, rows)


def _composed(kind: Any, chance: random.Random, rows: int) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return chance.choice(parts)
    if origin is tuple:
        return tuple(_value(parts[0], chance, rows) for _ in range(rows))
    if origin is dict:
        return {f"{name} ₹": _value(parts[1], chance, rows) for name in ("one", "two")}
    if origin not in (Union, UnionType):
        raise TypeError(f"no sample for a field of type {kind}")
    if NoneType in parts and chance.random() < 0.3:
        return None
    return _value(chance.choice([part for part in parts if part is not NoneType]), chance, rows)


_MAKERS: dict[Any, Any] = {
    str: lambda chance: chance.choice(("NIFTY", "M&M", 'a "quoted" word', "naïve ₹ π")),
    int: lambda chance: chance.randrange(2**40),
    Any: lambda chance: chance.choice(("0.02", 3, None, ["NIFTY"], {"weekly": True})),
    bool: lambda chance: chance.random() < 0.5,
    float: lambda chance: chance.choice((0.05, 0.1 + 0.2, 25_012.35, -1.5e-9)),
    Decimal: lambda chance: Decimal(chance.randrange(10**9)).scaleb(-2),
    UUID: lambda chance: UUID(int=chance.getrandbits(128), version=5),
    date: lambda chance: DAY + timedelta(days=chance.randrange(400)),
    AwareDatetime: lambda chance: datetime(2026, 6, 10, 3, 45, 0, chance.randrange(10**6), UTC),
}


def golden_file(event: type[Event]) -> Path:
    """Where the recorded bytes of a class are."""
    ending = "avro" if event is TickBatch else "json"
    return GOLDEN / f"{event.__name__}.1.{ending}"


def write_missing() -> list[Path]:
    """Record the sample of each class that has no golden file yet."""
    missing = [event for event in event_classes() if not golden_file(event).exists()]
    for event in missing:
        golden_file(event).write_bytes(encode(sample(event)))
    return [golden_file(event) for event in missing]


if __name__ == "__main__":
    write_missing()
