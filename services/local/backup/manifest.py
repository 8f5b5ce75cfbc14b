"""The manifest of a backup: what it holds, and how to tell that nothing of it is missing.

It is written last, so a folder without one is a backup that was interrupted. It has no secrets:
neither addresses nor passwords.
"""

import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from libs.events.bus import TopicPartition
from services.local.backup.errors import BackupError

NAME = "manifest.json"
FORMAT = 1
BusKind = Literal["journal", "kafka"]


class Part(StrEnum):
    """A part of a backup that can be restored alone."""

    TABLES = "tables"
    TOPICS = "topics"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KeptFile(_Kept):
    """A file of the backup; `count` is its rows or records, `size` its bytes on disk."""

    name: str
    count: int
    size: int
    sha256: str


class KeptMigration(_Kept):
    """A migration that had been applied to the database."""

    service: str
    number: int
    sha256: str


class KeptTable(_Kept):
    """A table: its columns with their types, and its rows, a few thousand in each file."""

    name: str
    columns: dict[str, str]
    files: tuple[KeptFile, ...]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(file.count for file in self.files)


class KeptPartition(_Kept):
    """The records of a partition of a topic."""

    topic: str
    partition: int
    file: KeptFile

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition, as the bus names it."""
        return TopicPartition(self.topic, self.partition)


class KeptOffset(_Kept):
    """The next offset of a group in a partition, as the bus that was backed up counts."""

    group: str
    topic: str
    partition: int
    offset: int

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition, as the bus names it."""
        return TopicPartition(self.topic, self.partition)


class Manifest(_Kept):
    """Everything that a backup holds.

    `database`: its name, which a restore gives it again; empty in a backup that did not keep it.
    `partitions`: how many each topic had. `account`: the simulated broker's account and which
    market it trades on, where `up` kept them beside the bus.
    """

    format: int
    version: str
    made_at: datetime
    bus: BusKind
    database: str = ""
    partitions: dict[str, int]
    topics: tuple[KeptPartition, ...]
    offsets: tuple[KeptOffset, ...]
    migrations: tuple[KeptMigration, ...]
    tables: tuple[KeptTable, ...]
    account: tuple[KeptFile, ...] = ()

    @property
    def files(self) -> tuple[KeptFile, ...]:
        """All files of the backup."""
        of_tables = (file for table in self.tables for file in table.files)
        return (*(one.file for one in self.topics), *of_tables, *self.account)

    @property
    def records(self) -> int:
        """The number of records of all topics."""
        return sum(one.file.count for one in self.topics)

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return sum(table.rows for table in self.tables)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest at once: it is there as a whole, or not at all."""
    draft = folder / f".{NAME}"
    with draft.open("w", encoding="utf-8") as file:
        file.write(manifest.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a complete backup; raise BackupError for anything else."""
    path = folder / NAME
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        why = "an interrupted backup" if folder.is_dir() else "no such folder"
        raise BackupError(f"{folder}: {why}: {NAME} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BackupError(f"{path}: damaged: {where or 'JSON'}: {first['msg']}") from None
    if manifest.format != FORMAT:
        raise BackupError(f"{path}: format {manifest.format}; this version reads {FORMAT}")
    return manifest
