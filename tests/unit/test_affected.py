"""Which tests a change touches, on a small tree of files."""

from pathlib import Path

import pytest

from tests.affected import (
    Choice,
    distances,
    imports_of,
    module_of,
    ordered,
    read_seconds,
    said,
    touched,
    within,
    write_seconds,
)

TREE = {
    "libs/a/__init__.py": "",
    "libs/a/core.py": "",
    "libs/a/shell.py": "from libs.a import core",
    "services/s/domain/rules.py": "from libs.a.core import x",
    "services/s/service.py": "import services.s.domain.rules",
    "tests/conftest.py": "",
    "tests/unit/fakes.py": "from libs.a.shell import y",
    "tests/unit/libs/a/conftest.py": "from tests.unit.fakes import z",
    "tests/unit/libs/a/test_core.py": "from libs.a.core import x",
    "tests/unit/libs/a/test_other.py": "",
    "tests/unit/services/s/test_rules.py": "from services.s.domain.rules import r",
    "tests/unit/services/s/test_service.py": "from services.s.service import s",
    "tests/unit/services/t/test_alone.py": "",
    "tests/integration/test_whole.py": "from services.s.service import s",
}
CORE, OTHER = "tests/unit/libs/a/test_core.py", "tests/unit/libs/a/test_other.py"
RULES, SERVICE = "tests/unit/services/s/test_rules.py", "tests/unit/services/s/test_service.py"
ALONE = "tests/unit/services/t/test_alone.py"


@pytest.mark.parametrize(
    ("path", "module"), [("libs/a/core.py", "libs.a.core"), ("libs/a/__init__.py", "libs.a")]
)
def test_a_module_is_named_by_its_path(path: str, module: str) -> None:
    assert module_of(path) == module


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import libs.a.core", {"libs", "libs.a", "libs.a.core"}),
        ("from libs.a import core", {"libs", "libs.a", "libs.a.core"}),
        ("from .core import x", {"libs", "libs.a", "libs.a.core", "libs.a.core.x"}),
        ("from . import core", {"libs", "libs.a", "libs.a.core"}),
        ("from ..b import core", {"libs", "libs.b", "libs.b.core"}),
        ("def f():\n    import os", {"os"}),
        ("x = 'import os'", set()),
    ],
)
def test_every_way_to_import_is_followed(source: str, names: set[str]) -> None:
    assert imports_of("libs/a/shell.py", source) == names


def test_a_distance_is_the_least_number_of_imports_up_to_a_change() -> None:
    assert distances({"libs/a/core.py"}, TREE) == {
        "libs/a/core.py": 0,
        "libs/a/shell.py": 1,
        "services/s/domain/rules.py": 1,
        CORE: 1,
        "services/s/service.py": 2,
        "tests/unit/fakes.py": 2,
        RULES: 2,
        "tests/unit/libs/a/conftest.py": 3,
        SERVICE: 3,
        "tests/integration/test_whole.py": 3,
        OTHER: 4,  # it may use the fixtures of the conftest beside it
    }


def test_modules_that_import_each_other_are_followed_once() -> None:
    assert distances({"a.py"}, {"a.py": "import b", "b.py": "import a"}) == {"a.py": 0, "b.py": 1}


def test_mirrored_tests_come_first_and_then_the_nearest() -> None:
    assert ordered({"libs/a/core.py"}, TREE) == [CORE, OTHER, RULES, SERVICE]
    assert ordered({"services/s/service.py"}, TREE) == [SERVICE, RULES]


def test_the_tests_of_a_part_without_a_folder_of_its_own_are_those_of_the_whole() -> None:
    assert ordered({"services/s/domain/rules.py"}, TREE) == [RULES, SERVICE]


def test_a_module_that_is_gone_touches_those_who_still_import_it() -> None:
    without = {path: source for path, source in TREE.items() if path != "libs/a/core.py"}
    assert ordered({"libs/a/core.py"}, without) == [CORE, OTHER, RULES, SERVICE]


def test_a_changed_test_runs_and_nothing_else_of_what_has_no_part_in_it() -> None:
    assert ordered({ALONE}, TREE) == [ALONE]


def test_a_file_that_is_no_module_touches_the_modules_of_the_nearest_folder() -> None:
    assert touched({"libs/a/data/rules.toml"}, TREE.keys()) == {
        "libs/a/__init__.py",
        "libs/a/core.py",
        "libs/a/shell.py",
    }
    assert touched({"README.md", "docs/glossary.md"}, TREE.keys()) == set()
    assert ordered({"docs/glossary.md"}, TREE) == []


@pytest.mark.parametrize("path", ["pyproject.toml", "tests/conftest.py"])
def test_what_holds_for_all_tests_touches_them_all(path: str) -> None:
    assert ordered({path}, TREE) == [CORE, OTHER, RULES, SERVICE, ALONE]


def test_the_first_files_that_fit_into_the_time_are_chosen() -> None:
    seconds = {"a": 10.0, "b": 10.0, "c": 10.0}
    assert within(["a", "b", "c"], seconds, 10) == Choice(("a", "b"), ("c",))
    assert within(["a", "b", "c"], seconds, 1) == Choice(("a",), ("b", "c"))
    assert within([], seconds, 1) == Choice((), ())


def test_what_has_no_time_is_named() -> None:
    words = said(Choice(("a",), ("b", "c")), {"x.py", "y.py"}, {"b": 10.0, "c": 2.0})
    assert words.splitlines() == [
        "2 changed files touch 3 unit test files; 1 run",
        "left to `make test`, about 12 s of work:",
        "  b",
        "  c",
    ]


def test_what_a_run_measured_is_kept_beside_what_is_known_of_others(tmp_path: Path) -> None:
    assert read_seconds(tmp_path) == {}
    write_seconds(tmp_path, {"a": 1.234, "b": 2.0})
    write_seconds(tmp_path, {"b": 3.0})
    assert read_seconds(tmp_path) == {"a": 1.23, "b": 3.0}
