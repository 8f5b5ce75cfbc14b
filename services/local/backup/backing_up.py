"""Backing up: first the groups' offsets, then the records, then the tables.

In this order nothing is lost while services run: what is handled in the meantime is on the topics
and maybe in the tables, but its offset is not. After a restore it is handled once more, as after a
crash, and equal ids make repeats harmless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from libs.events.bus import TopicPartition
from libs.store.binary_rows import BinaryRows
from libs.store.migrate import Migration
from libs.store.store import Store
from services.local.backup.errors import BackupError
from services.local.backup.files import FileWriter
from services.local.backup.logs import Committed, Logs
from services.local.backup.manifest import (
    FORMAT,
    KeptFile,
    KeptOffset,
    KeptPartition,
    KeptTable,
    Manifest,
    write_manifest,
)
from services.local.backup.records import line_of
from services.local.backup.tables import (
    Advance,
    applied_migrations,
    copy_out,
    rows_of,
    tables_of,
)

Step = Callable[[str, int], Advance]
"""Begins a step with its total; returns the function that advances it."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database, and the migrations that this version knows."""

    name: str
    store: Store
    rows: BinaryRows
    migrations: Sequence[Migration]


def make_folder(folder: Path) -> None:
    """Make the folder of a backup; raise BackupError for one that holds something."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BackupError(f"{folder}: not empty: name a new folder")
    except OSError as error:
        raise BackupError(f"{folder}: {error.strerror}") from None


async def back_up(
    logs: Logs,
    database: Database,
    folder: Path,
    *,
    version: str,
    now: datetime,
    account: Sequence[Path] = (),
    step: Step,
) -> Manifest:
    """Copy everything into an empty folder and return its manifest, which is written last."""
    migrations = await applied_migrations(database.store, database.migrations)
    committed = await logs.committed()
    topics = await _topics(logs, folder, step)
    manifest = Manifest(
        format=FORMAT,
        version=version,
        made_at=now,
        bus=logs.kind,
        database=database.name,
        partitions=await logs.partitions(),
        topics=topics,
        offsets=_offsets(committed),
        migrations=migrations,
        tables=await _tables(database, folder, step),
        account=tuple(_account(folder, file) for file in account),
    )
    write_manifest(folder, manifest)
    return manifest


async def _topics(logs: Logs, folder: Path, step: Step) -> tuple[KeptPartition, ...]:
    ends = await logs.ends()
    advance = step("topics", sum(ends.values()))
    kept = []
    for place, end in sorted(ends.items()):
        if end and (file := await _records(logs, folder, place, end)) is not None:
            kept.append(KeptPartition(topic=place.topic, partition=place.partition, file=file))
        advance(end)
    return tuple(kept)


async def _records(logs: Logs, folder: Path, place: TopicPartition, end: int) -> KeptFile | None:
    """Write the records of a partition; none of an empty one, whose records have all expired."""
    writer: FileWriter | None = None
    async for message in logs.read(place, end):
        if writer is None:
            writer = FileWriter(folder, f"topics/{place.topic}/{place.partition}.jsonl.gz")
        writer.write(line_of(message), 1)
    return None if writer is None else writer.close()


async def _tables(database: Database, folder: Path, step: Step) -> tuple[KeptTable, ...]:
    tables = tables_of(database.migrations)
    counts = await rows_of(database.store, database.name, tables)
    advance = step("tables", sum(counts.values()))
    return tuple(
        [await copy_out(database.store, database.rows, one, folder, advance) for one in tables]
    )


def _offsets(committed: Committed) -> tuple[KeptOffset, ...]:
    return tuple(
        KeptOffset(group=group, topic=place.topic, partition=place.partition, offset=offset)
        for (group, place), offset in sorted(committed.items())
    )


def _account(folder: Path, file: Path) -> KeptFile:
    writer = FileWriter(folder, f"account/{file.name}.gz")
    writer.write(file.read_bytes(), 1)
    return writer.close()
