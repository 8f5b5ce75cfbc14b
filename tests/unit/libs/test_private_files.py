import stat
from pathlib import Path

from libs.private_files import write_private


def test_a_private_file_takes_the_place_of_one_that_was_not(tmp_path: Path) -> None:
    path = tmp_path / "users.xml"
    path.write_text("old and long")
    path.chmod(0o644)
    write_private(path, "secret")
    assert path.read_text() == "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
