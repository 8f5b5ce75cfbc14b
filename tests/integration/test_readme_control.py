"""The commands of the README's section on control, word by word, against a running executor."""

import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from libs.events.control import ControlUsed
from libs.runtime.settings import load_settings
from services.executor.settings import ExecutorSettings
from services.local.catalogue import entry_of
from services.local.own_control import own_control
from services.local.settings import LocalSettings
from tests.integration.commands import alphastocks
from tests.integration.processes import free_ports
from tests.integration.served import Served, served
from tests.unit.services.executor.builders import one_trade
from tests.unit.services.executor.handling import paper_service

README = (Path(__file__).parents[2] / "README.md").read_text()
Say = Callable[[str], str]


def blocks() -> list[list[str]]:
    """Return the blocks of commands in the section."""
    section = README.partition("## Control of a running executor\n")[2].partition("\n## ")[0]
    found = re.findall(r"(?:^ {4}.*\n)+", section, re.MULTILINE)
    return [[line.strip() for line in block.splitlines()] for block in found]


LOCAL, NAMED = blocks()


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a line of the README in an empty folder; return what it prints."""
    monkeypatch.chdir(tmp_path)
    for name in ("TOKEN", "TOKEN_FILE", "URL"):
        monkeypatch.delenv(f"ALPHASTOCKS_CONTROL_{name}", raising=False)

    def run(line: str) -> str:
        command, *words = shlex.split(line, comments=True)
        assert command == ".venv/bin/alphastocks"
        status, shown = alphastocks(monkeypatch, *words), capsys.readouterr()
        assert status == 0, shown.err
        return shown.out

    return run


def paper(settings: ExecutorSettings) -> ExecutorSettings:
    return settings.model_copy(update={"mode": "paper"})


def used(executor: Served) -> list[tuple[str, str, str]]:
    events = (one for one in executor.control() if isinstance(one, ControlUsed))
    return [(one.action, one.token, one.outcome) for one in events]


def test_the_first_commands_find_the_running_up_by_themselves(say: Say) -> None:
    port = free_ports(1)
    first = port - entry_of("executor").port_offset
    settings = LocalSettings(runtime={"port": first})
    with (
        own_control(settings, Path("var/up")) as controlled,
        served(partial(paper_service, paper(controlled.executor)), one_trade(), port) as executor,
    ):
        state, halted, resumed, left, squared = (say(line) for line in LOCAL)
        actions = used(executor)
    assert "mode paper, not halted, 1 position open" in state
    assert "NIFTY26061625000CE" in state
    assert "Trading is halted" in halted
    assert "Trading goes on" in resumed
    assert "Exits requested" in left
    assert left.strip().endswith(": 1.")
    assert "Exits requested" in squared
    assert [one[0] for one in actions] == ["state", "halt", "resume", "exit", "halt"]
    assert {one[1:] for one in actions} == {("local", "done")}


def test_a_token_of_ones_own_is_made_pasted_and_changes_the_mode(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, export, change = NAMED
    lines = say(make).splitlines()
    token, start = lines[1].strip(), lines.index("[[executor.control.tokens]]")
    file = tmp_path / "alphastocks.toml"
    file.write_text("\n".join(('[executor]\nmode = "paper"\n', *lines[start:])))
    name, separator, _ = shlex.split(export, comments=True)[1].partition("=")
    assert separator
    monkeypatch.setenv(name, token)
    settings = load_settings(LocalSettings, file).executor
    with served(partial(paper_service, settings)) as executor:
        monkeypatch.setenv("ALPHASTOCKS_CONTROL_URL", executor.url)
        assert "The mode is logging_only" in say(change)
        assert used(executor) == [("mode", "asha", "done")]
