"""The unit tests of what a change touches, nearest first, within a time: part of `make check`.

A test file is affected where it has changed, where it mirrors a changed file (`tests/unit/libs/x/`
mirrors `libs/x/`), or where it imports one, directly or through others. Mirrored tests come first,
then those with the fewest imports between them and the change. What has no time is named, and is
left to `make test`. A changed file that is no module counts as a change of the modules in its
folder, or in the nearest one above that has any. Processes that a test starts are not followed.
"""

import argparse
import ast
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SECONDS_FILE = Path("var/test_seconds.json")
"""Test file → seconds it took when it ran last; each run of pytest writes down what it ran."""
UNKNOWN_SECONDS = 0.7
WORKERS = 2
BUDGET_SECONDS = 75.0
UNITS = "tests/unit"
OF_ALL = frozenset({"pyproject.toml", "requirements-dev.lock", "tests/conftest.py"})
"""Files that may change the outcome of any test."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Test files to run, nearest to the change first, and those for which there is no time."""

    chosen: tuple[str, ...]
    left_out: tuple[str, ...]


def module_of(path: str) -> str:
    """Return the dotted name under which a Python file is imported."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: str, source: str) -> set[str]:
    """Return the dotted names that a file imports: modules, their packages, and names in them."""
    package = PurePosixPath(path).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(name for alias in node.names for name in _with_packages(alias.name))
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else ())))
            found.update(_with_packages(base), (f"{base}.{alias.name}" for alias in node.names))
    return found


def distances(changed: Iterable[str], sources: Mapping[str, str]) -> dict[str, int]:
    """Return how many imports lie between a file and the nearest change, of those that have any.

    `sources` are all Python files by path; 0 is a changed file itself.
    """
    importers = _importers(sources)
    found = dict.fromkeys(changed, 0)
    ring: Set[str] = set(found)
    while ring:
        distance = max(found[path] for path in ring) + 1
        ring = set().union(*(importers[module_of(path)] for path in ring)) - found.keys()
        found.update(dict.fromkeys(ring, distance))
    return found


def touched(changed: Iterable[str], sources: Set[str]) -> set[str]:
    """Return the modules that changed files are or belong to."""
    return {module for path in changed for module in _modules_of(path, sources)}


def ordered(changed: Set[str], sources: Mapping[str, str]) -> list[str]:
    """Return the affected unit test files, those that mirror a change first, then the nearest."""
    units = [path for path in sorted(sources) if _is_unit_test(path)]
    if changed & OF_ALL:
        return units
    modules = touched(changed, sources.keys())
    away = distances(modules, sources)
    folders = {_mirror(path, units) for path in modules}
    mirrored = {path for path in units if str(PurePosixPath(path).parent) in folders}
    affected = [path for path in units if path in away or path in mirrored]
    return sorted(affected, key=lambda path: (path not in mirrored, away.get(path, len(sources))))


def within(paths: Sequence[str], seconds: Mapping[str, float], budget: float) -> Choice:
    """Choose the first files that the workers finish within the budget, at least one."""
    chosen: list[str] = []
    for path in paths:
        budget -= seconds.get(path, UNKNOWN_SECONDS) / WORKERS
        if budget < 0 and chosen:
            break
        chosen.append(path)
    return Choice(tuple(chosen), tuple(paths[len(chosen) :]))


def said(choice: Choice, changed: Set[str], seconds: Mapping[str, float]) -> str:
    """Return what runs and what does not, for people."""
    lines = [
        f"{len(changed)} changed files touch "
        f"{len(choice.chosen) + len(choice.left_out)} unit test files; {len(choice.chosen)} run"
    ]
    if choice.left_out:
        rest = sum(seconds.get(path, UNKNOWN_SECONDS) for path in choice.left_out)
        lines.append(f"left to `make test`, about {rest:.0f} s of work:")
        lines += [f"  {path}" for path in choice.left_out]
    return "\n".join(lines)


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: length + 1]) for length in range(len(parts)))


def _importers(sources: Mapping[str, str]) -> defaultdict[str, set[str]]:
    importers: defaultdict[str, set[str]] = defaultdict(set)
    for path, source in sources.items():
        for name in imports_of(path, source) | _conftests(path):
            importers[name].add(path)
    return importers


def _conftests(path: str) -> set[str]:
    """Return the modules whose fixtures pytest gives to a test file without an import."""
    above = PurePosixPath(path).parents
    return {module_of(str(folder / "conftest.py")) for folder in above} - {module_of(path)}


def _modules_of(path: str, sources: Set[str]) -> set[str]:
    if path.endswith(".py"):
        return {path}
    for folder in list(PurePosixPath(path).parents)[:-1]:
        if here := {module for module in sources if PurePosixPath(module).parent == folder}:
            return here
    return set()


def _is_unit_test(path: str) -> bool:
    return path.startswith(f"{UNITS}/") and PurePosixPath(path).name.startswith("test_")


def _mirror(path: str, units: Sequence[str]) -> str:
    """Return the folder of tests that mirrors a module's, or the nearest above; none is empty."""
    for folder in list(PurePosixPath(path).parents)[:-2]:
        mirror = f"{UNITS}/{folder}"
        if any(str(PurePosixPath(unit).parent) == mirror for unit in units):
            return mirror
    return ""


def _git(*words: str) -> list[str]:
    done = subprocess.run(("git", *words), check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def _changed(since: str) -> set[str]:
    """Return what differs from a commit, with what git does not know yet."""
    return {*_git("diff", "--name-only", since), *_git("ls-files", "-o", "--exclude-standard")}


def _sources() -> dict[str, str]:
    known = _git("ls-files", "-co", "--exclude-standard", "*.py")
    return {path: Path(path).read_text() for path in known if Path(path).exists()}


def read_seconds(root: Path) -> dict[str, float]:
    """Return what test files took when they ran last; empty where none has run."""
    path = root / SECONDS_FILE
    found: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    return found


def write_seconds(root: Path, seconds: Mapping[str, float]) -> None:
    """Write down what test files took, beside what is known of others."""
    path = root / SECONDS_FILE
    known = read_seconds(root) | {name: round(took, 2) for name, took in seconds.items()}
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(known, indent=0, sort_keys=True))
    part.replace(path)


def main() -> int:
    """Run them; return pytest's exit status, 0 where nothing is affected."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--since", default="", help="commit; default: what is not committed yet")
    parser.add_argument("--budget", type=float, default=BUDGET_SECONDS, help="seconds")
    asked = parser.parse_args()
    changed = _changed(asked.since or "HEAD")
    if not changed and not asked.since:
        sys.stdout.write("nothing is uncommitted: what the last commit changed\n")
        changed = _changed("HEAD~1")
    seconds = read_seconds(Path())
    choice = within(ordered(changed, _sources()), seconds, asked.budget)
    sys.stdout.write(f"{said(choice, changed, seconds)}\n")
    sys.stdout.flush()
    if not choice.chosen:
        return 0
    pytest = (sys.executable, "-m", "pytest", "-q", f"--numprocesses={WORKERS}", "--dist=loadfile")
    return subprocess.run((*pytest, *choice.chosen), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
