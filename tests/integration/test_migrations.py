from asyncio import run
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isnan, nan
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from libs.events.ticks import TickColumns
from libs.store.clickhouse import ClickHouseStore
from libs.store.migrate import Migration, apply, apply_ttls, discover, pending
from services.ingest.domain.connection import Connection
from services.ingest.domain.rows import MarketDataRows

SERVICES = Path(__file__).parents[2] / "services"
AT = datetime(2026, 1, 5, 3, 45, 0, 123_000, tzinfo=UTC)
DAY = date(2026, 1, 5)
DAYS = {
    "market_data": 30,
    "historical_data": 365,
    "history_fetched": 365,
    "strategy_signals": 90,
    "trading_signals": 90,
    "decisions": 180,
    "options_data": 1095,
    "positions": 180,
    "performance_metrics": 90,
}
KEPT = {"orders"}
ONLY = {"positions": " WHERE type = 'PositionUpdated'"}
SAMPLES: dict[str, Any] = {
    "UUID": UUID(int=7),
    "Date": DAY,
    "DateTime64(3, 'UTC')": AT,
    "Nullable(DateTime64(3, 'UTC'))": None,
    "Decimal(18, 4)": Decimal("123.4567"),
    "Nullable(Decimal(18, 4))": Decimal("-1.5000"),
    "Float64": 0.1,
    "Map(String, Float64)": {"ema": 0.1},
    "String": "₹",
    "LowCardinality(String)": "NIFTY",
    "UInt8": 255,
    "UInt32": 2**32 - 1,
    "Int64": -(2**63),
    "UInt64": 2**64 - 1,
}
TABLES = "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"


@pytest.fixture
def migrations() -> list[Migration]:
    return discover(SERVICES)


@pytest.fixture
def migrated(store: ClickHouseStore, migrations: list[Migration]) -> ClickHouseStore:
    run(apply(store, migrations))
    return store


def columns_of(store: ClickHouseStore, table: str) -> dict[str, str]:
    sql = (
        "SELECT name, type FROM system.columns WHERE database = currentDatabase()"
        " AND table = %(table)s AND name != 'inserted_at'"
    )
    found = run(store.query(sql, {"table": table}))
    return dict(zip(found["name"], found["type"], strict=True))


def engines_of(store: ClickHouseStore) -> dict[str, str]:
    found = run(store.query(TABLES))
    return dict(zip(found["name"], found["engine_full"], strict=True))


def test_all_migrations_apply_once_and_are_recorded(
    store: ClickHouseStore, migrations: list[Migration]
) -> None:
    done = run(apply(store, migrations))
    assert [(one.service, one.number) for one in done] == [
        (one.service, one.number) for one in migrations
    ]
    assert run(apply(store, migrations)) == []
    assert run(pending(store, migrations)) == []
    assert set(engines_of(store)) == {*DAYS, *KEPT, "schema_migrations"}


def test_statements_can_run_again_after_a_crash_before_the_record(
    migrated: ClickHouseStore, migrations: list[Migration]
) -> None:
    run(migrated.execute("TRUNCATE TABLE schema_migrations"))
    assert len(run(apply(migrated, migrations))) == len(migrations)


def test_every_table_replaces_by_month_and_has_no_ttl_at_first(migrated: ClickHouseStore) -> None:
    for table, engine in engines_of(migrated).items():
        if table != "schema_migrations":
            assert engine.startswith("ReplacingMergeTree")
            assert "PARTITION BY toYYYYMM(trading_day)" in engine
            assert " TTL " not in engine


def test_ttls_are_switched_on_and_off_and_count_from_the_insert(
    migrated: ClickHouseStore, migrations: list[Migration]
) -> None:
    for _ in range(2):
        run(apply_ttls(migrated, migrations, enabled=True))
        engines = engines_of(migrated)
        for table, days in DAYS.items():
            only = ONLY.get(table, "")
            expected = f"TTL toDateTime(inserted_at) + toIntervalDay({days}){only} SETTINGS"
            assert expected in engines[table]
        assert not any(" TTL " in engines[table] for table in KEPT)
    for _ in range(2):
        run(apply_ttls(migrated, migrations, enabled=False))
        assert not any(" TTL " in engine for engine in engines_of(migrated).values())


def test_of_old_positions_the_marks_are_deleted_and_the_results_stay(
    migrated: ClickHouseStore, migrations: list[Migration]
) -> None:
    kinds = columns_of(migrated, "positions")
    row: dict[str, Any] = {name: [SAMPLES[kind]] for name, kind in kinds.items()}
    old = datetime(2020, 1, 1, tzinfo=UTC)
    for number, type_ in enumerate(("PositionOpened", "PositionUpdated", "PositionClosed")):
        own = {"event_id": [UUID(int=number)], "type": [type_], "inserted_at": [old]}
        run(migrated.insert("positions", row | own))
    run(apply_ttls(migrated, migrations, enabled=True))
    run(migrated.execute("OPTIMIZE TABLE positions FINAL"))
    run(apply_ttls(migrated, migrations, enabled=False))
    found = run(migrated.query("SELECT type FROM positions ORDER BY type"))["type"]
    assert found == ["PositionClosed", "PositionOpened"]


@pytest.mark.parametrize("table", sorted({*DAYS, *KEPT}))
def test_a_row_of_every_table_comes_back_exactly_and_once(
    migrated: ClickHouseStore, table: str
) -> None:
    row = {name: SAMPLES[kind] for name, kind in columns_of(migrated, table).items()}
    row["trading_day"] = DAY
    for _ in range(2):
        run(migrated.insert(table, {name: [value] for name, value in row.items()}))
    names = ", ".join(f"`{name}`" for name in row)
    found = run(migrated.query(f"SELECT {names} FROM {table} FINAL"))
    assert found == {name: [value] for name, value in row.items()}


def test_the_highest_revision_of_a_candle_holds_and_sources_stay_apart(
    migrated: ClickHouseStore,
) -> None:
    kinds = columns_of(migrated, "historical_data")
    candle: dict[str, Any] = {n: [SAMPLES[kind]] for n, kind in kinds.items() if n != "expiry"}
    for source, revision, close in (("live", 1, 2.0), ("live", 0, 1.0), ("backfill", 0, 3.0)):
        mine: dict[str, Any] = {
            "source": [source],
            "revision": [revision],
            "close": [close],
            "vwap": [nan],
        }
        run(migrated.insert("historical_data", candle | mine))
    sql = "SELECT close, expiry, vwap FROM historical_data FINAL ORDER BY close"
    found = run(migrated.query(sql))
    assert found["close"] == [2.0, 3.0]
    assert found["expiry"] == [date(1970, 1, 1)] * 2
    assert all(isnan(value) for value in found["vwap"])


def test_a_tick_with_a_garbage_exchange_time_is_stored_as_it_is(migrated: ClickHouseStore) -> None:
    garbage = np.array([0, 1, 4_294_967_295_000])
    columns: dict[str, Any] = {
        "batch_id": [UUID(int=7)] * 3,
        "row": np.arange(3),
        "tradingsymbol": ["NIFTY"] * 3,
        "trading_day": [DAY] * 3,
        "exchange_timestamp": garbage,
        "received_at": [AT] * 3,
    }
    run(migrated.insert("market_data", columns))
    sql = "SELECT exchange_timestamp at FROM market_data FINAL ORDER BY row"
    found = run(migrated.query_numpy(sql))["at"]
    np.testing.assert_array_equal(found.astype(np.int64), garbage)


FORMER_KEY = {"row": np.arange(2), "tradingsymbol": ["NIFTY", "SBIN"], "trading_day": [DAY] * 2}


def test_ticks_stored_by_a_former_version_stay_and_are_replaced_by_their_own_batch(
    store: ClickHouseStore, migrations: list[Migration]
) -> None:
    """The table as it was with a UUID in each row; its key grew, no row is written anew."""
    former = [one for one in migrations if (one.service, one.number) <= ("ingest", 2)]
    run(apply(store, former))
    columns: dict[str, Any] = FORMER_KEY | {
        "batch_id": [UUID(int=7)] * 2,
        "exchange_timestamp": [AT] * 2,
        "received_at": [AT] * 2,
    }
    run(store.insert("market_data", columns | {"last_price": [1.0, 2.0]}))
    run(apply(store, migrations))
    run(store.insert("market_data", columns | {"last_price": [3.0, 4.0]}))
    run(store.insert("market_data", columns | {"batch_id": [UUID(int=0)] * 2, "batch": [5, 6]}))
    sql = "SELECT last_price, batch FROM market_data FINAL ORDER BY batch, last_price"
    found = run(store.query(sql))
    assert found == {"last_price": [3.0, 4.0, 0.0, 0.0], "batch": [0, 0, 5, 6]}


def test_a_migration_that_a_crash_cut_off_is_run_again(
    store: ClickHouseStore, migrations: list[Migration]
) -> None:
    ours = [one for one in migrations if one.service == "ingest"]
    run(apply(store, ours[:-1]))
    for statement in ours[-1].statements:
        run(store.execute(statement))
    assert [one.number for one in run(apply(store, ours))] == [ours[-1].number]
    columns: dict[str, Any] = FORMER_KEY | {"batch": [5, 6]}
    run(store.insert("market_data", columns))
    assert run(store.query("SELECT count() AS n FROM market_data"))["n"] == [2]


def test_a_tick_batch_that_is_delivered_again_leaves_the_table_as_it_was(
    migrated: ClickHouseStore,
) -> None:
    connection = Connection("test", DAY, 1_767_584_700_000, 2)
    columns = TickColumns(
        instrument_token=np.array([257, 257, 513, 257], np.uint32),
        exchange_timestamp=np.array([1_767_584_700_000] * 4),
        last_price=np.array([1.0, 2.0, 3.0, 4.0]),
    )
    rows = MarketDataRows()
    for _ in range(2):
        for batch in connection.cut(columns, 1_767_584_700_000):
            for _ in range(2):
                rows.add(batch)
                run(migrated.insert("market_data", rows.take()()))
    sql = "SELECT last_price FROM market_data FINAL ORDER BY batch, last_price"
    assert run(migrated.query(sql))["last_price"] == [1.0, 2.0, 3.0, 4.0] * 2
