"""Hypothesis: any event of a class, made from the annotations of its fields."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import AwareDatetime, BaseModel

from libs.events.event import Event, utc_from_ms
from libs.events.ticks import COLUMN_TYPES, REQUIRED, YEAR_10000_MS, TickBatch, TickColumns

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MILLISECONDS = st.integers(min_value=0, max_value=4_102_444_800_000)  # to the year 2100
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(min_value=-(2**70), max_value=2**70),
    bool: st.booleans(),
    float: FINITE,
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    UUID: st.uuids(),
    date: st.dates(date(1970, 1, 1), date(2100, 1, 1)),
    AwareDatetime: st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=_ZONES),  # noqa: DTZ001
}

_SIMPLE[Any] = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5)
TOKEN = ("instrument_token", int)
TOKENS = st.integers(0, 2**63 - 1)


@cache
def events(event: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of the class; the columns of a batch may differ in length."""
    return models(event) if event is not TickBatch else tick_batches()


def models(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    fields = {
        name: TOKENS if (name, field.annotation) == TOKEN else _values(field.annotation)
        for name, field in model.model_fields.items()
        if name != "type"
    }
    return st.fixed_dictionaries(fields).map(model.model_validate)


def _values(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return models(kind)
    parts = [part for part in get_args(kind) if part is not Ellipsis]
    match get_origin(kind):
        case origin if origin is Literal:
            return st.sampled_from(parts)
        case origin if origin is tuple:
            return st.lists(_values(parts[0]), max_size=3).map(tuple)
        case origin if origin is dict:
            return st.dictionaries(_values(parts[0]), _values(parts[1]), max_size=3)
        case origin if origin in (Union, UnionType):
            return st.one_of([st.none() if part is NoneType else _values(part) for part in parts])
    raise TypeError(f"no strategy for a field of type {kind}")


@st.composite
def tick_columns(draw: st.DrawFn) -> TickColumns:
    """Columns of one length, from 0 rows; optional ones may be missing; any number, also nan."""
    rows = draw(st.integers(min_value=0, max_value=5))
    optional = [name for name in COLUMN_TYPES if name not in REQUIRED]
    carried = {*REQUIRED, *draw(st.sets(st.sampled_from(optional)))}
    return TickColumns(
        **{
            name: draw(arrays.arrays(np.dtype(kind), rows))
            for name, kind in COLUMN_TYPES.items()
            if name in carried
        }
    )


@st.composite
def tick_batches(draw: st.DrawFn) -> TickBatch:
    """A batch as a feed may give it; its time is exact to the millisecond."""
    small, large = st.integers(0, 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
    return TickBatch(
        event_id=draw(st.uuids()),
        occurred_at=utc_from_ms(draw(MILLISECONDS)),
        trading_day=draw(_SIMPLE[date]),
        correlation_id=draw(st.uuids()),
        source=draw(st.text(max_size=20)),
        connection=draw(small),
        sequence=draw(large),
        partition=draw(small),
        clock_ms=draw(st.integers(0, YEAR_10000_MS - 1)),
        received_ms=draw(large),
        time_is_arrival=draw(st.booleans()),
        columns=draw(tick_columns()),
    )
