"""Reading of the dated data files that ship with the package."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load_table(file_name: str) -> dict[str, Any]:
    """Read a TOML file of `libs/market/data`; callers must not change what they get."""
    return tomllib.loads((files("libs.market") / "data" / file_name).read_text("utf-8"))
