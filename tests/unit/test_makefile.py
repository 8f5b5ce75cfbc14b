"""The Makefile's targets, its help and the lists in it agree with each other and with the pages."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, what its stamps depend on, and an environment made there."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "libs" / "runtime", folder / "libs" / "runtime")
    for name in ("Makefile", "pyproject.toml", *(path.name for path in ROOT.glob("*.lock"))):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for kind in ("made", "run"):
        stamp = folder / ".venv" / f".{kind}-{sys.version_info.major}.{sys.version_info.minor}"
        stamp.write_text(str(folder / ".venv"))
    (folder / "var").mkdir()
    return folder


def made(folder: Path, *words: str) -> str:
    """Return what make would run."""
    command = ["make", "--dry-run", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("words", [(), (f"PYTHON={sys.executable}",)])
def test_an_environment_without_its_python_or_of_another_place_is_not_up_to_date(
    checkout: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert "deploy/environment.py" not in made(checkout, "setup", *words)
    moved = tmp_path / "moved"
    shutil.copytree(checkout, moved, symlinks=True)
    assert "deploy/environment.py run" in made(moved, "setup", *words)
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert "deploy/environment.py run" in made(checkout, "setup", *words)


def test_clean_leaves_orders_and_positions_and_their_removal_needs_a_word(checkout: Path) -> None:
    make = ["make", "--silent"]
    subprocess.run([*make, "clean"], cwd=checkout, check=True)
    assert not (checkout / ".venv").exists()
    refused = subprocess.run(
        [*make, "erase-var"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert "SURE=yes" in refused.stderr
    assert (checkout / "var").exists()
    subprocess.run([*make, "erase-var", "SURE=yes"], cwd=checkout, check=True)
    assert not (checkout / "var").exists()
