"""Each command with each kind of wrong input: one line that names it, and no run.

The commands, their options and arguments are those of the typer app. An option without a line in
WRONG, or a command without one in GOOD, fails the test that collects them.
"""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from services.local.__main__ import app
from tests.integration.commands import alphastocks
from tests.integration.recordings import DAY, write_recording
from tests.unit.services.local.recorded_chains.chain_files import minutes, snapshots, write_chain

Words = tuple[str, ...]
ROOT = typer.main.get_command(app)
MISSING, FOLDER, FILE, BELOW_FILE = "missing", "folder", "file", "file/below"
UNWRITABLE: Words = (FILE, BELOW_FILE, "/proc/nothing")
UNREADABLE: Words = (MISSING, FILE)
ANY_TEXT: Words = ()
GROUPS = ("topics", "dlq", "strategies", "rules")

GOOD: dict[str, Words] = {
    "demo": (),
    "replay": ("ticks", "--date", DAY.isoformat(), "--out", "out"),
    "backtest": ("--strategy", "ma_crossover", "--candles", "SBIN", "--out", "out"),
    "compare": (FILE, FILE),
    "strategies": (),
    "strategies list": (),
    "strategies show": ("ma_crossover",),
    "strategies new": ("mine",),
    "strategies test": ("mine.py",),
    "up": (),
    "simulator": ("--port", "0"),
    "login": ("--request-token", "abc"),
    "doctor": (),
    "migrate": (),
    "backup": ("saved",),
    "restore": ("saved",),
    "secrets": ("secrets",),
    "lag": (),
    "tail": ("orders",),
    "halt": (),
    "resume": (),
    "arm": ("--until", "15:30"),
    "disarm": (),
    "mode": ("paper",),
    "exit": ("--yes",),
    "state": (),
    "reconcile": (),
    "flatten": ("--yes",),
    "signals": (),
    "regret": ("outcome", "--out", "out"),
    "explain": ("NIFTY 50",),
    "chain": ("chain.csv", "--underlying", "NIFTY", "--out", "values.csv"),
    "report": (),
    "verify-day": (DAY.isoformat(),),
    "token": ("asha",),
    "topics": (),
    "topics apply": ("--yes",),
    "dlq": (),
    "dlq list": (),
    "dlq show": ("orders", "0/0"),
    "dlq retry": ("orders", "0/0", "--yes"),
    "rules": (),
    "rules show": (),
    "rules check": (),
}
"""Command → words that it takes."""

WRONG: dict[str, Words] = {
    "--config": (MISSING, FOLDER, "broken.toml", "unknown.toml", "unfit.toml", "bytes.toml"),
    "--var": UNWRITABLE,
    "--out": UNWRITABLE,
    "report --out": UNREADABLE,
    "report --var": (MISSING, FILE, BELOW_FILE),
    "--html": (FOLDER, BELOW_FILE, "/proc/nothing/page.html"),
    "--csv": (FOLDER, BELOW_FILE, "/proc/nothing/fills.csv"),
    "--date": ("17.6.2026", "2026-02-30", "2026-06-14", "2035-06-14"),
    "DATE": ("17.6.2026", "2026-02-30", "2026-06-14", "2035-06-14"),
    "--on": ("17.6.2026", "2026-02-30", "x"),
    "--seed": ("-1", "x", "1.5", "99999999999999999999"),
    "--speed": ("0", "-1", "x"),
    "--symbols": ("NOPE", ","),
    "--strategy": ("nope",),
    "--candles": ("missing.csv", "missing/SBIN", ",", FOLDER),
    "--param": ("x", "nope=1"),
    "--from": ("1.5.2024", "2024-02-30"),
    "--to": ("x",),
    "--interval": ("7m",),
    "--in": ("futures",),
    "--capital": ("x", "-1", "nan"),
    "--risk": ("x", "2"),
    "--slippage": ("x", "1"),
    "--folder": (MISSING, FILE),
    "strategies new --folder": UNWRITABLE,
    "--iv": ("x", "9"),
    "--chains": UNREADABLE,
    "--most": ("0", "x"),
    "--exchange": ("NOPE", "NSE"),
    "replay --exchange": ("NOPE",),
    "--expiry": ("25.11.2025", "2021-01-01"),
    "--instruments": (MISSING, FOLDER, FILE),
    "--symbol": ANY_TEXT,
    "--database": ("a b", "x;y", ""),
    "--host": ("192.0.2.1",),
    "--port": ("x", "-1", "70000", "TAKEN"),
    "--recorded": UNREADABLE,
    "--faults": (MISSING, FOLDER, "broken.toml"),
    "--state": (FOLDER, BELOW_FILE, "/proc/nothing/state"),
    "--start": ("99", "x"),
    "--url": ("localhost", "http://127.0.0.1:1", "http://[x", "http://x:y"),
    "--reason": ANY_TEXT,
    "--request-token": (" ", "https://example.org/?status=cancelled"),
    "--scope": ("owner",),
    "flatten --url": ("localhost", "http://[x", "http://x:y"),
    "--contract": ANY_TEXT,
    "--minutes": ("0", "x"),
    "--venue": ("nope",),
    "--last": ("-1", "x"),
    "--filter": ("x", "=5", "symbol~SBIN"),
    "--only": ("neither",),
    "backup FOLDER": UNWRITABLE,
    "restore FOLDER": (MISSING, FILE, FOLDER),
    "compare RUN1": (MISSING, FOLDER),
    "compare RUN2": (MISSING, FOLDER),
    "strategies show NAME": ("nope", ""),
    "strategies new NAME": ("My-x", "class", ""),
    "strategies test FILE": (MISSING, FILE, FOLDER),
    "--underlying": ("NOPE", ""),
    "--chain": (MISSING, FOLDER),
    "--signals": (MISSING, FOLDER),
    "chain --out": (FOLDER, BELOW_FILE, "/proc/nothing"),
    "regret OUTCOME": (MISSING, FILE, FOLDER),
    "chain FILE": (MISSING, FILE, FOLDER),
    "replay DIR": (*UNREADABLE, FOLDER),
    "secrets DIR": UNWRITABLE,
    "--until": ("25:00", "x", ""),
    "--lots-a-trade": ("0", "x"),
    "--trades": ("0", "x"),
    "MODE": ("nope", ""),
    "ID": ("none", ""),
    "explain ID": ("", " "),
    "explain --out": (FOLDER, *UNWRITABLE),
    "NAME": ANY_TEXT,
    "TOPIC": ("nope", ""),
    "PARTITION/OFFSET": ("x", "1/", "/1"),
}
"""Option or argument, where it needs it after its command → values that are wrong."""

ENVIRONMENT: dict[str, tuple[str, str]] = {
    "no JSON": ("ALPHASTOCKS_EXECUTOR__SIZING", '{"capital": '),
    "an unknown key": ("ALPHASTOCKS_EXECUTOR__SIZING__CAPITOL", "1"),
    "an unfit value": ("ALPHASTOCKS_EXECUTOR__SIZING__CAPITAL", "much"),
    "an unknown section": ("ALPHASTOCKS_EXECUTR__MODE", "paper"),
    "no section": ("ALPHASTOCKS_EXECUTOR_MODE", "paper"),
    "no folder of secrets": ("ALPHASTOCKS_SECRETS", "missing"),
}


def commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all commands of the app by their path, groups that run alone too."""
    for name, inner in getattr(command, "commands", {}).items():
        below = f"{path} {name}".strip()
        yield below, inner
        yield from commands(inner, below)


COMMANDS = dict(commands(ROOT))


def options_of(path: str) -> list[tuple[str, Any]]:
    """Return the options and arguments of a command, by the name that a user knows."""
    return [
        (max(one.opts, key=len) if one.param_type_name == "option" else one.metavar, one)
        for one in COMMANDS[path].params
        if one.name != "help"
    ]


def is_told_in_a_list(path: str, option: str) -> bool:
    """Return whether a command shows what is wrong with an option in its list of checks."""
    return path == "doctor" and option in ("--config", "--var")


def wrong_words(path: str) -> Iterator[tuple[str, Words]]:
    """Yield what may be wrong in the words of a command: the culprit, and all words."""
    good = GOOD[path]
    yield "--nope", (*good, "--nope")
    yield "surplus", (*good, "surplus")
    if any(one.required for _, one in options_of(path)):
        yield "Missing", ()
    for name, option in options_of(path):
        if option.param_type_name == "argument":
            for value in WRONG.get(f"{path} {name}", WRONG.get(name, ())):
                at = [one for one, _ in options_of(path) if not one.startswith("-")].index(name)
                yield value, (*good[:at], value, *good[at + 1 :])
        elif getattr(option, "is_flag", False):
            yield name, (*good, f"{name}=x")
        elif not is_told_in_a_list(path, name):
            for value in WRONG.get(f"{path} {name}", WRONG[name]):
                yield name, (*good, name, value)


def cases() -> list[Any]:
    return [
        pytest.param(culprit, (*path.split(), *words), id=" ".join((path, *words)))
        for path in COMMANDS
        for culprit, words in wrong_words(path)
        if not (path in GROUPS and culprit == "surplus")  # that is the name of a command
    ]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    return write_recording(folder, days=[DAY], symbols=["SBIN"], every_seconds=3600)


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what the wrong words name, and let no run begin."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FILE).write_text("")
    (tmp_path / "broken.toml").write_text("[executor\n")
    (tmp_path / "unknown.toml").write_text("[executor]\nmood = 'paper'\n")
    (tmp_path / "unfit.toml").write_text("[executor]\nmode = 'papier'\n")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    shutil.copytree(recording, tmp_path / "ticks")
    write_chain(tmp_path / "chain.csv", snapshots(minutes("10:00", [24_510.0])))
    monkeypatch.chdir(tmp_path)
    settings = {
        "BUS__KIND": "kafka",
        "BUS__BOOTSTRAP": "127.0.0.1:1",
        "BUS__CONNECT_SECONDS": "0",
        "KITE__API_KEY": "key",
        "KITE__API_SECRET": "secret",
        "KITE__ROOT": "http://127.0.0.1:1",
        "CONTROL_TOKEN": "token",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"ALPHASTOCKS_{name}", value)
    monkeypatch.setattr("services.local.play.database.LocalServer", _no_run)


def _no_run(*_: object) -> None:
    raise AssertionError("the run has begun")


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: Words
) -> str:
    """Run a command and return the one line that refuses it."""
    assert alphastocks(monkeypatch, *words) == 2
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("alphastocks: ")
    assert "Traceback" not in said.out + said.err
    return lines[0]


def test_every_command_and_every_option_is_in_the_tables() -> None:
    assert set(COMMANDS) == set(GOOD)
    for path in COMMANDS:
        for name, option in options_of(path):
            known = name in WRONG or f"{path} {name}" in WRONG
            assert known or getattr(option, "is_flag", False), f"{path}: {name}"


@pytest.mark.parametrize(("culprit", "words"), cases())
def test_a_wrong_word_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    culprit: str,
    words: Words,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = tuple(port if word == "TAKEN" else word for word in words)
        line = refusal(monkeypatch, capsys, words)
    name = culprit.removeprefix("--")
    named = (repr(culprit), words[-1], name, name.replace("-", "_"))
    assert any(one in line for one in named if one), line
    made = {path.name for path in Path().iterdir()} & {"out", "saved", "secrets", "var"}
    assert not made, "nothing is begun"


@pytest.mark.parametrize("kind", ENVIRONMENT)
@pytest.mark.parametrize(
    "path",
    [path for path in COMMANDS if "--config" in dict(options_of(path)) and path != "doctor"],
)
def test_a_wrong_variable_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str, kind: str
) -> None:
    variable, value = ENVIRONMENT[kind]
    monkeypatch.setenv(variable, value)
    line = refusal(monkeypatch, capsys, (*path.split(), *GOOD[path]))
    assert line.startswith(f"alphastocks: {variable}: ")


@pytest.mark.parametrize(
    "path", ["lag", "tail", "topics apply", "dlq list", "dlq show", "dlq retry"]
)
def test_a_kafka_that_is_away_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    line = refusal(monkeypatch, capsys, (*path.split(), *GOOD[path]))
    assert "Kafka at 127.0.0.1:1: connection refused: start it, or see bus.bootstrap" in line


@pytest.mark.parametrize("words", [("restore", "saved"), ("restore", "saved", "--only", "topics")])
def test_a_restore_that_makes_nothing_in_var_does_not_look_at_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    """As in the container, where the working folder is read-only."""
    if "--only" not in words:
        monkeypatch.setenv("ALPHASTOCKS_STORE__HOST", "127.0.0.1")
    line = refusal(monkeypatch, capsys, (*words, "--var", f"{FILE}/var"))
    assert "saved: no such folder" in line
