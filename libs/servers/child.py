"""A server as a child process on one folder.

The folder is locked while either process lives. The child is killed when the thread that started
it ends (see `become`), so start it from the main thread.
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
_OURS = "ALPHASTOCKS_"
"""Variables of our settings: a server reads none of them, and some hold secrets."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server: its name, its errors, and how to find the reason of a failure in its log.

    `reason_of` gets the lines of this run, at least one; `stop_seconds` is the timeout of a stop.
    """

    name: str
    failed: type[Exception]
    busy: type[Exception]
    reason_of: Callable[[list[str]], str]
    stop_seconds: float


class Child:
    """The process of a server; its output is appended to `log`, a file in the folder."""

    def __init__(self, kind: Kind, folder: Path, log: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._log = log
        self._log_start = 0
        self._lock = FolderLock(folder, kind.busy)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; raises the error `failed` if it does not run."""
        return self._running().pid

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder; an error inside the context ends the child and unlocks the folder."""
        if self._process is not None and self._process.poll() is None:
            raise self._kind.busy(f"the server on {self._folder} runs already")
        self.kill()  # cleans up after a child that ended by itself
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.take()
        try:
            self._log_start = self._log.stat().st_size if self._log.exists() else 0
            yield
        except BaseException:
            self.stop()
            raise

    def start(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        """Run a command in the folder, with additional environment variables; without our own."""
        theirs = {name: text for name, text in os.environ.items() if not name.startswith(_OURS)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  no external input
                [sys.executable, become.__file__, str(os.getpid()), *command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to the parent, which ends the server
                env={**theirs, **(environment or {})},
                pass_fds=(self._lock.descriptor,),
            )

    def wait(self, answers: Callable[[], bool], seconds: float) -> None:
        """Return when the server answers; raise `failed` if it ends, or after a timeout."""
        deadline = time.monotonic() + seconds
        while not answers():
            status = self._running().poll()
            if status is not None:
                raise self.failure(f"{self._kind.name} ended with status {status}")
            if time.monotonic() > deadline:
                raise self.failure(f"no answer in {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Terminate the server, kill it after the timeout, and unlock the folder."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(self._kind.stop_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.kill()

    def kill(self) -> None:
        """Kill the server, and unlock the folder."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        self._lock.release()

    def failure(self, what: str) -> Exception:
        """Return the error `failed`: what happened, the log's path, and the reason in it."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        written = [line.strip() for line in lines if line.strip()] or ["nothing was written"]
        return self._kind.failed(f"{what}: {self._log}: {self._kind.reason_of(written)}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise self._kind.failed(f"the server on {self._folder} is not running")
        return self._process
