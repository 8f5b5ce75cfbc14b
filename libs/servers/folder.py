"""The folder of a server: a lock for one process at a time, and private files.

The lock must hold while the parent or the child lives. So the child inherits its descriptor, and
`release` only closes the parent's. The `filelock` library cannot do that: its release unlocks the
child's lock too, some versions delete the lock file, the descriptor is not public, and a failed
attempt empties the file that names the holder.
"""

import fcntl
import os
from pathlib import Path


class FolderLock:
    """A lock on a folder; a child that inherits `descriptor` holds it too."""

    def __init__(self, folder: Path, busy: type[Exception]) -> None:
        self._folder = folder
        self._busy = busy
        self.descriptor = -1

    def take(self) -> None:
        """Lock the folder; raise the error `busy`, which names the folder and the process."""
        path = self._folder / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            holder = path.read_text().strip() or "unknown"
            raise self._busy(
                f"{self._folder} is in use by process {holder}: end it, or use another folder"
            ) from None
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self.descriptor = descriptor

    def release(self) -> None:
        """Unlock the folder; do nothing if it is not locked."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def is_locked(lock: Path) -> bool:
    """Return whether a process holds a lock of its own on a file; OSError without the file.

    Who looks holds the lock for a moment, and shares it with others who look.
    """
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
