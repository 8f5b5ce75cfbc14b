"""Restoring: everything is checked before anything is written.

The tables come first and the offsets last: a service that is started too early finds no place to
resume at.
"""

import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from libs.events.bus import Record
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import kafka_admin
from libs.store.migrate import Migration
from libs.store.store import Store
from services.local.backup.backing_up import Database, Step
from services.local.backup.errors import BackupError
from services.local.backup.files import check, content_of, lines_of
from services.local.backup.logs import Committed, Logs
from services.local.backup.manifest import BusKind, KeptPartition, Manifest, read_manifest
from services.local.backup.opening import Place
from services.local.backup.places import Offsets, new_commit, restored
from services.local.backup.records import message_of
from services.local.backup.tables import (
    Advance,
    copy_in,
    refuse_misfit,
    refuse_unknown,
    rows_of,
    tables_of,
)


def checked_manifest(
    folder: Path, bus: BusKind | None, migrations: Sequence[Migration], step: Step
) -> Manifest:
    """Return the manifest of a whole backup that fits this version and, unless None, this bus.

    Raises BackupError, which names the file or what does not fit.
    """
    manifest = read_manifest(folder)
    if bus not in {None, manifest.bus}:
        raise BackupError(
            f"{folder}: a backup of a {manifest.bus}; the bus of the settings is {bus}"
        )
    refuse_unknown(manifest.migrations, migrations)
    unknown = sorted({one.name for one in manifest.tables} - set(tables_of(migrations)))
    if unknown:
        raise BackupError(f"{folder}: tables that this version does not have: {', '.join(unknown)}")
    advance = step("checking", sum(file.size for file in manifest.files))
    for file in manifest.files:
        check(folder, file)
        advance(file.size)
    return manifest


async def refuse_full_topics(address: KafkaAddress) -> None:
    """Raise BackupError for a cluster that holds committed offsets, or has ever held records.

    A topic whose records have expired goes on counting, and restored offsets count from 0.
    """
    async with kafka_admin(address) as admin:
        topics = await admin.written()
        groups = [one.group for one in await admin.standings() if one.committed]
    if filled := sorted({*topics, *groups}):
        raise BackupError(
            f"the bus is not empty: {', '.join(filled)}; delete these topics and groups (a topic "
            "whose records have expired too), or restore into an empty one"
        )


async def refuse_full_tables(server: Store, database: str, migrations: Sequence[Migration]) -> None:
    """Raise BackupError for a database that holds rows; it need not exist."""
    rows = await rows_of(server, database, tables_of(migrations))
    if rows:
        said = ", ".join(f"{table} ({count:,} rows)" for table, count in rows.items())
        raise BackupError(f"database {database} is not empty: {said}; restore into an empty one")


async def refuse_misfits(database: Database, manifest: Manifest) -> None:
    """Raise BackupError unless the tables have all columns, of the same types."""
    for table in manifest.tables:
        await refuse_misfit(database.store, table)


async def refuse_other_partitions(logs: Logs, manifest: Manifest) -> None:
    """Raise BackupError for a topic that has another number of partitions on the cluster."""
    if logs.kind != "kafka":
        return
    found = await logs.partitions()
    for topic in sorted({one.topic for one in manifest.topics}):
        if manifest.partitions[topic] != found.get(topic):
            raise BackupError(
                f"{topic}: {manifest.partitions[topic]} partitions in the backup, "
                f"{found.get(topic, 'none')} here"
            )


async def restore_tables(database: Database, folder: Path, manifest: Manifest, step: Step) -> None:
    """Insert the rows of all tables."""
    advance = step("tables", manifest.rows)
    for table in manifest.tables:
        await copy_in(database.store, database.rows, table, folder, advance)


async def restore_topics(logs: Logs, folder: Path, manifest: Manifest, step: Step) -> None:
    """Write all records, then the groups' offsets, translated where Kafka counts anew.

    Raises BackupError, with no offset set, where a partition does not count from 0.
    """
    advance = step("topics", manifest.records)
    offsets = None
    if logs.kind == "kafka":
        offsets = {one.topic_partition: _old_offsets(folder, one) for one in manifest.topics}
    for one in manifest.topics:
        await logs.write(_records(folder, one, offsets, advance))
    if offsets is not None:
        await _refuse_other_ends(logs, offsets)
    await logs.commit(_commits(manifest, offsets))


def restore_account(folder: Path, manifest: Manifest, place: Place) -> None:
    """Write the files of the simulated account and its market, if the backup has some."""
    for file in manifest.account:
        path = place.account_file(Path(file.name).name.removesuffix(".gz"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(folder, file))


async def _refuse_other_ends(logs: Logs, offsets: Offsets) -> None:
    """Raise BackupError unless each partition ends where its records, counted from 0, end."""
    for place, end in sorted((await logs.ends()).items()):
        wanted = len(offsets.get(place, ()))
        if end != wanted:
            raise BackupError(
                f"{place.topic}/{place.partition} ends at {end}, not at {wanted}: the topic was "
                "written to before or meanwhile"
            )


def _old_offsets(folder: Path, kept: KeptPartition) -> "array[int]":
    return array("q", (json.loads(line)["offset"] for line in lines_of(folder, kept.file)))


def _records(
    folder: Path, kept: KeptPartition, offsets: Offsets | None, advance: Advance
) -> Iterator[Record]:
    """Yield the records to write; a journal's offsets have no gaps, so its headers still hold."""
    for line in lines_of(folder, kept.file):
        message = message_of(line, kept.topic_partition)
        yield restored(offsets, message)
        advance(1)


def _commits(manifest: Manifest, offsets: Offsets | None) -> Committed:
    return {
        (one.group, one.topic_partition): one.offset
        if offsets is None
        else new_commit(offsets, one.topic_partition, one.offset)
        for one in manifest.offsets
    }
