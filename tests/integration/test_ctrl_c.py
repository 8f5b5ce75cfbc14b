"""Ctrl-C at any moment: one line, status 130, and no process is left."""

import signal
import sys
from pathlib import Path

import pytest

from tests.integration.processes import Running, running

MAIN = "from services.local.command import main; main()"
LINE = "alphastocks: interrupted by Ctrl-C"
LOGIN = ("login", "--config", "kite.toml")


def command(*words: object) -> list[object]:
    """The command as its executable starts it."""
    return [sys.executable, "-c", MAIN, *words]


def is_importing(process: Running) -> bool:
    """Whether the libraries of the services are being imported."""
    return "pydantic_core" in Path(f"/proc/{process.pid}/maps").read_text()


def interrupt(process: Running) -> str:
    """Send Ctrl-C and return the last line of what was said; assert that nothing else was."""
    assert process.end(signal.SIGINT) == 130, process.last_words
    assert not process.has_left_something
    said = process.said.strip()
    assert "Traceback" not in said
    assert "never retrieved" not in said
    return said.splitlines()[-1]


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
    kite = "[kite]\napi_key = 'key'\napi_secret = 'secret'\n"
    (tmp_path / "kite.toml").write_text(kite)


def test_while_the_services_are_imported(tmp_path: Path) -> None:
    with running(command("topics"), tmp_path) as process:
        process.until(lambda: is_importing(process), "the libraries are imported")
        assert interrupt(process) == LINE


def test_while_the_database_starts_it_is_ended_too(tmp_path: Path) -> None:
    with running(command("demo"), tmp_path) as process:
        log = tmp_path / "var" / "clickhouse" / "server.log"
        process.until(log.exists, "the database starts")
        assert interrupt(process) == LINE
    assert not (tmp_path / "var" / "demo").exists()


def test_in_the_middle_of_a_day_nothing_half_is_written(tmp_path: Path) -> None:
    with running(command("demo"), tmp_path) as process:
        session = tmp_path / "var" / "simulator" / "session.json"
        process.until(session.exists, "the day is played")
        assert interrupt(process) == LINE
    assert not (tmp_path / "var" / "demo").exists()


def test_a_simulator_that_runs(tmp_path: Path) -> None:
    with running(command("simulator", "--port", 0), tmp_path) as process:
        process.until(lambda: "Ctrl-C stops it" in process.out.read_text(), "it listens")
        assert interrupt(process) == LINE


def test_a_question(tmp_path: Path) -> None:
    with running(command(*LOGIN), tmp_path, asks=True) as process:
        process.until(lambda: "Paste" in process.said, "it asks")
        assert interrupt(process).endswith(LINE)
