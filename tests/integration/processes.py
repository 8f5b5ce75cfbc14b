"""Processes of our own for the tests: started, asked over HTTP, ended by their own id."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
TIMEOUT_SECONDS = 600.0


class Running:
    """A process in a session of its own, with what it says in files."""

    def __init__(
        self, command: Sequence[object], folder: Path, stdin: int = subprocess.DEVNULL
    ) -> None:
        words = [str(word) for word in command]
        number = len(list(folder.glob("stdout*")))
        self.out, self.err = folder / f"stdout.{number}", folder / f"stderr.{number}"
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self._child = subprocess.Popen(
                words, cwd=folder, stdin=stdin, stdout=out, stderr=err, start_new_session=True
            )

    def until(self, is_so: Callable[[], bool], what: str, every: float = 0.02) -> None:
        """Wait until something is so, asking every so many seconds.

        Fails when it never is, or when the process ends.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not is_so():
            assert self._child.poll() is None, f"ended before {what}: {self.last_words}"
            assert time.monotonic() < deadline, f"never happened: {what}: {self.last_words}"
            time.sleep(every)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self._child.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Return the exit status, once the process has ended by itself."""
        return self._child.wait(TIMEOUT_SECONDS)

    def kill(self) -> None:
        """End the process at once, if it still runs."""
        self._child.kill()
        self._child.wait()
        if self._child.stdin is not None:
            self._child.stdin.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def has_left_something(self) -> bool:
        """Whether a process of its session still runs."""
        try:
            os.killpg(self._child.pid, 0)
        except ProcessLookupError:
            return False
        return True

    @property
    def said(self) -> str:
        """What it wrote to stderr."""
        return self.err.read_text()

    @property
    def last_words(self) -> str:
        """The end of what it wrote to stderr."""
        return self.said[-2000:]


@contextmanager
def running(command: Sequence[object], folder: Path, *, asks: bool = False) -> Iterator[Running]:
    """Run a command in a folder; it is killed at the end, if it still runs.

    One that `asks` waits for an answer, which never comes.
    """
    process = Running(command, folder, subprocess.PIPE if asks else subprocess.DEVNULL)
    with ExitStack() as stack:
        stack.callback(process.kill)
        yield process


def python(*words: object) -> list[object]:
    """A command of this environment's Python."""
    return [sys.executable, *words]


def status_of(port: int, path: str = "/health/ready") -> int:
    """Return the HTTP status, 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def asked(port: int, path: str) -> dict[str, Any]:
    """Return the JSON that is answered."""
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as answer:
        body: dict[str, Any] = json.load(answer)
        return body


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that nobody uses.

    Test processes look in ranges of their own, below the ports that the system gives to clients.
    """
    for first in range(10_000 + os.getpid() % 200 * 100, 32_000, count):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.create_server((HOST, port)))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")
