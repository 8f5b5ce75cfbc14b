import os
import secrets
import signal
import subprocess
import sys
import time
from asyncio import gather, get_running_loop, run
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from libs.market.words import Words
from libs.servers.clickhouse import server as local_server
from libs.servers.clickhouse.server import LocalServer
from libs.servers.folder import FolderLock
from libs.servers.ports import free_ports
from libs.store.clickhouse import LARGE_ROWS, ClickHouseStore, create_database
from libs.store.errors import (
    ColumnsRejected,
    ServerFailed,
    StoreError,
    StoreFolderBusy,
    StoreRejected,
    StoreUnavailable,
)
from libs.store.store import StoreAddress

INDIA = timezone(timedelta(hours=5, minutes=30))
AT = datetime(2026, 1, 5, 9, 15, 0, 123_000, tzinfo=INDIA)
AT_MS = 1_767_584_700_123
ID = UUID("01234567-89ab-cdef-fedc-ba9876543210")
KEEP_ALL = "ENGINE = MergeTree ORDER BY tuple()"
VALUES = [
    ("UInt8", [0, 255]),
    ("Int16", [-32768, 32767]),
    ("UInt32", [0, 2**32 - 1]),
    ("Int64", [-(2**63), 2**63 - 1]),
    ("Float32", [0.5, float("inf")]),
    ("Float64", [0.1, -1e300]),
    ("Nullable(Float64)", [0.1, None]),
    ("Nullable(Int64)", [None, None]),
    ("Nullable(String)", ["", None]),
    ("String", ["", "₹ 'a' \\ \n\0"]),
    ("LowCardinality(String)", ["NIFTY", "BANKNIFTY"]),
    ("Date", [date(1970, 1, 1), date(2149, 6, 6)]),
    ("Decimal(18, 4)", [Decimal("-99999999999999.9999"), Decimal("0.0001")]),
    ("Nullable(Decimal(18, 4))", [None, Decimal("1.5")]),
    ("UUID", [ID, UUID(int=0)]),
    ("Map(String, Float64)", [{"ema": 1.5, "rsi": 70.0}, {}]),
    ("Array(Int64)", [[1, 2], [3, 4]]),
    ("DateTime64(3, 'UTC')", [AT, datetime(1970, 1, 1, tzinfo=UTC)]),
    ("DateTime64(6, 'UTC')", [AT.replace(microsecond=123_456), datetime(1960, 1, 1, tzinfo=UTC)]),
    ("DateTime64(3)", [AT, AT]),
    ("DateTime('UTC')", [AT.replace(microsecond=0), datetime(1970, 1, 1, tzinfo=UTC)]),
    ("Nullable(DateTime64(3, 'UTC'))", [AT, None]),
]


def make(store: ClickHouseStore, columns: str, engine: str = KEEP_ALL) -> None:
    run(store.execute(f"CREATE TABLE t ({columns}) {engine}"))


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[kind for kind, _ in VALUES])
def test_python_values_of_each_type_come_back_exactly(
    store: ClickHouseStore, kind: str, values: list[Any]
) -> None:
    make(store, f"v {kind}")
    given = list(values)
    assert run(store.insert("t", {"v": given})) == 2
    assert run(store.query("SELECT v FROM t")) == {"v": values}
    assert given == values


@pytest.mark.parametrize(
    ("kind", "array"),
    [
        ("UInt32", np.array([0, 2**32 - 1], np.uint32)),
        ("UInt64", np.array([0, 2**64 - 1], np.uint64)),
        ("UInt8", np.array([1, 0], np.uint8)),
        ("Int64", np.array([-(2**63), 2**63 - 1])),
        ("Float64", np.array([np.nan, 0.1])),
        ("Date", np.array(["1970-01-01", "2026-01-05"], "M8[D]")),
        ("DateTime64(3, 'UTC')", np.array([AT_MS, 0], "M8[ms]")),
        ("DateTime64(6, 'UTC')", np.array([AT_MS * 1000 + 1, -1], "M8[us]")),
        ("Nullable(DateTime64(3, 'UTC'))", np.array([AT_MS, "NaT"], "M8[ms]")),
        ("String", np.array(["", "NIFTY"], object)),
        ("LowCardinality(String)", np.array(["NIFTY", "BANKNIFTY"], object)),
        ("UUID", np.array([ID, ID], object)),
    ],
    ids=str,
)
def test_arrays_of_each_type_come_back_exactly(
    store: ClickHouseStore, kind: str, array: Any
) -> None:
    make(store, f"v {kind}")
    given = array.copy()
    run(store.insert("t", {"v": given}))
    found = run(store.query_numpy("SELECT v FROM t"))["v"]
    np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(given, array)
    assert found.dtype == array.dtype


def test_a_time_is_the_same_as_milliseconds_as_datetime_and_as_datetime64(
    store: ClickHouseStore,
) -> None:
    make(store, "v DateTime64(3, 'UTC'), n Nullable(DateTime64(3, 'UTC'))")
    for times in ([AT_MS], np.array([AT_MS]), [AT], [np.int64(AT_MS)], np.array([AT_MS], "M8[ms]")):
        run(store.insert("t", {"v": times, "n": times}))
    sql = "SELECT DISTINCT toUnixTimestamp64Milli(v) v, toUnixTimestamp64Milli(n) n FROM t"
    assert run(store.query(sql)) == {"v": [AT_MS], "n": [AT_MS]}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UInt32", -1),
        ("UInt8", 256),
        ("Int64", 1.5),
        ("Int64", None),
        ("Int64", "1"),
        ("Float64", None),
        ("Float64", Decimal(1)),
        ("String", None),
        ("LowCardinality(String)", ID),
        ("Date", date(1969, 12, 31)),
        ("Date", AT),
        ("Decimal(18, 4)", 0.1),
        ("Decimal(18, 4)", Decimal("100000000000000")),
        ("Decimal(18, 4)", Decimal("nan")),
        ("Decimal(18, 4)", None),
        ("UUID", "no uuid"),
        ("UUID", None),
        ("Map(String, Float64)", {"ema": "much"}),
        ("DateTime64(3, 'UTC')", datetime(2026, 1, 5)),  # noqa: DTZ001  naive is the point
        ("DateTime64(3, 'UTC')", None),
        ("DateTime('UTC')", -1),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_the_store_goes_on(
    store: ClickHouseStore, kind: str, value: object
) -> None:
    make(store, f"v {kind}")
    with pytest.raises(ColumnsRejected):
        run(store.insert("t", {"v": [value]}))
    assert run(store.query("SELECT count() c FROM t")) == {"c": [0]}


def test_an_array_beyond_the_range_of_its_column_is_refused(store: ClickHouseStore) -> None:
    make(store, "v UInt32")
    run(store.insert("t", {"v": np.array([True, False])}))
    with pytest.raises(ColumnsRejected, match=r"t\.v: a number outside 0 to 4294967295"):
        run(store.insert("t", {"v": np.array([1, 2**32])}))


def test_money_with_more_digits_is_rounded_half_even(store: ClickHouseStore) -> None:
    make(store, "v Decimal(18, 4)")
    run(store.insert("t", {"v": [Decimal("1.00005"), Decimal("-1.00015"), 7]}))
    found = run(store.query("SELECT v FROM t"))["v"]
    assert found == [Decimal("1.0000"), Decimal("-1.0002"), Decimal(7)]


def test_columns_that_are_left_out_take_their_defaults(store: ClickHouseStore) -> None:
    make(store, "a Int64, b DateTime64(3, 'UTC') DEFAULT now64(3)")
    before = datetime.now(UTC) - timedelta(minutes=1)
    run(store.insert("t", {"a": [1]}))
    assert run(store.query("SELECT b FROM t"))["b"][0] > before


def test_unequal_lengths_unknown_columns_and_tables_are_named(store: ClickHouseStore) -> None:
    make(store, "a Int64, b Int64 MATERIALIZED a")
    with pytest.raises(ColumnsRejected, match="unequal length: a 1, b 2"):
        run(store.insert("t", {"a": [1], "b": [1, 2]}))
    with pytest.raises(ColumnsRejected, match="t: unknown columns: b, c"):
        run(store.insert("t", {"a": [1], "b": [1], "c": [2]}))
    with pytest.raises(StoreRejected, match="absent: no such table"):
        run(store.insert("absent", {"a": [1]}))


def test_a_column_that_was_added_later_is_found(store: ClickHouseStore) -> None:
    make(store, "a Int64")
    run(store.insert("t", {"a": [1]}))
    run(store.execute("ALTER TABLE t ADD COLUMN b String"))
    run(store.insert("t", {"a": [2], "b": ["x"]}))
    assert run(store.query("SELECT b FROM t WHERE a = 2")) == {"b": ["x"]}


def test_no_rows_and_no_columns_are_no_insert(store: ClickHouseStore) -> None:
    make(store, "a Int64")
    assert run(store.insert("t", {"a": []})) == 0
    assert run(store.insert("t", {})) == 0


def test_a_result_without_rows_keeps_its_columns_and_types(store: ClickHouseStore) -> None:
    make(store, "a Float64, at DateTime64(3, 'UTC'), s LowCardinality(String), n Nullable(Int8)")
    assert run(store.query("SELECT * FROM t")) == {"a": [], "at": [], "s": [], "n": []}
    found = run(store.query_numpy("SELECT * FROM t"))
    assert [str(array.dtype) for array in found.values()] == [
        "float64",
        "datetime64[ms]",
        "object",
        "object",
    ]


def test_sparse_columns_come_back_with_their_own_type(store: ClickHouseStore) -> None:
    make(store, "f Float64, n Int64, s String, d Date, at DateTime64(3, 'UTC')")
    numbers = np.zeros(10_000)
    numbers[5_000] = 1.5
    days, texts = [date(1970, 1, 1)] * 10_000, [""] * 10_000
    whole = numbers.astype(np.int64)
    run(store.insert("t", {"f": numbers, "n": whole, "s": texts, "d": days, "at": whole}))
    found = run(store.query_numpy("SELECT * FROM t"))
    np.testing.assert_array_equal(found["f"], numbers)
    np.testing.assert_array_equal(found["at"].astype(np.int64), whole)
    assert [str(array.dtype) for array in found.values()] == [
        "float64",
        "int64",
        "object",
        "datetime64[D]",
        "datetime64[ms]",
    ]


def test_parameters_are_values_also_times_below_a_second(store: ClickHouseStore) -> None:
    make(store, "at DateTime64(3, 'UTC'), s String")
    later = AT + timedelta(milliseconds=1)
    run(store.insert("t", {"at": [AT, later], "s": ["it's", "100 %"]}))
    sql = "SELECT s FROM t WHERE at {} AND s != %(no)s"
    assert run(store.query(sql.format("= %(at)s"), {"at": AT, "no": "x' OR 1"})) == {"s": ["it's"]}
    assert run(store.query(sql.format("IN %(at)s"), {"at": [later], "no": ""})) == {"s": ["100 %"]}
    with pytest.raises(ColumnsRejected, match="aware"):
        run(store.query(sql, {"at": AT.replace(tzinfo=None), "no": ""}))


def test_times_without_a_zone_of_their_own_are_utc(store: ClickHouseStore) -> None:
    (now,) = run(store.query("SELECT now() n"))["n"]
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


def test_times_of_another_zone_come_back_in_utc(store: ClickHouseStore) -> None:
    sql = "SELECT toDateTime64('2026-01-05 09:15:00.123', 3, 'Asia/Kolkata') at"
    (found,) = run(store.query(sql))["at"]
    assert (found, found.tzinfo) == (AT, UTC)
    assert run(store.query_numpy(sql))["at"] == np.array([AT_MS], "M8[ms]")


def test_final_keeps_one_row_per_key(store: ClickHouseStore) -> None:
    make(store, "k Int64, v UInt32", "ENGINE = ReplacingMergeTree(v) ORDER BY k")
    for revision in (1, 3, 2):
        run(store.insert("t", {"k": [7], "v": [revision]}))
    assert run(store.query("SELECT v FROM t FINAL")) == {"v": [3]}


def test_a_million_rows_go_in_as_arrays(store: ClickHouseStore) -> None:
    rows = 1_000_000
    make(store, "a Int64, p Float64, at DateTime64(3, 'UTC'), s LowCardinality(String)")
    number = np.arange(rows)
    symbols = np.array(["NIFTY", "BANKNIFTY", "SENSEX", "TCS"], object)[number % 4]
    columns = {"a": number, "p": number * 0.05, "at": AT_MS + number, "s": symbols}
    assert run(store.insert("t", columns)) == rows
    sql = "SELECT count() c, sum(a) a, uniqExact(s) s, toUnixTimestamp64Milli(max(at)) at FROM t"
    assert run(store.query(sql)) == {
        "c": [rows],
        "a": [int(number.sum())],
        "s": [4],
        "at": [AT_MS + rows - 1],
    }
    found = run(store.query_numpy("SELECT a, p, at, s FROM t ORDER BY a"))
    np.testing.assert_array_equal(found["p"], number * 0.05)


@pytest.mark.parametrize("kind", ["LowCardinality(String)", "String", "Nullable(String)"])
def test_texts_by_their_codes_come_back_exactly(store: ClickHouseStore, kind: str) -> None:
    make(store, f"v {kind}")
    texts = ["₹", "", "b", "₹", "a"]
    assert run(store.insert("t", {"v": Words.of(texts)})) == 5
    assert run(store.query("SELECT v FROM t")) == {"v": texts}


def test_texts_by_their_codes_are_refused_where_numbers_are_expected(
    store: ClickHouseStore,
) -> None:
    make(store, "v Int64, w LowCardinality(Nullable(String))")
    with pytest.raises(ColumnsRejected, match=r"t\.v"):
        run(store.insert("t", {"v": Words.of(["1"])}))
    assert run(store.insert("t", {"w": Words.of(["1"])})) == 1


def test_a_large_insert_goes_in_whole_and_fails_as_a_whole(store: ClickHouseStore) -> None:
    make(store, "n UInt32, name LowCardinality(String)")
    numbers = np.arange(LARGE_ROWS + 1)
    names = Words(numbers % 3, ["a", "b", "c"])
    assert run(store.insert("t", {"n": numbers, "name": names})) == LARGE_ROWS + 1
    sql = "SELECT uniqExact(n) AS rows, countIf(name = char(97 + n % 3)) AS named FROM t"
    assert run(store.query(sql)) == {"rows": [LARGE_ROWS + 1], "named": [LARGE_ROWS + 1]}
    numbers[-1] = -1
    with pytest.raises(ColumnsRejected, match=r"t\.n"):
        run(store.insert("t", {"n": numbers}))
    assert run(store.insert("t", {"n": numbers[:10]})) == 10


def test_statements_of_many_tasks_do_not_mix(store: ClickHouseStore) -> None:
    make(store, "a Int64")

    async def work(number: int) -> list[Any]:
        await store.insert("t", {"a": [number]})
        return (await store.query(f"SELECT {number} n"))["n"]

    async def all_work() -> list[list[Any]]:
        return await gather(*(work(number) for number in range(20)))

    assert run(all_work()) == [[number] for number in range(20)]
    assert run(store.query("SELECT count() c FROM t")) == {"c": [20]}


def test_a_statement_that_is_wrong_is_rejected_in_one_line(store: ClickHouseStore) -> None:
    with pytest.raises(StoreRejected, match="absent") as caught:
        run(store.query("SELECT * FROM absent"))
    assert not caught.value.is_retriable
    assert "\n" not in str(caught.value)
    assert run(store.query("SELECT 1 n")) == {"n": [1]}


def test_a_wrong_password_is_rejected_and_not_shown(clickhouse_server: StoreAddress) -> None:
    store = ClickHouseStore(replace(clickhouse_server, password="hunter2"))
    with pytest.raises(StoreRejected) as caught:
        run(store.ping())
    run(store.close())
    assert "hunter2" not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = ClickHouseStore(StoreAddress(port=1))
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1 does not answer") as caught:
        run(store.ping())
    run(store.close())
    assert caught.value.is_retriable


def test_a_closed_store_refuses_and_closes_again(database: StoreAddress) -> None:
    store = ClickHouseStore(database)
    run(store.ping())
    run(store.close())
    run(store.close())
    with pytest.raises(StoreRejected, match="closed"):
        run(store.ping())


def test_a_database_is_created_once_and_by_a_plain_name(database: StoreAddress) -> None:
    run(create_database(database))
    with pytest.raises(StoreRejected, match="not a valid database name"):
        run(create_database(replace(database, database="a`; DROP DATABASE b")))


@contextmanager
def opened(address: StoreAddress) -> Iterator[ClickHouseStore]:
    store = ClickHouseStore(address)
    try:
        yield store
    finally:
        run(store.close())


async def insert_until_killed(store: ClickHouseStore, pid: int) -> int:
    acknowledged = 0
    get_running_loop().call_later(0.5, os.kill, pid, signal.SIGKILL)
    with suppress(StoreUnavailable):
        while True:
            acknowledged += await store.insert("t", {"n": np.arange(100)})
    return acknowledged


def test_acknowledged_rows_are_there_after_the_server_was_killed(tmp_path: Path) -> None:
    with LocalServer(tmp_path) as server, opened(server.address) as store:
        run(store.execute(f"CREATE TABLE t (n Int64) {KEEP_ALL}"))
        acknowledged = run(insert_until_killed(store, server.pid))
    with LocalServer(tmp_path) as server, opened(server.address) as store:
        (found,) = run(store.query("SELECT count() c FROM t"))["c"]
    assert acknowledged > 0
    assert found in (acknowledged, acknowledged + 100)


def test_a_store_goes_on_when_its_server_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = free_ports(2)
    monkeypatch.setattr(local_server, "free_ports", lambda count: ports[:count])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: "the same")
    with LocalServer(tmp_path) as server:
        store = ClickHouseStore(server.address)
        run(store.execute(f"CREATE TABLE t (n Int64) {KEEP_ALL}"))
        run(store.insert("t", {"n": [1]}))
    with pytest.raises(StoreUnavailable):
        run(store.insert("t", {"n": [2]}))
    with LocalServer(tmp_path):
        run(store.insert("t", {"n": [3]}))
        assert run(store.query("SELECT n FROM t ORDER BY n")) == {"n": [1, 3]}
        run(store.close())


def test_times_in_the_zone_of_a_server_that_is_not_utc_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = local_server._CONFIG.replace(">UTC<", ">Asia/Kolkata<")
    monkeypatch.setattr(local_server, "_CONFIG", config)
    with LocalServer(tmp_path) as server, opened(server.address) as store:
        with pytest.raises(StoreRejected, match="toTimeZone"):
            run(store.query("SELECT now() n"))
        assert run(store.query("SELECT toTimeZone(toDateTime(0), 'UTC') z"))["z"] == [
            datetime(1970, 1, 1, tzinfo=UTC)
        ]


def test_a_folder_serves_one_server_at_a_time_and_is_free_after_it(tmp_path: Path) -> None:
    with LocalServer(tmp_path) as server:
        with pytest.raises(StoreFolderBusy, match=str(tmp_path)), LocalServer(tmp_path):
            pass
        with opened(server.address) as store:
            run(store.ping())
    lock = FolderLock(tmp_path, StoreFolderBusy)
    lock.take()
    lock.release()


def test_a_server_ends_with_its_async_context_and_leaves_no_log_tables(tmp_path: Path) -> None:
    async def serve() -> tuple[StoreAddress, list[Any]]:
        async with LocalServer(tmp_path) as server:
            store = ClickHouseStore(server.address)
            sql = "SELECT name FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log'"
            found = await store.query(sql)
            await store.close()
            address = server.address
        with pytest.raises(ServerFailed):
            _ = server.pid
        return address, found["name"]

    address, log_tables = run(serve())
    assert log_tables == []
    with opened(address) as store, pytest.raises(StoreError):
        run(store.ping())


PARENT = """
import sys, time
from pathlib import Path
from libs.servers.clickhouse.server import LocalServer
with LocalServer(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    time.sleep(60)
"""


def test_a_terminal_cannot_interrupt_the_server_before_we_end_it(tmp_path: Path) -> None:
    with LocalServer(tmp_path) as server:
        assert os.getsid(server.pid) == server.pid


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")
def test_a_server_does_not_outlive_its_killed_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) > 0
        parent.kill()
    lock, deadline = FolderLock(tmp_path, StoreFolderBusy), time.monotonic() + 10
    while lock.descriptor < 0:  # the server holds the lock as long as it lives
        try:
            lock.take()
        except StoreFolderBusy:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    lock.release()


def test_ids_of_rows_are_kept_when_columns_are_reordered(store: ClickHouseStore) -> None:
    make(store, "id UUID, n Int64")
    first, second = uuid4(), uuid4()
    run(store.insert("t", {"n": [1, 2], "id": [first, str(second)]}))
    assert run(store.query("SELECT id FROM t ORDER BY n")) == {"id": [first, second]}
