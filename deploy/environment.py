"""Makes the environment in .venv, for the Makefile: `python deploy/environment.py run` or `dev`.

`run` is what running needs, `dev` the developer's tools on top of it. Each step says what it
installs, how large that is and how long it took. The stamp, `.venv/.run-3.11` say, is written at
the end, and holds the place of .venv. An environment of another Python, one whose Python is gone,
one that was moved or copied, or one that was left half made, is made anew; a step that was left
half done is done again from its beginning. Uses the standard library alone.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

VENV = Path(".venv")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SHOWN_EVERY_SECONDS = 1.0
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
IMPORT_ALL = "import services.local.__main__, alphastocks.testing"

Run: TypeAlias = Callable[[Sequence[str], str], int]
"""Runs a command, showing a text, and returns its exit status."""


class NotMade(Exception):
    """The environment could not be made; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """What pip installs at once. `text` says what and how large: to fetch, and in .venv.

    What running needs is compiled by its first import: half of it is never imported.
    """

    name: str
    text: str
    words: tuple[str, ...]


def _locked(*locks: str) -> tuple[str, ...]:
    return ("--require-hashes", *(f"--requirement={lock}.lock" for lock in locks))


STEPS = {
    "run": (
        Step(
            "packages",
            "Packages (90 MB to fetch, 300 MB here)",
            ("--no-compile", *_locked("requirements", "requirements-build")),
        ),
        Step(
            "clickhouse",
            "ClickHouse (180 MB to fetch, 860 MB here)",
            ("--no-compile", "--no-deps", *_locked("requirements-clickhouse")),
        ),
        Step(
            "alphastocks",
            "AlphaStocks itself",
            ("--no-deps", "--no-build-isolation", "--editable", "."),
        ),
    ),
    "dev": (
        Step(
            "tools",
            "Developer's tools (70 MB to fetch, 300 MB here)",
            _locked("requirements-dev"),
        ),
    ),
}


def make(kind: str, venv: Path, run: Run) -> None:
    """Make the environment, or what it lacks; raise NotMade with the reason."""
    made = venv / f".made-{PYTHON}"
    if not (_is_here(made, venv) and (venv / "bin" / "python").exists()):
        _make_venv(venv, run)
        made.write_text(str(venv.resolve()))
    for step in STEPS[kind]:
        _install(step, venv, run)
    if kind == "run" and run((str(venv / "bin" / "python"), "-c", IMPORT_ALL), "First start"):
        raise NotMade("alphastocks is installed and does not start; the reason stands above")
    (venv / f".{kind}-{PYTHON}").write_text(str(venv.resolve()))


def _is_here(stamp: Path, venv: Path) -> bool:
    """Whether a stamp was written where .venv is now: its scripts hold that place."""
    return stamp.exists() and stamp.read_text() == str(venv.resolve())


def _make_venv(venv: Path, run: Run) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        raise NotMade(
            f"{sys.executable} cannot make virtual environments: install its venv package "
            f"(on Debian and Ubuntu: apt install python{PYTHON}-venv)"
        )
    if venv.exists():
        shutil.rmtree(venv)
    outside = getattr(sys, "_base_executable", sys.executable)
    if run((outside, "-m", "venv", str(venv)), f"Environment of Python {PYTHON}"):
        raise NotMade(f"{venv} could not be made; the reason stands above")


def _install(step: Step, venv: Path, run: Run) -> None:
    begun = venv / f".begun-{step.name}"
    again = ("--force-reinstall",) if begun.exists() else ()
    begun.touch()
    if run((str(venv / "bin" / "python"), *PIP, *again, *step.words), step.text):
        raise NotMade(
            f"{step.name}: not installed; pip says why above. Where it reaches no package index, "
            "see `pip config list` and the proxy variables. Then the same command again"
        )
    begun.unlink()


def run_shown(command: Sequence[str], text: str) -> int:
    """Run a command; on a terminal show how the seconds and the size of .venv grow."""
    started, is_terminal = time.monotonic(), sys.stdout.isatty()
    fetched = VENV.absolute() / ".fetched"
    fetched.mkdir(parents=True, exist_ok=True)
    _write(f"{text} ... ")
    with subprocess.Popen(command, env=_environment(fetched)) as process:  # noqa: S603  STEPS says which
        while (status := _status_within(SHOWN_EVERY_SECONDS, process)) is None:
            if is_terminal:
                _rewrite(f"{text} ... {_megabytes(VENV)} MB in .venv, {_since(started)}")
    if is_terminal:
        _rewrite(f"{text} ... ")
    _write(f"{_since(started)}\n")
    shutil.rmtree(fetched, ignore_errors=True)
    return status


def _environment(fetched: Path) -> dict[str, str]:
    """Let downloads lie where they count as progress, and compiled modules be kept."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "TMPDIR": str(fetched)}


def _status_within(seconds: float, process: "subprocess.Popen[bytes]") -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(seconds)
    return None


def _megabytes(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # pip has moved it since
                total += os.lstat(os.path.join(root, name)).st_size
    return total // 1_000_000


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"


def _rewrite(line: str) -> None:
    """Replace the line of the terminal; a longer one would wrap, and stay."""
    columns = shutil.get_terminal_size().columns
    _write(f"\r{line[: columns - 1]}\033[K")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main(kind: str, run: Run = run_shown) -> int:
    """Make the environment of a kind; return the exit status, with one line if it failed."""
    try:
        make(kind, VENV, run)
    except (NotMade, OSError) as error:
        sys.stderr.write(f"\n{error}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; the same command again goes on from here.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
