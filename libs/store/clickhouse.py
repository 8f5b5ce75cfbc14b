"""The ClickHouse adapter of the store port, over the native protocol.

The driver is synchronous and a client runs one statement at a time, so each client has its own
thread. Columns are inserted as numpy arrays, or as Python objects for types without a numpy column
(Decimal, UUID, Map, Array). Values are checked here first, because the driver wraps integers that
are too large, truncates Decimals and stores an invalid date as 1970.
"""

import asyncio
import logging
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import pandas as pd
from clickhouse_driver import Client
from clickhouse_driver import errors as driver

from libs.market.words import Words
from libs.store.errors import ColumnsRejected, StoreRejected, StoreUnavailable
from libs.store.store import Array, Columns, Params, StoreAddress

T = TypeVar("T")
CONNECT_SECONDS = 5
ANSWER_SECONDS = 60
LARGE_ROWS = 200_000
"""Inserts from this size on are made in two halves at a time, on two connections."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_DATE, _LAST_DATE = np.datetime64("1970-01-01"), np.datetime64("2149-06-06")
_MISSING = np.iinfo(np.int64).min  # NaT as an integer
_UNFIT = (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, struct.error)
_BROKEN = (OSError, EOFError, driver.NetworkError, driver.SocketTimeoutError)
# Transient server errors: time, memory, connections, parts, disk, read-only, shutting down.
_TRANSIENT = frozenset({159, 202, 203, 209, 210, 236, 241, 242, 243, 252, 319, 394, 439, 745, 999})


class ClickHouseStore:
    """A `Store` in one database of a ClickHouse server; connects at the first statement."""

    def __init__(self, address: StoreAddress) -> None:
        # The driver logs each failure with a traceback, and raises it too.
        logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
        self._python = Line(address, use_numpy=False)
        self._numpy = Line(address, use_numpy=True)
        self._beside = Line(address, use_numpy=True)
        self._types: dict[str, dict[str, _Type]] = {}

    async def execute(self, sql: str, params: Params | None = None) -> None:
        """Run a statement that returns nothing; see `Store.execute`."""
        await self._python.run(lambda client: client.execute(sql, _params(params)))

    async def insert(self, table: str, columns: Columns) -> int:
        """Insert columns; see `Store.insert`. Decimals are rounded half even to the scale.

        Of a large insert that fails one half may be stored.
        """
        count = _count(table, columns)
        if not count:
            return 0
        types = await self._types_of(table, columns)
        lines = (self._numpy, self._beside) if count >= LARGE_ROWS else (self._numpy,)
        edges = [count * number // len(lines) for number in range(len(lines) + 1)]
        parts = [
            self._insert(line, table, types, {n: c[first:last] for n, c in columns.items()})
            for line, first, last in zip(lines, edges, edges[1:], strict=False)
        ]
        for failure in await asyncio.gather(*parts, return_exceptions=True):
            if failure is not None:
                raise failure
        return count

    async def _insert(
        self, line: "Line", table: str, types: "Mapping[str, _Type]", columns: Columns
    ) -> None:
        names = ", ".join(f"`{name}`" for name in columns)
        sql = f"INSERT INTO `{table}` ({names}) VALUES"

        def insert(client: Any) -> None:
            arrays = [_checked(f"{table}.{name}", types[name], columns[name]) for name in columns]
            client.execute(sql, arrays, columnar=True)

        await line.run(insert)

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        """Return Python values; see `Store.query`."""
        return await self._python.select(sql, params, _values)

    async def query_numpy(self, sql: str, params: Params | None = None) -> dict[str, Array]:
        """Return arrays; see `Store.query_numpy`."""
        return await self._numpy.select(sql, params, _array)

    async def ping(self) -> None:
        """Return when the database answers; see `Store.ping`."""
        await self.execute("SELECT 1")

    async def close(self) -> None:
        """Close the connections after the running statements."""
        await self._python.close()
        await self._numpy.close()
        await self._beside.close()

    async def _types_of(self, table: str, columns: Columns) -> "dict[str, _Type]":
        types = self._types.get(table, {})
        if not columns.keys() <= types.keys():  # not read yet, or changed by a migration
            types = self._types[table] = await self._read_types(table)
        unknown = sorted(columns.keys() - types.keys())
        if not types:
            raise StoreRejected(f"{table}: no such table")
        if unknown:
            raise ColumnsRejected(f"{table}: unknown columns: {', '.join(unknown)}")
        return types

    async def _read_types(self, table: str) -> "dict[str, _Type]":
        sql = (
            "SELECT name, type FROM system.columns WHERE database = currentDatabase()"
            " AND table = %(table)s AND default_kind IN ('', 'DEFAULT')"
        )
        found = await self.query(sql, {"table": table})
        return {
            name: _type_of(spec) for name, spec in zip(found["name"], found["type"], strict=True)
        }


async def create_database(address: StoreAddress, cluster: str = "") -> None:
    """Create the database that `address` names, if it is missing.

    With a cluster's name it is created on each replica, and the replicas share their tables; the
    servers' macros `shard` and `replica` distinguish them.
    """
    for what, name in (("database", address.database), ("cluster", cluster or "none")):
        if not re.fullmatch(r"[\w-]+" if what == "cluster" else r"\w+", name):
            raise StoreRejected(f"{name!r} is not a valid {what} name")
    target = f"`{address.database}`"
    if cluster:
        path = f"/clickhouse/databases/{address.database}"
        target += (
            f" ON CLUSTER '{cluster}' ENGINE = Replicated('{path}', '{{shard}}', '{{replica}}')"
        )
    server = ClickHouseStore(replace(address, database="default"))
    try:
        await server.execute(f"CREATE DATABASE IF NOT EXISTS {target}")
    finally:
        await server.close()


class Line:
    """One client of the driver, on its own thread.

    A statement whose caller was cancelled is finished before the next one starts.
    """

    def __init__(self, address: StoreAddress, use_numpy: bool) -> None:
        self._place = f"ClickHouse at {address.host}:{address.port}"
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="clickhouse")
        self._is_closed = False
        self._client = Client(
            address.host,
            address.port,
            address.database,
            address.user,
            address.password,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=ANSWER_SECONDS,
            settings={
                "use_numpy": use_numpy,
                "session_timezone": "UTC",
                "optimize_on_insert": 0,  # equal rows are merged later, and readers use FINAL
            },
        )

    async def run(self, statement: Callable[[Any], T]) -> T:
        """Run on the thread; raise this package's errors."""
        if self._is_closed:
            raise StoreRejected(f"{self._place}: the store is closed")
        loop = asyncio.get_running_loop()
        with _own_errors(self._place):
            return await loop.run_in_executor(self._threads, statement, self._client)

    async def select(
        self, sql: str, params: Params | None, convert: "Callable[[_Type, Any], T]"
    ) -> dict[str, T]:
        """Return converted values by column; empty ones if there are no rows."""

        def select(client: Any) -> dict[str, T]:
            given = _params(params)
            data, header = client.execute(sql, given, with_column_types=True, columnar=True)
            types = {name: _type_of(spec) for name, spec in header}
            _refuse_local_times(types, client.connection.server_info.timezone)
            columns = data or [()] * len(header)
            return {name: convert(types[name], columns[at]) for at, name in enumerate(types)}

        return await self.run(select)

    async def close(self) -> None:
        """Disconnect; does nothing the second time."""
        if not self._is_closed:
            await self.run(lambda client: client.disconnect())
            self._is_closed = True
            self._threads.shutdown()


@contextmanager
def _own_errors(place: str) -> Iterator[None]:
    try:
        yield
    except driver.ServerException as error:
        kind = StoreUnavailable if error.code in _TRANSIENT else StoreRejected
        raise kind(f"{place}: {_first_words(error.message)} (code {error.code})") from None
    except _BROKEN as error:
        raise StoreUnavailable(f"{place} does not answer: {_first_words(error)}") from None
    except (driver.TypeMismatchError, driver.CannotParseUuidError, *_UNFIT) as error:
        raise ColumnsRejected(f"{place}: values do not fit: {_first_words(error)}") from None
    except driver.Error as error:  # a protocol error: the driver reconnects
        raise StoreUnavailable(f"{place} broke the connection: {_first_words(error)}") from None


def _first_words(said: object) -> str:
    text = str(said).split("Stack trace:")[0].replace("DB::Exception:", "")
    return " ".join(text.split())[:300] or type(said).__name__


def _refuse_local_times(types: "dict[str, _Type]", server_zone: str) -> None:
    """Refuse columns without a time zone, which are in the server's zone, unless that is UTC."""
    for name, type_ in types.items():
        if type_.is_time and not type_.zone and server_zone not in {"UTC", "Etc/UTC"}:
            raise StoreRejected(f"{name} is in the server's zone: ask for toTimeZone(…, 'UTC')")


class _SqlTime:
    """An aware time as SQL; the driver's own text would lose fractions of a second."""

    def __init__(self, at: datetime) -> None:
        self._microseconds = _ticks(at, "us")

    def __str__(self) -> str:
        return f"fromUnixTimestamp64Micro({self._microseconds}, 'UTC')"


def _params(params: Params | None) -> dict[str, Any] | None:
    return None if params is None else {key: _param(value) for key, value in params.items()}


def _param(value: object) -> object:
    if isinstance(value, list | tuple):
        return type(value)(_param(item) for item in value)
    return _SqlTime(value) if isinstance(value, datetime) else value


class _Type(NamedTuple):
    """A column's type, without LowCardinality and Nullable around it."""

    name: str
    arguments: tuple[str, ...] = ()
    is_nullable: bool = False
    is_low_cardinality: bool = False

    @property
    def is_time(self) -> bool:
        """Whether this is a DateTime or a DateTime64."""
        return self.name.startswith("DateTime")

    @property
    def zone(self) -> str:
        """The time zone of a column of times, empty without one."""
        return self.arguments[-1].strip("0123456789")

    @property
    def unit(self) -> str:
        """The numpy unit of a column of times."""
        return _UNITS.get(int(self.arguments[0]), "ns") if self.name == "DateTime64" else "s"

    @property
    def number(self) -> np.dtype[Any] | None:
        """The numpy type of a column of numbers."""
        is_number = re.fullmatch(r"U?Int(8|16|32|64)|Float(32|64)", self.name)
        return np.dtype(self.name.lower()) if is_number else None


def _type_of(spec: str) -> _Type:
    wrapped = re.fullmatch(r"(LowCardinality|Nullable)\((.*)\)", spec)
    if wrapped:
        inner = _type_of(wrapped[2])
        if wrapped[1] == "Nullable":
            return inner._replace(is_nullable=True)
        return inner._replace(is_low_cardinality=True)
    name, _, arguments = spec.partition("(")
    return _Type(name, tuple(part.strip(" ')") for part in arguments.split(",")))


def _count(table: str, columns: Columns) -> int:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ColumnsRejected(f"{table}: columns of unequal length: {said}")
    return max(lengths.values(), default=0)


def _checked(where: str, type_: _Type, values: "Array | Sequence[Any]") -> Array:
    try:
        return _column(type_, values)
    except _UNFIT as error:
        raise ColumnsRejected(f"{where}: {_first_words(error)}") from None


def _column(type_: _Type, values: "Array | Sequence[Any]") -> Array:
    """Return the array that the driver stores exactly; raise ValueError or TypeError."""
    if type_.is_time:
        return _times(type_, values)
    if type_.is_nullable:
        present = iter(
            _column(type_._replace(is_nullable=False), [v for v in values if v is not None])
        )
        return _objects([None if value is None else next(present) for value in values])
    if type_.number is not None:
        return _numbers(type_.number, np.asarray(values))
    if type_.name == "Date":
        return _dates(values)
    if type_.name == "Decimal":
        return _objects([_decimal(type_, value) for value in values])
    return _texts(type_, values) if type_.name == "String" else _objects(values)


def _times(type_: _Type, values: "Array | Sequence[Any]") -> Array:
    ticks = _all_ticks(type_.unit, values)
    if type_.is_nullable:  # the driver accepts missing times in nanoseconds only
        return ticks.view(f"M8[{type_.unit}]").astype("M8[ns]")
    if (ticks == _MISSING).any():
        raise ValueError("a time is missing")
    if type_.name == "DateTime" and not ((ticks >= 0) & (ticks < 2**32)).all():
        raise ValueError("a time outside 1970 to 2106")
    return ticks


def _all_ticks(unit: str, values: "Array | Sequence[Any]") -> Array:
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype(f"M8[{unit}]").view(np.int64)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return values.astype(np.int64, copy=False)
    return np.array([_MISSING if at is None else _ticks(at, unit) for at in values], np.int64)


def _ticks(at: object, unit: str) -> int:
    if isinstance(at, int | np.integer):
        return int(at)
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise TypeError(f"{at!r} where an aware time or an integer is expected")
    return (at - _EPOCH) // _MICROSECOND * _PER_SECOND[unit] // _PER_SECOND["us"]


def _numbers(wanted: np.dtype[Any], values: Array) -> Array:
    kinds = "biuf" if wanted.kind == "f" else "biu"
    if values.size and values.dtype.kind not in kinds:
        raise TypeError(f"{values.dtype} where {wanted} is expected")
    if wanted.kind != "f" and values.size and not np.can_cast(values.dtype, wanted):
        limits = np.iinfo(wanted)
        if values.min() < limits.min or values.max() > limits.max:
            raise ValueError(f"a number outside {limits.min} to {limits.max}")
    return values.astype(wanted, copy=False)


def _dates(values: "Array | Sequence[Any]") -> Array:
    if not (isinstance(values, np.ndarray) and values.dtype.kind == "M"):
        if any(isinstance(day, datetime) or not isinstance(day, date) for day in values):
            raise TypeError("something other than a date")
        values = np.array(values, "M8[D]")
    if not ((values >= _FIRST_DATE) & (values <= _LAST_DATE)).all():
        raise ValueError(f"a date outside {_FIRST_DATE} to {_LAST_DATE}")
    return values.astype("M8[D]", copy=False)


def _decimal(type_: _Type, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError(f"{value!r} where a Decimal is expected")
    precision, scale = (int(argument) for argument in type_.arguments)
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_EVEN)
    if not rounded.is_finite() or abs(rounded) >= 10 ** (precision - scale):
        raise ValueError(f"{value} does not fit Decimal({precision}, {scale})")
    return rounded


class _Coded(pd.CategoricalDtype):
    """The type of a column of codes, for which the driver asks numpy's type of the names."""

    dtype = np.dtype(object)


def _words(type_: _Type, values: Words) -> Array:
    """Return the column by its codes, which the driver would otherwise look for in the texts."""
    names = _objects(_texts(type_, values.names))
    if not type_.is_low_cardinality:
        return _objects(names[values.codes])
    coded: Any = _Coded(pd.Index(names, dtype=object))
    return cast("Array", pd.Categorical.from_codes(values.codes, dtype=coded))


def _texts(type_: _Type, values: "Array | Sequence[Any]") -> Array:
    if isinstance(values, Words):
        return _words(type_, values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        return values
    if not all(isinstance(text, str) for text in values):
        raise TypeError("something other than text")
    return _objects(values)


def _objects(values: "Array | Sequence[Any]") -> Array:
    return np.fromiter(values, object, count=len(values))


def _values(type_: _Type, values: Any) -> list[Any]:
    """Return Python values; times are converted to UTC."""
    if not type_.is_time:
        return list(values)
    return [at and (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)) for at in values]


def _array(type_: _Type, values: Any) -> Array:
    """Return the array of a result; the driver gives missing times as integers and None."""
    if type_.is_time:
        if type_.is_nullable:
            values = np.array([_MISSING if at is None else at for at in values], np.int64)
        return np.asarray(values).astype("M8[ns]").astype(f"M8[{type_.unit}]")
    if type_.name == "Date" and not type_.is_nullable:
        return np.asarray(values, "M8[D]")
    if type_.number is not None and not type_.is_nullable:
        return np.asarray(values, type_.number)
    return _objects(values) if isinstance(values, list | tuple) else np.asarray(values, object)
