"""Imports that the garbage collector must not disturb."""

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the collector off: CPython 3.11 can refuse to parse a module while it runs.

    ("AST constructor recursion depth mismatch".) pytest parses every module of a plugin's package
    to rewrite its asserts, whenever that is imported.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def import_undisturbed(name: str) -> Any:
    """Import a module of a pytest plugin's package."""
    with undisturbed():
        return importlib.import_module(name)
