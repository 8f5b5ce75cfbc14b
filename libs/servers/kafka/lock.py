"""Who uses a folder."""

import fcntl
import os
from pathlib import Path

from libs.servers.kafka.errors import KafkaFolderBusy


class FolderLock:
    """At most one process on a folder; a child that inherits `descriptor` holds it too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.descriptor = -1

    def take(self) -> None:
        """Lock the folder, or raise KafkaFolderBusy naming the folder and the process."""
        path = self._folder / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            holder = path.read_text().strip() or "unknown"
            raise KafkaFolderBusy(
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
