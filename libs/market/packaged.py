"""Reads the data files: the packaged ones, and the user's own over them."""

import tomllib
from collections.abc import Callable, Mapping
from functools import cache, reduce
from importlib.resources import files
from typing import Any, TypeAlias, TypeVar, cast

from libs.market.merging import merged

Table: TypeAlias = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_forgotten: list[Callable[[], None]] = []
_own: dict[str, tuple[Table, ...]] = {}


def kept(read: F) -> F:
    """Keep the results of a function that reads tables, until other ones are put over them."""
    keeping = cache(read)
    _forgotten.append(keeping.cache_clear)
    return cast(F, keeping)


def packaged_names() -> tuple[str, ...]:
    """Return the names of the packaged files, `calendar.toml` among them."""
    folder = files("libs.market") / "data"
    return tuple(sorted(one.name for one in folder.iterdir() if one.name.endswith(".toml")))


@cache
def packaged_table(file_name: str) -> Table:
    """Read a TOML file of `libs/market/data`; callers must not change the result."""
    return tomllib.loads((files("libs.market") / "data" / file_name).read_text("utf-8"))


def layers(file_name: str) -> tuple[Table, ...]:
    """Return the packaged table and the user's own ones over it, the strongest last."""
    return (packaged_table(file_name), *_own.get(file_name, ()))


def own_tables() -> dict[str, tuple[Table, ...]]:
    """Return the user's own tables, by file name, for another process to put over its own."""
    return dict(_own)


@kept
def load_table(file_name: str) -> Table:
    """Return a table with the user's own ones in it; callers must not change the result."""
    return reduce(merged, layers(file_name))


def put_over(own: Mapping[str, tuple[Table, ...]]) -> None:
    """Put the user's own tables, by file name, over the packaged ones; none takes them off."""
    if dict(own) == _own:
        return
    _own.clear()
    _own.update(own)
    for forget in _forgotten:
        forget()
