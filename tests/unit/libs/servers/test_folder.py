import os
import subprocess
from pathlib import Path

import pytest

from libs.servers.folder import FolderLock


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
