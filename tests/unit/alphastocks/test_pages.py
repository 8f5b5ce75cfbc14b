"""The examples on the pages run as they stand."""

import importlib
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import alphastocks
from services.strategy.finding import ENTRY_POINTS

ROOT = Path(__file__).parents[3]
PAGES = {"pullback": ROOT / "README.md", "breakout": ROOT / "docs" / "strategies.md"}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pages' Python, each block in the file that its first line names."""
    for page in PAGES.values():
        for text in blocks(page, "python"):
            name = text.splitlines()[0].removeprefix("# ")
            (tmp_path / name).write_text(text)
            monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", PAGES)
def test_the_example_of_a_page_passes_the_test_beside_it(name: str, written: Path) -> None:
    tests = imported(f"test_{name}", written)
    run = [getattr(tests, one) for one in dir(tests) if one.startswith("test_")]
    assert len(run) == 1
    run[0]()


@pytest.mark.parametrize("name", PAGES)
def test_the_example_of_a_page_imports_only_what_is_public(name: str, written: Path) -> None:
    source = (written / f"{name}.py").read_text()
    modules = re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE)
    assert set(modules) <= {"alphastocks", "pandas"}
    strategies = [
        one
        for one in vars(imported(name, written)).values()
        if isinstance(one, type) and issubclass(one, alphastocks.Strategy)
    ]
    assert name in [getattr(one, "name", None) for one in strategies]


def test_the_page_names_the_entry_points_as_the_service_looks_for_them(written: Path) -> None:
    packaging, settings = (tomllib.loads(text) for text in blocks(PAGES["breakout"], "toml"))
    points = packaging["project"]["entry-points"][ENTRY_POINTS]
    for name, value in points.items():
        module, _, attribute = value.partition(":")
        assert getattr(imported(module, written), attribute).name == name
    assert set(points) <= {one["name"] for one in settings["strategy"]["strategies"]}


def imported(name: str, folder: Path) -> ModuleType:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).parent == folder
    return module
