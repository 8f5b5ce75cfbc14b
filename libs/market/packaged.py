"""Reads the packaged data files."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load_table(file_name: str) -> dict[str, Any]:
    """Read a TOML file of `libs/market/data`; callers must not change the result."""
    return tomllib.loads((files("libs.market") / "data" / file_name).read_text("utf-8"))
