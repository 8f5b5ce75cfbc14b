"""Ends a process on an expected error: one line that says why, and an exit status."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from libs.errors import AlphaStocksError


@contextmanager
def errors_as_one_line(name: str) -> Iterator[None]:
    """Turn an expected error into `name: reason` on stderr and its exit status."""
    try:
        yield
    except AlphaStocksError as error:
        sys.stderr.write(f"{name}: {error.line}\n")
        sys.exit(error.exit_status)
