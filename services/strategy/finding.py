"""Finds strategies: built in, of installed packages, and in a folder of the settings.

A package adds a strategy by an entry point of group `alphastocks.strategies`, whose name is the
strategy's and whose object is a subclass of `alphastocks.Strategy`; nothing here changes. What
cannot be loaded is kept with the reason: it stops nobody who does not use it.

To load a strategy is to run its code. What the settings do not name is therefore left alone.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isabstract
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeAlias

from libs.errors import AlphaStocksError
from libs.strategy.failures import line_within
from libs.strategy.strategy import Strategy
from services.strategy.domain.registry import KnownStrategies, UnknownStrategy
from services.strategy.domain.strategies import BUILT_IN

ENTRY_POINTS = "alphastocks.strategies"
DEFAULT_FOLDER = Path("strategies")
"""The folder that is used where it exists and the settings name none."""
_MODULES = "alphastocks_strategies"
Load: TypeAlias = Callable[[], list[type[Strategy]]]
"""Returns the classes of an entry point or a file; raises _Broken."""


class _Broken(AlphaStocksError):
    """A strategy that cannot be loaded; the text says why."""


def known_strategies(
    folder: Path | None = None, named: Collection[str] | None = None
) -> KnownStrategies:
    """Return all strategies, or those that are `named` and the built-in ones.

    Without a folder it is `strategies` in the current one, if that exists. Raises UnknownStrategy
    for a folder that is not there.
    """
    if folder is None and DEFAULT_FOLDER.is_dir():
        folder = DEFAULT_FOLDER
    classes = {one.name: one for one in BUILT_IN}
    sources = dict.fromkeys(classes, "built in")
    broken: dict[str, str] = {}
    for source, name, load in _sources(folder, named):
        if source.is_spare and named is not None and classes.keys() >= set(named):
            continue
        try:
            found = load()
        except _Broken as error:
            broken[name] = str(error)
            continue
        for one in found:
            if one.name in classes:
                broken[name] = f"{one.name} is {sources[one.name]} already"
            else:
                classes[one.name], sources[one.name] = one, source.text
    return KnownStrategies(classes, sources, broken)


class _Source(NamedTuple):
    """Where a strategy comes from; what is spare is run only where a name is still missing."""

    text: str
    is_spare: bool = False


def _sources(
    folder: Path | None, named: Collection[str] | None
) -> Iterator[tuple[_Source, str, Load]]:
    """Yield where a strategy comes from, under which name it is told, and how it is loaded.

    A file may define a strategy of another name than its own: such files come last.
    """
    for point in entry_points(group=ENTRY_POINTS):
        if named is None or point.name in named:
            package = point.dist.name if point.dist else point.value
            yield _Source(f"in package {package}"), point.name, partial(_of_entry_point, point)
    for path in sorted(_files(folder), key=lambda one: (one.stem not in (named or ()), one)):
        is_spare = named is not None and path.stem not in named
        yield _Source(f"in {path}", is_spare), path.stem, partial(strategies_in, path)


def _files(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        return
    if not folder.is_dir():
        raise UnknownStrategy(f"strategy.folder: there is no folder {folder}")
    for path in folder.glob("*.py"):
        if not path.name.startswith(("_", "test_")):
            yield path


def strategies_in(path: Path) -> list[type[Strategy]]:
    """Return the strategies that a file defines; raise an AlphaStocksError that names the line."""
    if not path.is_file():
        raise _Broken(f"{path}: there is no such file")
    module = _module(path)
    found = [one for one in vars(module).values() if _is_defined(one, module)]
    if not found:
        raise _Broken(f"{path}: it defines no subclass of alphastocks.Strategy with on_candle")
    for one in found:
        if not isinstance(getattr(one, "name", None), str):
            raise _Broken(f"{path}: {one.__name__} has no name, such as name = {path.stem!r}")
    return found


def _of_entry_point(point: EntryPoint) -> list[type[Strategy]]:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:
        raise _Broken(f"{point.value}: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise _Broken(f"{point.value} is not a subclass of alphastocks.Strategy")
    name = getattr(found, "name", None)
    if name != point.name:
        raise _Broken(f"{point.value} has the name {name!r}, its entry point {point.name!r}")
    return [found]


def _module(path: Path) -> ModuleType:
    name = f"{_MODULES}.{path.stem}"
    spec = spec_from_file_location(name, path.absolute())
    if spec is None or spec.loader is None:
        raise _Broken(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module  # so that annotations of its classes can be read
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _Broken(_where(error, path)) from error
    return module


def _is_defined(one: object, module: ModuleType) -> bool:
    if not (isinstance(one, type) and issubclass(one, Strategy)):
        return False
    return one.__module__ == module.__name__ and not isabstract(one)


def _where(error: BaseException, path: Path) -> str:
    """Return what went wrong, and in which line of the file."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    line = line_within(error, str(path.absolute())) or line
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    at = f", line {line}" if line else ""
    return f"{path}{at}: {type(error).__name__}: {said}"
