"""The tables of a database as backup and restore see them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from libs.store.binary_rows import BinaryRows
from libs.store.migrate import Migration
from libs.store.store import Store
from services.local.backup.errors import BackupError
from services.local.backup.files import FileWriter, content_of
from services.local.backup.manifest import KeptFile, KeptMigration, KeptTable

BLOCK_ROWS = 50_000
"""Rows of a file: one insert, and a few megabytes in memory."""
Advance = Callable[[int], None]


async def applied_migrations(store: Store, known: Sequence[Migration]) -> tuple[KeptMigration, ...]:
    """Return what was applied to a database; raise BackupError for one that this version lacks."""
    there = await store.query("EXISTS TABLE schema_migrations")
    if not there["result"][0]:
        raise BackupError("the database has no tables of AlphaStocks: is it the right one?")
    found = await store.query(
        "SELECT service, number, sha256 FROM schema_migrations FINAL ORDER BY service, number"
    )
    kept = tuple(
        KeptMigration(service=service, number=number, sha256=sha256)
        for service, number, sha256 in zip(*found.values(), strict=True)
    )
    refuse_unknown(kept, known)
    return kept


def refuse_unknown(kept: Sequence[KeptMigration], known: Sequence[Migration]) -> None:
    """Raise BackupError for a migration that this version does not have, or has otherwise."""
    ours = {(one.service, one.number): one.sha256 for one in known}
    for one in kept:
        if ours.get((one.service, one.number)) != one.sha256:
            raise BackupError(
                f"{one.service}/{one.number:04d}: a migration of a newer or another version; use "
                "that version of alphastocks"
            )


def tables_of(migrations: Sequence[Migration]) -> list[str]:
    """Return the tables that migrations create, in order."""
    return sorted({table for one in migrations for table in one.tables})


async def columns_of(store: Store, table: str) -> dict[str, str]:
    """Return the stored columns of a table with their types, none if there is no such table."""
    found = await store.query(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase()"
        " AND table = %(table)s AND default_kind IN ('', 'DEFAULT') ORDER BY position",
        {"table": table},
    )
    return dict(zip(found["name"], found["type"], strict=True))


async def rows_of(store: Store, database: str, tables: Sequence[str]) -> dict[str, int]:
    """Return the rows of the tables that have some; duplicates that are not merged count too."""
    found = await store.query(
        "SELECT table, toInt64(sum(rows)) n FROM system.parts WHERE active"
        " AND database = %(database)s AND table IN %(tables)s GROUP BY table HAVING n > 0"
        " ORDER BY table",
        {"database": database, "tables": list(tables)},
    )
    return dict(zip(found["table"], found["n"], strict=True))


async def copy_out(
    store: Store, rows: BinaryRows, table: str, folder: Path, advance: Advance
) -> KeptTable:
    """Write a table's rows to files, month by month; an empty table has none."""
    columns, files = await columns_of(store, table), list[KeptFile]()
    found = await store.query(
        "SELECT DISTINCT partition_id FROM system.parts WHERE active"
        " AND database = currentDatabase() AND table = %(table)s ORDER BY partition_id",
        {"table": table},
    )
    for partition in found["partition_id"]:
        number = 0
        async for block in rows.read(table, columns, partition, BLOCK_ROWS):
            number += 1
            file = FileWriter(folder, f"tables/{table}/{partition}-{number:05d}.rows.gz")
            file.write(block.content, block.rows)
            files.append(file.close())
            advance(block.rows)
    return KeptTable(name=table, columns=columns, files=tuple(files))


async def refuse_misfit(store: Store, kept: KeptTable) -> None:
    """Raise BackupError unless the table of this version has all columns, of the same types."""
    columns = await columns_of(store, kept.name)
    for name, kind in kept.columns.items():
        if columns.get(name) != kind:
            raise BackupError(
                f"{kept.name}.{name}: {kind} in the backup, {columns.get(name, 'no column')} here"
            )


async def copy_in(
    store: Store, rows: BinaryRows, kept: KeptTable, folder: Path, advance: Advance
) -> None:
    """Insert a table's rows; raise BackupError unless all of them are there afterwards."""
    for file in kept.files:
        await rows.insert(kept.name, kept.columns, content_of(folder, file))
        advance(file.count)
    sql = f"SELECT toInt64(count()) n FROM `{kept.name}` FINAL"  # noqa: S608  one of ours
    found = await store.query(sql)
    if found["n"][0] != kept.rows:
        raise BackupError(f"{kept.name}: {found['n'][0]} rows after the restore, not {kept.rows}")
