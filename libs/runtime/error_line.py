"""Ends a process on an expected error: one line that says why, and an exit status."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from libs.errors import AlphaStocksError
from libs.runtime.shown import on_one_line

INTERRUPTED_STATUS = 130
"""128 and the number of SIGINT, as shells have it."""
FAILED_STATUS = 1
_INTERRUPTED = "interrupted by Ctrl-C"
_is_interrupted = threading.Event()


def note_interruption() -> None:
    """Record a Ctrl-C that a signal handler has taken; this process will end with its status."""
    _is_interrupted.set()


@contextmanager
def errors_as_one_line(name: str) -> Iterator[None]:
    """Turn an expected error into `name: reason` on stderr and its exit status.

    So with Ctrl-C, and with what the system refuses: a full disk, a lost permission.
    """
    _is_interrupted.clear()
    try:
        yield
    except AlphaStocksError as error:
        _end(name, error.line, error.exit_status)
    except KeyboardInterrupt:
        _end(name, _INTERRUPTED, INTERRUPTED_STATUS)
    except OSError as error:
        _end(name, system_reason(error), FAILED_STATUS)
    if _is_interrupted.is_set():
        _end(name, _INTERRUPTED, INTERRUPTED_STATUS)


def system_reason(error: OSError) -> str:
    """Return why the system refused something, after the file if there is one."""
    reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
    return f"{error.filename}: {reason}" if error.filename else reason


def _end(name: str, reason: str, status: int) -> NoReturn:
    if _is_interrupted.is_set() and status != INTERRUPTED_STATUS:
        reason, status = f"{_INTERRUPTED}; {reason}", INTERRUPTED_STATUS
    sys.stderr.write(f"{name}: {on_one_line(reason)}\n")
    sys.exit(status)
