"""The folder of a server: one process at a time uses it, and its secrets are private.

The lock must hold while either process lives, us or the child server, so the child inherits its
descriptor and `release` merely closes ours. The `filelock` library does not allow that: its
release unlocks the description that the child shares, some versions delete the lock file, the
descriptor is not public, and a failed attempt empties the file that names the holder.
"""

import fcntl
import os
from pathlib import Path


class FolderLock:
    """At most one process on a folder; a child that inherits `descriptor` holds it too."""

    def __init__(self, folder: Path, busy: type[Exception]) -> None:
        self._folder = folder
        self._busy = busy
        self.descriptor = -1

    def take(self) -> None:
        """Lock the folder, or raise the error `busy` naming the folder and the process."""
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
        """Unlock the folder; does nothing when it is not locked."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
