"""A server as a child process on one folder.

The folder is locked while either process lives. The child ends with its parent, whatever ends the
parent (see `become`), so start it from the main thread.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.servers import become
from libs.servers.folder import FolderLock

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Kind:
    """What a server is called, the errors it raises, and how its reason is found in its log.

    `reason_of` gets the lines of this run, at least one; `stop_seconds` is how long the server may
    take to end.
    """

    name: str
    failed: type[Exception]
    busy: type[Exception]
    reason_of: Callable[[list[str]], str]
    stop_seconds: float


class Child:
    """The process of a server; what it says is appended to `log`, a file of the folder."""

    def __init__(self, kind: Kind, folder: Path, log: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._log = log
        self._log_start = 0
        self._lock = FolderLock(folder, kind.busy)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; raises the error `failed` where nothing runs."""
        return self._running().pid

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder; an error of what is done meanwhile ends the child and unlocks it."""
        if self._process is not None and self._process.poll() is None:
            raise self._kind.busy(f"the server on {self._folder} runs already")
        self.kill()  # what is left of one that ended by itself
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.take()
        try:
            self._log_start = self._log.stat().st_size if self._log.exists() else 0
            yield
        except BaseException:
            self.stop()
            raise

    def start(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        """Run a command in the folder, with these variables besides our own."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  the words are ours
                [sys.executable, become.__file__, str(os.getpid()), *command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends us first, and we end the server
                env={**os.environ, **(environment or {})},
                pass_fds=(self._lock.descriptor,),
            )

    def wait(self, answers: Callable[[], bool], seconds: float) -> None:
        """Return once the server answers; raise the error `failed` where it ends or is late."""
        deadline = time.monotonic() + seconds
        while not answers():
            status = self._running().poll()
            if status is not None:
                raise self.failure(f"{self._kind.name} ended with status {status}")
            if time.monotonic() > deadline:
                raise self.failure(f"no answer in {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End the server, by force if it does not end in time, and unlock the folder."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(self._kind.stop_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.kill()

    def kill(self) -> None:
        """End the server at once, as a crash would, and unlock the folder."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        self._lock.release()

    def failure(self, what: str) -> Exception:
        """Return the error `failed`: what happened, the log, and the reason that stands there."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()] or ["nothing was written"]
        return self._kind.failed(f"{what}: {self._log}: {self._kind.reason_of(said)}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise self._kind.failed(f"the server on {self._folder} is not running")
        return self._process
