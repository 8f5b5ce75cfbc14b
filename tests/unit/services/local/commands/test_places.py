import resource
from pathlib import Path

import pytest

from libs.runtime.settings import SettingsError
from services.local.commands.places import (
    check_apart,
    check_file,
    check_folder,
    check_readable,
)
from services.local.commands.played_day import write_outcome
from tests.integration.commands import alphastocks


def test_a_folder_that_can_be_made_is_left_to_the_run(tmp_path: Path) -> None:
    check_folder("--out", tmp_path / "a" / "b")
    check_folder("--out", Path("new"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "cannot be a folder"),
        ("file/below", "file is a file"),
        ("/proc/x", "written in /proc: No such"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_with_its_option(
    tmp_path: Path, place: str, reason: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=rf"^--out: .*{reason}"):
        check_folder("--out", tmp_path / place)


def test_a_dangling_link_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(SettingsError, match="link is a file"):
        check_folder("--out", tmp_path / "link" / "below")


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^--state: .* is a folder, not a file"):
        check_file("--state", tmp_path)


def test_a_result_is_not_written_over_what_it_is_made_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recording = tmp_path / "chain.csv"
    recording.write_text("the only copy")
    (tmp_path / "link.csv").symlink_to(recording)
    with pytest.raises(SettingsError, match=r"^--out: .*link.csv would be overwritten"):
        check_apart("--out", tmp_path / "link.csv", recording)
    check_apart("--out", tmp_path / "other.csv", recording)
    assert alphastocks(monkeypatch, "chain", recording, "--underlying", "NIFTY", "--out", recording)
    assert recording.read_text() == "the only copy"


def test_page_and_csv_of_a_report_are_not_one_file(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "june"
    assert alphastocks(monkeypatch, "report", "--csv", file, "--html", file, "--var", tmp_path)
    assert "--html:" in capfd.readouterr().err


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"^DIR: .*file: Not a directory"):
        check_readable("DIR", tmp_path / "file")


def test_a_disk_that_is_full_at_the_end_is_named_and_nothing_is_half_written(
    tmp_path: Path,
) -> None:
    """The kernel's limit of a file's size stands in for a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(SettingsError, match=r"^--out: .*: File too large"):
            write_outcome(tmp_path, {"orders.jsonl": "x" * 10, "candles.csv": "x" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
