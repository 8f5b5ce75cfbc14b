import os
import stat
import subprocess
from pathlib import Path

import pytest

from libs.servers.folder import FolderLock, write_private


class Busy(Exception):
    pass


def test_a_locked_folder_is_refused_with_the_folder_and_the_process(tmp_path: Path) -> None:
    holder, other = FolderLock(tmp_path, Busy), FolderLock(tmp_path, Busy)
    holder.take()
    for _ in range(2):  # who is refused does not erase who holds it
        with pytest.raises(Busy, match=f"{tmp_path} is in use by process {os.getpid()}: end it"):
            other.take()
    holder.release()
    other.take()
    other.release()
    other.release()


def test_a_child_that_inherits_the_lock_holds_it_after_we_released_it(tmp_path: Path) -> None:
    holder, other = FolderLock(tmp_path, Busy), FolderLock(tmp_path, Busy)
    holder.take()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(holder.descriptor,)) as child:
        holder.release()
        with pytest.raises(Busy):
            other.take()
        child.communicate()
    other.take()
    other.release()


def test_a_private_file_takes_the_place_of_one_that_was_not(tmp_path: Path) -> None:
    path = tmp_path / "users.xml"
    path.write_text("old and long")
    path.chmod(0o644)
    write_private(path, "secret")
    assert path.read_text() == "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
