from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.local.backup.backing_up import make_folder
from services.local.backup.errors import BackupError
from services.local.backup.files import FileWriter, check, content_of, lines_of
from services.local.backup.manifest import (
    FORMAT,
    KeptFile,
    Manifest,
    read_manifest,
    write_manifest,
)

EMPTY = Manifest(
    format=FORMAT,
    version="0.1.0",
    made_at=datetime(2026, 6, 17, tzinfo=UTC),
    bus="journal",
    partitions={},
    topics=(),
    offsets=(),
    migrations=(),
    tables=(),
)


def written(folder: Path) -> KeptFile:
    writer = FileWriter(folder, "topics/orders/0.jsonl.gz")
    writer.write(b"first\n", 1)
    writer.write(b"second\nthird\n", 2)
    return writer.close()


def test_a_file_comes_back_as_it_was_written_and_says_how_much_it_holds(tmp_path: Path) -> None:
    file = written(tmp_path)
    check(tmp_path, file)
    assert file.count == 3
    assert file.size == (tmp_path / file.name).stat().st_size
    assert content_of(tmp_path, file) == b"first\nsecond\nthird\n"
    assert list(lines_of(tmp_path, file)) == [b"first\n", b"second\n", b"third\n"]


def test_the_same_content_makes_the_same_file(tmp_path: Path) -> None:
    assert written(tmp_path / "a").sha256 == written(tmp_path / "b").sha256


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_one_changed_byte_is_found(tmp_path: Path, at: int) -> None:
    file = written(tmp_path)
    path = tmp_path / file.name
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupError, match=r"0\.jsonl\.gz: damaged"):
        check(tmp_path, file)


def test_a_file_outside_the_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    file = KeptFile(name="../outside", count=0, size=0, sha256="")
    with pytest.raises(BackupError, match="not in the folder"):
        check(tmp_path / "backup", file)


def test_a_manifest_comes_back_and_leaves_no_draft(tmp_path: Path) -> None:
    write_manifest(tmp_path, EMPTY)
    assert read_manifest(tmp_path) == EMPTY
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_folder_of_a_backup_is_new_or_empty_and_can_be_made(tmp_path: Path) -> None:
    make_folder(tmp_path / "new" / "folder")
    make_folder(tmp_path / "new" / "folder")
    with pytest.raises(BackupError, match="not empty"):
        make_folder(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(BackupError, match=r"file: "):
        make_folder(tmp_path / "file")
