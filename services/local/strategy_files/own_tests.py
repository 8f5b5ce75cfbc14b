"""Runs the test functions that lie beside a strategy's file, without pytest."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from linecache import getline
from pathlib import Path
from types import FunctionType, ModuleType

from libs.strategy.failures import line_within
from services.local.strategy_files.trial import Check


def own_tests(strategy_file: Path) -> Iterator[Check]:
    """Yield a check for each `test_` function of `test_<name>.py` beside the strategy's file."""
    path = strategy_file.absolute().with_name(f"test_{strategy_file.name}")
    if not path.is_file():
        return
    with _importable(strategy_file):
        try:
            module = _loaded(path)
        except (Exception, SystemExit) as error:  # noqa: BLE001  it is said, and counts as failed
            yield Check(path.name, is_right=False, seen=_said(error, path))
            return
        for name, one in vars(module).items():
            if name.startswith("test_") and isinstance(one, FunctionType):
                yield _run(name, one, path)


def _run(name: str, test: FunctionType, path: Path) -> Check:
    what = name.removeprefix("test_").replace("_", " ")
    if signature(test).parameters:
        return Check(what, is_right=False, seen="it takes arguments: run it with pytest")
    try:
        test()
    except (Exception, SystemExit) as error:  # noqa: BLE001  it is said, and counts as failed
        return Check(what, is_right=False, seen=_said(error, path))
    return Check(what, is_right=True, seen="yes")


@contextmanager
def _importable(file: Path) -> Iterator[None]:
    """Let tests import the strategy by its file's name, as it stands now."""
    folder = str(file.resolve().parent)
    sys.modules.pop(file.stem, None)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        sys.modules.pop(file.stem, None)


def _loaded(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"_tests_of_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _said(error: BaseException, path: Path) -> str:
    """Return the error, and the last line of the file that led to it."""
    line = line_within(error, str(path))
    where = f"line {line}: {getline(str(path), line).strip()}: " if line else ""
    said = str(error)
    return f"{where}{type(error).__name__}" + (f": {said}" if said else "")
