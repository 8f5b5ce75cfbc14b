from asyncio import run
from typing import Any

import pytest

from libs.store.errors import MigrationRefused, StoreRejected
from libs.store.migrate import Ttl, apply, apply_ttls, discover, pending

SET_TTL = "ReplacingMergeTree ORDER BY id TTL toDateTime(inserted_at) + toIntervalDay(30) SETTINGS"


def test_migrations_come_by_service_and_then_by_number(services: Any) -> None:
    services.write("ingest", "0002_more.sql")
    services.write("ingest", "0001_first.sql")
    services.write("candle", "0001_first.sql")
    names = [migration.name for migration in discover(services.root)]
    assert names == ["candle/0001_first", "ingest/0001_first", "ingest/0002_more"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("0002_late.sql",), "ingest/0002_late: number 0001 is expected"),
        (("0001_a.sql", "0003_c.sql"), "ingest/0003_c: number 0002 is expected"),
        (("0001_a.sql", "0001_b.sql"), "ingest/0001_b: number 0002 is expected"),
        (("1_a.sql",), "NNNN_title.sql"),
        (("first.sql",), "NNNN_title.sql"),
    ],
)
def test_a_gap_a_repeated_number_and_a_wrong_name_are_refused(
    services: Any, names: tuple[str, ...], complaint: str
) -> None:
    for name in names:
        services.write("ingest", name)
    with pytest.raises(MigrationRefused, match=complaint):
        discover(services.root)


def test_statements_end_with_a_semicolon_at_the_end_of_a_line(services: Any) -> None:
    text = "-- why;\nCREATE TABLE a (s String DEFAULT ';x');  -- said\n\nSELECT\n 2;\nSELECT 3"
    services.write("ingest", "0001_first.sql", text)
    (migration,) = discover(services.root)
    assert migration.statements == (
        "CREATE TABLE a (s String DEFAULT ';x')",
        "SELECT\n 2",
        "SELECT 3",
    )


def test_ttl_directives_are_read_and_are_no_statements(services: Any) -> None:
    text = "-- ttl: a 30 DAY\n-- ttl: b 12 MONTH\n-- ttl: c 1 DAY WHERE type = 'Mark'\n"
    services.write("ingest", "0001_first.sql", text)
    (migration,) = discover(services.root)
    assert migration.statements == ()
    some = Ttl("c", "1 DAY", "type = 'Mark'")
    assert migration.ttls == (Ttl("a", "30 DAY"), Ttl("b", "12 MONTH"), some)


@pytest.mark.parametrize(
    "words",
    [
        "a",
        "a 30 days",
        "a thirty DAY",
        "a; DROP TABLE b 30 DAY",
        "a 30 DAY WHERE 1",
        "a 30 DAY WHERE type = 'x' OR 1",
    ],
)
def test_a_ttl_that_is_no_table_and_interval_is_refused(services: Any, words: str) -> None:
    services.write("ingest", "0001_first.sql", f"-- ttl: {words}\n")
    with pytest.raises(MigrationRefused, match="not a table and an interval"):
        discover(services.root)


def test_each_migration_is_applied_once_and_in_order(services: Any, store: Any) -> None:
    services.write("ingest", "0001_first.sql", "SELECT 1;\nSELECT 2;\n")
    first = run(apply(store, discover(services.root)))
    services.write("ingest", "0002_next.sql", "SELECT 3;\n")
    second = run(apply(store, discover(services.root)))
    assert [one.title for one in first] == ["first"]
    assert [one.title for one in second] == ["next"]
    assert [one for one in store.statements if "SELECT" in one] == [
        "SELECT 1",
        "SELECT 2",
        "SELECT 3",
    ]


def test_a_file_that_changed_after_it_was_applied_is_refused_before_anything_runs(
    services: Any, store: Any
) -> None:
    services.write("ingest", "0001_first.sql")
    run(apply(store, discover(services.root)))
    services.write("ingest", "0001_first.sql", "SELECT 9;\n")
    services.write("candle", "0001_first.sql", "SELECT 8;\n")
    with pytest.raises(MigrationRefused, match=r"ingest/0001_first changed .* on 2026-01-05"):
        run(apply(store, discover(services.root)))
    assert "SELECT 8" not in store.statements


def test_a_migration_that_fails_half_way_stays_pending(services: Any, store: Any) -> None:
    services.write("ingest", "0001_first.sql", "SELECT 1;\nSELECT broken;\n")
    store.refuses = "broken"
    migrations = discover(services.root)
    with pytest.raises(StoreRejected):
        run(apply(store, migrations))
    assert run(pending(store, migrations)) == migrations


@pytest.mark.parametrize(
    ("engine", "enabled", "change"),
    [
        ("ReplacingMergeTree ORDER BY id", True, "MODIFY TTL toDateTime(inserted_at)"),
        (SET_TTL.replace("30", "7"), True, "INTERVAL 30 DAY"),
        (SET_TTL, True, None),
        (SET_TTL, False, "REMOVE TTL"),
        ("ReplacingMergeTree ORDER BY id", False, None),
    ],
)
def test_a_ttl_is_set_or_removed_only_where_it_differs(
    services: Any, store: Any, engine: str, enabled: bool, change: str | None
) -> None:
    services.write("ingest", "0001_first.sql", "-- ttl: a 90 DAY\n")
    services.write("ingest", "0002_shorter.sql", "-- ttl: a 30 DAY\n")
    store.engines = {"a": engine}
    run(apply_ttls(store, discover(services.root), enabled))
    assert len(store.statements) == (change is not None)
    assert all(change in statement for statement in store.statements if change)


@pytest.mark.parametrize(
    ("engine", "is_changed"),
    [
        (SET_TTL, True),
        (SET_TTL.replace("(30)", "(30) WHERE type = 'Mark'"), False),
        (SET_TTL.replace("(30)", "(30) WHERE type = 'Other'"), True),
    ],
)
def test_a_ttl_of_some_rows_is_set_only_where_it_differs(
    services: Any, store: Any, engine: str, is_changed: bool
) -> None:
    services.write("ingest", "0001_first.sql", "-- ttl: a 30 DAY WHERE type = 'Mark'\n")
    store.engines = {"a": engine}
    run(apply_ttls(store, discover(services.root), enabled=True))
    assert len(store.statements) == is_changed
    assert all("30 DAY DELETE WHERE type = 'Mark'" in one for one in store.statements)


def test_a_ttl_of_all_rows_replaces_one_of_some(services: Any, store: Any) -> None:
    services.write("ingest", "0001_first.sql", "-- ttl: a 30 DAY\n")
    store.engines = {"a": SET_TTL.replace("(30)", "(30) WHERE type = 'Mark'")}
    run(apply_ttls(store, discover(services.root), enabled=True))
    assert store.statements == [
        "ALTER TABLE `a` MODIFY TTL toDateTime(inserted_at) + INTERVAL 30 DAY"
    ]


def test_a_migration_knows_the_tables_that_it_creates(services: Any) -> None:
    services.write(
        "ingest", "0001_first.sql", "CREATE TABLE IF NOT EXISTS a (n Int8);\nSELECT 1;\n"
    )
    (migration,) = discover(services.root)
    assert migration.tables == ("a",)
