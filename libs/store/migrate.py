"""Numbered migrations of each service's tables, each applied once.

A service owns `services/<name>/migrations/NNNN_title.sql`, numbered from 0001 without a gap. A
file holds statements that end with `;` at the end of a line. Once applied, a file never changes:
a change is a new file. After a crash a file is run again from its first statement, so write
`IF NOT EXISTS`.

A TTL is not part of CREATE TABLE, because it must be off in embedded, replay and test runs. It is
declared by a comment line `-- ttl: <table> 30 DAY`, and `apply_ttls` turns it on or off. It counts
from the column `inserted_at`, not from event time. The last such line of a table counts. With
`WHERE <column> = '<word>'` at its end only such rows are deleted.

On a cluster the same files make replicated tables: the database runs each statement on every
replica, and only the engine's name differs.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from libs.store.errors import MigrationRefused
from libs.store.store import Store

TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    service LowCardinality(String),
    number UInt32,
    title String,
    sha256 String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (service, number)
"""
_ENGINE, _REPLICATED = "ENGINE = ReplacingMergeTree", "ENGINE = ReplicatedReplacingMergeTree"
_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_TTL = re.compile(r"^--\s*ttl:\s*(.*)$", re.MULTILINE)
_TTL_WORDS = re.compile(r"(\w+) (\d+ (?:HOUR|DAY|MONTH|YEAR))(?: WHERE (\w+ = '\w+'))?")
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:--.*)?$", re.MULTILINE)
_CREATES = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
_COMMENT_LINE = re.compile(r"^\s*--.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ttl:
    """How long rows of a table are kept after they were inserted, such as `30 DAY`.

    `where` says which rows are deleted then; empty: all.
    """

    table: str
    interval: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its statements in order, and the sha256 of its text."""

    service: str
    number: int
    title: str
    sha256: str
    statements: tuple[str, ...]
    ttls: tuple[Ttl, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it creates."""
        return tuple(name for text in self.statements for name in _CREATES.findall(text))

    @property
    def name(self) -> str:
        """Service and file name."""
        return f"{self.service}/{self.number:04d}_{self.title}"


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration's row in `schema_migrations`."""

    service: str
    number: int
    title: str
    sha256: str
    applied_at: datetime


def discover(services_root: Path) -> list[Migration]:
    """Return all migrations by service, then number; raise MigrationRefused on a gap."""
    files = sorted(services_root.glob("*/migrations/*.sql"))
    migrations = sorted(map(_read, files), key=lambda one: (one.service, one.number))
    for _, numbered in groupby(migrations, key=lambda one: one.service):
        for expected, migration in enumerate(numbered, start=1):
            if migration.number != expected:
                raise MigrationRefused(f"{migration.name}: number {expected:04d} is expected here")
    return migrations


def on_replicas(statement: str) -> str:
    """Return the statement with the replicated engine, if it creates a table."""
    return statement.replace(_ENGINE, _REPLICATED)


async def applied(store: Store, *, is_replicated: bool = False) -> list[Applied]:
    """Return the applied migrations by service, then number."""
    await store.execute(on_replicas(TABLE) if is_replicated else TABLE)
    rows = await store.query(
        "SELECT service, number, title, sha256, applied_at FROM schema_migrations FINAL"
        " ORDER BY service, number"
    )
    return [Applied(*values) for values in zip(*rows.values(), strict=True)]


async def pending(
    store: Store, migrations: Sequence[Migration], *, is_replicated: bool = False
) -> list[Migration]:
    """Return the migrations to apply, in order; raise MigrationRefused on a changed file."""
    known_ones = await applied(store, is_replicated=is_replicated)
    before = {(one.service, one.number): one for one in known_ones}
    for migration in migrations:
        known = before.get((migration.service, migration.number))
        if known and known.sha256 != migration.sha256:
            raise MigrationRefused(
                f"{migration.name} changed after it was applied on {known.applied_at:%Y-%m-%d}:"
                " put the change into a new migration"
            )
    return [one for one in migrations if (one.service, one.number) not in before]


async def apply(
    store: Store, migrations: Sequence[Migration], *, is_replicated: bool = False
) -> list[Applied]:
    """Apply pending migrations in order and return them; none runs if a file is refused."""
    todo = await pending(store, migrations, is_replicated=is_replicated)
    for migration in todo:
        for statement in migration.statements:
            await store.execute(on_replicas(statement) if is_replicated else statement)
        await store.insert("schema_migrations", _record(migration))
    done = {(one.service, one.number) for one in todo}
    return [one for one in await applied(store) if (one.service, one.number) in done]


async def apply_ttls(store: Store, migrations: Sequence[Migration], enabled: bool) -> None:
    """Set each table's TTL from its last directive, or remove it; skip tables without a change."""
    wanted = {ttl.table: ttl for one in migrations for ttl in one.ttls}
    engines = await store.query(
        "SELECT name, engine_full FROM system.tables"
        " WHERE database = currentDatabase() AND name IN %(tables)s",
        {"tables": list(wanted)},
    )
    for table, engine in zip(engines["name"], engines["engine_full"], strict=True):
        change = _ttl_change(engine, wanted[table] if enabled else None)
        if change:
            await store.execute(f"ALTER TABLE `{table}` {change}")


def _ttl_change(engine: str, ttl: Ttl | None) -> str | None:
    is_set = " TTL " in engine
    if ttl is None:
        return "REMOVE TTL" if is_set else None
    count, unit = ttl.interval.split()
    where = f" WHERE {ttl.where}" if ttl.where else ""
    shown = f" TTL toDateTime(inserted_at) + toInterval{unit.capitalize()}({count}){where}"
    if re.search(re.escape(shown) + "( SETTINGS|$)", engine):
        return None
    only = f" DELETE{where}" if where else ""
    return f"MODIFY TTL toDateTime(inserted_at) + INTERVAL {ttl.interval}{only}"


def _read(path: Path) -> Migration:
    named = _FILE_NAME.fullmatch(path.name)
    if not named:
        raise MigrationRefused(f"{path}: a migration is named NNNN_title.sql")
    text = path.read_text(encoding="utf-8")
    return Migration(
        service=path.parent.parent.name,
        number=int(named[1]),
        title=named[2],
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        statements=tuple(_statements(text)),
        ttls=tuple(_ttl(path, directive) for directive in _TTL.findall(text)),
    )


def _statements(text: str) -> Iterable[str]:
    for part in _END_OF_STATEMENT.split(_COMMENT_LINE.sub("", text)):
        if part.strip():
            yield part.strip()


def _ttl(path: Path, directive: str) -> Ttl:
    words = _TTL_WORDS.fullmatch(directive.strip())
    if not words:
        raise MigrationRefused(f"{path}: not a table and an interval: ttl: {directive}")
    return Ttl(words[1], words[2], words[3] or "")


def _record(migration: Migration) -> dict[str, list[Any]]:
    return {
        "service": [migration.service],
        "number": [migration.number],
        "title": [migration.title],
        "sha256": [migration.sha256],
    }
