"""The environment is made step by step, and repairs itself; nothing is really installed here."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.environment import PYTHON, STEPS, NotMade, main, make, run_shown


class Installer:
    """Stands in for venv and pip: makes .venv, notes what is installed, fails where it is told."""

    def __init__(self, venv: Path, fails_at: str = "", error: BaseException | None = None) -> None:
        self.venv = venv
        self.fails_at, self.error = fails_at, error
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str], text: str) -> int:
        assert text
        self.commands.append(command)
        if command[1:3] == ("-m", "venv"):
            (self.venv / "bin").mkdir(parents=True)
            (self.venv / "bin" / "python").touch()
        if not (self.fails_at and any(self.fails_at in word for word in command)):
            return 0
        if self.error:
            raise self.error
        return 1

    @property
    def made_anew(self) -> bool:
        return any(command[1:3] == ("-m", "venv") for command in self.commands)

    def forced(self) -> list[str]:
        """Return the last word of each command that installs again what is there."""
        return [command[-1] for command in self.commands if "--force-reinstall" in command]


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    return tmp_path / "with a space" / ".venv"


@pytest.fixture(autouse=True)
def _folder(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.parent.mkdir()
    monkeypatch.chdir(venv.parent)


def stamps(venv: Path) -> set[str]:
    return {path.name for path in venv.iterdir() if path.is_file()}


def test_what_running_needs_is_installed_without_the_developers_tools(venv: Path) -> None:
    installer = Installer(venv)
    make("run", venv, installer)
    said = " ".join(word for command in installer.commands for word in command)
    assert "requirements.lock" in said
    assert "requirements-clickhouse.lock" in said
    assert "requirements-dev.lock" not in said
    assert stamps(venv) == {f".made-{PYTHON}", f".run-{PYTHON}"}


def test_the_developers_tools_come_on_top(venv: Path) -> None:
    make("run", venv, Installer(venv))
    installer = Installer(venv)
    make("dev", venv, installer)
    assert [command[-1] for command in installer.commands] == [
        "--requirement=requirements-dev.lock"
    ]
    assert f".dev-{PYTHON}" in stamps(venv)


def test_every_step_says_what_it_installs_and_leaves_room_for_the_progress() -> None:
    texts = [step.text for steps in STEPS.values() for step in steps]
    assert len(set(texts)) == len(texts)
    assert all(len(text) <= 50 for text in texts)


def test_an_installation_that_does_not_start_leaves_no_stamp(
    venv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("run", Installer(venv, "import services.local")) == 1
    assert "does not start" in capsys.readouterr().err
    assert stamps(venv) == {f".made-{PYTHON}"}


def test_compiled_modules_are_kept_also_where_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert run_shown(("sh", "-c", 'test -z "$PYTHONDONTWRITEBYTECODE"'), "Tools") == 0


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_a_step_that_was_broken_off_leaves_no_stamp_and_is_done_again_from_its_beginning(
    venv: Path, error: BaseException | None
) -> None:
    with pytest.raises((NotMade, KeyboardInterrupt)):
        make("run", venv, Installer(venv, "requirements-clickhouse.lock", error))
    assert f".run-{PYTHON}" not in stamps(venv)
    second = Installer(venv)
    make("run", venv, second)
    assert not second.made_anew
    assert second.forced() == ["--requirement=requirements-clickhouse.lock"]
    third = Installer(venv)
    make("run", venv, third)
    assert third.forced() == []


def test_an_environment_whose_making_was_interrupted_is_made_anew(venv: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        make("run", venv, Installer(venv, "venv", KeyboardInterrupt()))
    (venv / "left over").touch()
    again = Installer(venv)
    make("run", venv, again)
    assert again.made_anew
    assert "left over" not in stamps(venv)


def test_an_environment_of_another_python_is_made_anew(venv: Path) -> None:
    make("run", venv, Installer(venv))
    for name in ("made", "run"):
        (venv / f".{name}-{PYTHON}").rename(venv / f".{name}-3.8")
    installer = Installer(venv)
    make("run", venv, installer)
    assert installer.made_anew
    assert stamps(venv) == {f".made-{PYTHON}", f".run-{PYTHON}"}


def test_an_environment_whose_python_is_gone_is_made_anew(venv: Path) -> None:
    make("run", venv, Installer(venv))
    python = venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")
    installer = Installer(venv)
    make("run", venv, installer)
    assert installer.made_anew


@pytest.mark.parametrize("kind", ["run", "dev"])
def test_the_environment_of_a_checkout_that_was_moved_or_copied_is_made_anew(
    venv: Path, tmp_path: Path, kind: str
) -> None:
    make("run", venv, Installer(venv))
    elsewhere = tmp_path / "elsewhere" / ".venv"
    shutil.copytree(venv, elsewhere)
    installer = Installer(elsewhere)
    make(kind, elsewhere, installer)
    assert installer.made_anew
    assert (elsewhere / f".{kind}-{PYTHON}").read_text() == str(elsewhere.resolve())


def test_a_failure_is_one_line_that_says_what_was_not_installed_and_what_to_do(
    venv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("run", Installer(venv, "requirements.lock")) == 1
    (line,) = capsys.readouterr().err.split("\n")[1:-1]
    assert line.startswith("packages: not installed")
    assert "reaches no package index" in line


def test_ctrl_c_is_one_line(venv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("run", Installer(venv, "requirements.lock", KeyboardInterrupt())) == 130
    (line,) = capsys.readouterr().err.split("\n")[1:-1]
    assert line.startswith("Interrupted")


def test_a_python_without_venv_is_told_what_to_install(
    venv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main("run", Installer(venv)) == 1
    assert f"apt install python{PYTHON}-venv" in capsys.readouterr().err


def test_a_step_is_one_line_with_its_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_shown(("sh", "-c", 'test -d "$TMPDIR"'), "Tools") == 0
    assert capsys.readouterr().out == "Tools ... 0 s\n"


def test_a_terminal_shows_how_the_environment_grows_on_one_line(
    venv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([None, 0])
    monkeypatch.setattr("deploy.environment._status_within", lambda *_: next(looks))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    venv.mkdir()
    (venv / "library").write_bytes(bytes(3_000_000))
    assert run_shown(("true",), "Tools") == 0
    written = capsys.readouterr().out.removesuffix("\n").split("\r")
    assert written[1].startswith("Tools ... 3 MB in .venv, 0 s")
    assert written[-1].endswith("0 s")
    assert all("\n" not in line and len(line.removesuffix("\033[K")) < 40 for line in written[:-1])


def test_the_status_of_a_step_is_its_commands(venv: Path) -> None:
    assert run_shown(("sh", "-c", "exit 3"), "Tools") == 3
    assert list(venv.iterdir()) == []
