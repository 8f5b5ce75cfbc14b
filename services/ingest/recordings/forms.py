"""The forms in which ticks were kept, told by a file's first bytes, and the reader of each."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

from libs.runtime.error_line import system_reason
from services.ingest.recordings.csv_form import read_csv
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.json_form import read_json_lines
from services.ingest.recordings.parquet_form import read_parquet
from services.ingest.recordings.table import Table

SUFFIXES = (
    *(".csv.gz", ".csv", ".parquet"),
    *(".jsonl.gz", ".jsonl", ".json.gz", ".json"),
)
_GZIP, _PARQUET, _BYTE_ORDER_MARK = b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf"
_JSON = (b"[", b"{")
Reader = Callable[[Path, bytes], Table]


def read_table(path: Path) -> Table:
    """Read a file; raise RecordingError naming it if it cannot be read."""
    content = content_of(path)
    return reader_of(content)(path, content)


def reader_of(content: bytes) -> Reader:
    """Return the reader of a content's form."""
    if content.startswith(_PARQUET):
        return read_parquet
    if content[:1024].removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(_JSON):
        return read_json_lines
    return read_csv


def header_of(path: Path) -> tuple[str, ...]:
    """Return the column names of a CSV file; none for another form or a damaged file."""
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == _GZIP
        with gzip.open(path) if is_packed else path.open("rb") as file:
            line = file.readline()
    except (OSError, EOFError, zlib.error):
        return ()
    if reader_of(line) is not read_csv:
        return ()
    text = line.removeprefix(_BYTE_ORDER_MARK).decode(errors="replace")
    return tuple(name.strip(' "\r\n').lower() for name in text.split(","))


def content_of(path: Path) -> bytes:
    """Return a file's content, unpacked; raise RecordingError naming it if it cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or system_reason(error)}") from None
    if not content.startswith(_GZIP):
        if path.name.endswith(".gz"):
            raise RecordingError(f"{path}: damaged: it is not packed by gzip")
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path}: damaged or cut off: {error}") from None
