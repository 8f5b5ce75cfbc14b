"""The Makefile's targets, its help and the lists in it agree with each other and with the pages."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text().replace("\\\n", "")
TARGETS = set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, re.MULTILINE))


def listed(name: str) -> list[str]:
    """Return the words after a name that may stand on several lines."""
    found = re.findall(rf"^{re.escape(name)} *:=? *(.*)$", MAKEFILE, re.MULTILINE)
    assert found, name
    return " ".join(found).split()


def helped() -> list[tuple[str, str]]:
    """Return each target that `make help` shows, with its sentence."""
    command = ["make", "--no-print-directory", "help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([\w-]+) +(\S.*)$", said, re.MULTILINE)


def test_no_target_is_mistaken_for_a_file() -> None:
    assert set(listed(".PHONY")) == TARGETS


def test_help_shows_every_target_once_with_what_it_does() -> None:
    names = [name for name, _ in helped()]
    assert sorted(names) == sorted(TARGETS)


def test_help_shows_the_targets_to_begin_with_first() -> None:
    first = listed("FIRST")
    assert len(first) == 5
    assert {name for name, _ in helped()[:5]} == set(first)


def test_the_pages_name_no_target_that_is_not_there() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    named = set(re.findall(r"(?:^    |`)make ([a-z][\w-]*)", text, re.MULTILINE))
    assert named
    assert named <= TARGETS


def test_the_pythons_that_are_asked_for_wheels_are_those_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: "
    named = [one.removeprefix(prefix) for one in project["classifiers"] if one.startswith(prefix)]
    assert listed("PYTHONS") == [one for one in named if "." in one]
    assert project["requires-python"] == f">={listed('PYTHONS')[0]}"
