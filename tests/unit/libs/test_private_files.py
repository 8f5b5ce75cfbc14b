"""Files that only their owner may read."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from libs.private_files import keep_private

PROGRAM = """
import sys
from pathlib import Path
from libs.private_files import keep_private

keep_private()
folder = Path(sys.argv[1])
(folder / "made").mkdir()
(folder / "made" / "file").write_text("mine")
"""


def test_what_a_process_makes_is_its_owners_alone(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=True)
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "made" / "file").stat().st_mode) == 0o600


def test_children_inherit_it() -> None:
    before = os.umask(0o022)
    try:
        keep_private()
        child = [sys.executable, "-c", "import os; print(os.umask(0))"]
        assert subprocess.run(child, check=True, capture_output=True).stdout.strip() == b"63"
    finally:
        os.umask(before)
