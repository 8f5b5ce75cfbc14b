"""The local bus's journal: one append-only file per business partition, and one of offsets.

A record is a fixed header (lengths, checksum, event time, and a checksum of the header itself, to
tell a damaged length from a truncated file), then key, headers and value. Each record is written
to the operating system when it is published, so it survives a crash of the process; after `sync`
it survives a crash of the machine. A record truncated by a crash at the end of a file was never
acknowledged, and is removed when the file is opened again.
"""

import errno
import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from libs.events.bus import Message, Record, TopicPartition
from libs.events.errors import JournalBusy, JournalDamaged

_FIELDS = struct.Struct("<IIqHI")
_CHECKSUM = struct.Struct("<I")
_HEADER_SIZE = _FIELDS.size + _CHECKSUM.size


class Journal:
    """Records and committed offsets under one folder, used by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[TopicPartition, BinaryIO] = {}
        self._dirty: set[BinaryIO] = set()
        self._offsets: BinaryIO | None = None
        self._lock: BinaryIO | None = None

    def open(self) -> None:
        """Lock the folder; raise JournalBusy if another process has it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / "lock").open("a+b")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise JournalBusy(
                f"{self._folder} is in use by another alphastocks: stop it, or name another folder"
            ) from None
        self._offsets = (self._folder / "offsets.jsonl").open("a+b", buffering=0)

    def messages(self) -> Iterator[Message]:
        """Yield all messages, partition by partition, in order."""
        for path in sorted(self._folder.glob("*.log")):
            topic, _, partition = path.stem.rpartition("-")
            yield from _messages_of(path, TopicPartition(topic, int(partition)))

    def offsets(self) -> dict[tuple[str, TopicPartition], int]:
        """Return the last committed offset of each group and partition."""
        committed = {}
        path = self._folder / "offsets.jsonl"
        for number, line in enumerate(_whole_lines(path), 1):
            try:
                group, topic, partition, offset = json.loads(line)
            except (ValueError, TypeError):
                raise JournalDamaged(f"{path}: line {number} is no committed offset") from None
            committed[group, TopicPartition(topic, partition)] = offset
        return committed

    def append(self, partition: TopicPartition, record: Record) -> None:
        """Append one record to its partition."""
        file = self._files.get(partition) or self._open_file(partition)
        key = record.key.encode()
        headers = json.dumps([[name, value.hex()] for name, value in record.headers]).encode()
        body = key + headers + record.value
        fields = _FIELDS.pack(
            len(body), zlib.crc32(body), record.timestamp_ms, len(key), len(headers)
        )
        _write_whole(file, fields + _CHECKSUM.pack(zlib.crc32(fields)) + body)
        self._dirty.add(file)

    def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Write the offsets that a group committed."""
        lines = [
            json.dumps([group, partition.topic, partition.partition, offset])
            for partition, offset in offsets.items()
        ]
        if lines and self._offsets is not None:
            _write_whole(self._offsets, ("\n".join(lines) + "\n").encode())

    def sync(self) -> None:
        """Return when all records are on disk."""
        for file in self._dirty:
            os.fsync(file.fileno())
        self._dirty.clear()

    def close(self) -> None:
        """Sync, close and unlock the folder."""
        self.sync()
        for file in (*self._files.values(), self._offsets, self._lock):
            if file is not None:
                file.close()
        self._files.clear()
        self._offsets = self._lock = None

    def _open_file(self, partition: TopicPartition) -> BinaryIO:
        path = self._folder / f"{partition.topic}-{partition.partition}.log"
        self._files[partition] = path.open("ab", buffering=0)
        return self._files[partition]


def _messages_of(path: Path, partition: TopicPartition) -> Iterator[Message]:
    content = path.read_bytes()
    position = offset = 0
    while position < len(content):
        end = _end_of_record(path, content, position, offset)
        if end > len(content):
            os.truncate(path, position)
            return
        yield _message(path, content, position, partition, offset)
        position, offset = end, offset + 1


def _end_of_record(path: Path, content: bytes, position: int, offset: int) -> int:
    """Return where a record ends; beyond the content if it is truncated."""
    body = position + _HEADER_SIZE
    if body > len(content):
        return body
    fields = content[position : position + _FIELDS.size]
    if _CHECKSUM.unpack_from(content, position + _FIELDS.size)[0] == zlib.crc32(fields):
        return body + int(_FIELDS.unpack(fields)[0])
    if content.count(0, position) == len(content) - position:
        return len(content) + 1  # the machine crashed after the file grew, before it was written
    raise JournalDamaged(f"{path}: record {offset} at byte {position} has a damaged header")


def _message(
    path: Path, content: bytes, position: int, partition: TopicPartition, offset: int
) -> Message:
    length, checksum, timestamp_ms, key_length, headers_length = _FIELDS.unpack_from(
        content, position
    )
    start = position + _HEADER_SIZE
    body = content[start : start + length]
    if zlib.crc32(body) != checksum:
        raise JournalDamaged(f"{path}: record {offset} at byte {position} fails its checksum")
    headers = json.loads(body[key_length : key_length + headers_length])
    return Message(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        key=body[:key_length].decode(),
        value=body[key_length + headers_length :],
        timestamp_ms=timestamp_ms,
        headers=tuple((name, bytes.fromhex(value)) for name, value in headers),
    )


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a file; remove a last line that a crash truncated."""
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        os.truncate(path, end)
    return content[:end].splitlines()


def _write_whole(file: BinaryIO, content: bytes) -> None:
    """Append all or nothing; raise OSError if the disk is full."""
    written = file.write(content)
    if written != len(content):
        file.truncate(file.tell() - written)
        raise OSError(errno.ENOSPC, "no room for the journal", file.name)
