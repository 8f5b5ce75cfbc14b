"""A new strategy works as it is written; what is wrong with one is one line."""

from pathlib import Path

import pytest

from libs.errors import AlphaStocksError
from services.local import screen
from services.local.__main__ import app
from services.local.command import run
from services.local.strategy_files.template import NotWritten, write_template
from services.strategy.finding import known_strategies, strategies_in

BEGINNING = """
from alphastocks import Candle, Strategy, StrategySignal

class Own(Strategy):
    name = "own"
    history_needed = 5
    seen = []

    def on_candle(self, candle: Candle) -> StrategySignal | None:
"""
BUYS = """
        return self.buy(candle, stop_loss=1.0, target=2 * candle.close, confidence=0.7)
"""
SHARED = f"""
        self.seen.append(1)
        if len(self.seen) % 7:
            return None
{BUYS}"""


def command(words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run `alphastocks strategies …` and return its status."""
    monkeypatch.setattr("sys.argv", ["alphastocks", "strategies", *words.split()])
    try:
        return run(app)
    except SystemExit as stopped:
        return int(str(stopped.code))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the current one; what is printed is wide enough for whole lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(screen.console, "_width", 200)
    return tmp_path


def written(folder: Path, body: str) -> Path:
    file = folder / "own.py"
    file.write_text(BEGINNING + body)
    return file


def test_a_new_strategy_passes_its_trial_and_its_tests_as_it_was_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("new my_first", monkeypatch) == 0
    assert command("test strategies/my_first.py", monkeypatch) == 0
    said = capsys.readouterr().out
    assert "it buys the close that crosses above its average │ ok" in said
    assert "FAILED" not in said
    assert set(known_strategies().sources) >= {"my_first", "ma_crossover"}


@pytest.mark.parametrize("name", ["My", "my-own", "1st", "class", ""])
def test_a_name_that_cannot_be_a_file_of_python_is_refused(name: str, here: Path) -> None:
    with pytest.raises(NotWritten, match="no name such as my_strategy"):
        write_template(name, here)
    assert list(here.iterdir()) == []


def test_nothing_is_overwritten(here: Path) -> None:
    (here / "test_mine.py").write_text("kept")
    with pytest.raises(NotWritten, match=r"test_mine\.py is there already"):
        write_template("mine", here)
    assert [path.name for path in here.iterdir()] == ["test_mine.py"]


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("        raise ZeroDivisionError('a bug')", "ZeroDivisionError: a bug"),
        ("        raise SystemExit(1)", "SystemExit: 1"),
        ("        return {}", "returned a dict"),
        ("        return None", "0 BUY, 0 SELL"),
        (
            "        return self.buy(candle, stop_loss=2e9, target=1e9, confidence=0.7)",
            "a signal that would be refused",
        ),
        (SHARED, "keep state outside of self"),
    ],
)
def test_what_a_strategy_does_wrong_is_seen_in_its_trial(
    body: str,
    seen: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(f"test {written(here, body)}", monkeypatch) == 1
    assert seen in capsys.readouterr().out


def test_a_failed_test_of_ones_own_is_named_with_its_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(here, BUYS)
    (here / "test_own.py").write_text("def test_it_is_so() -> None:\n    assert 1 == 2\n")
    assert command("test own.py", monkeypatch) == 1
    said = capsys.readouterr().out
    assert "it is so" in said
    assert "line 2: assert 1 == 2: AssertionError" in said


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("def f(:", r"own\.py, line 1: SyntaxError"),
        ("\nimport nowhere_at_all", r"own\.py, line 2: ModuleNotFoundError"),
        ("raise SystemExit(3)", r"own\.py, line 1: SystemExit: 3"),
        ("x = 1", r"own\.py: it defines no subclass"),
        (BEGINNING.replace("name = ", "title = ") + BUYS, r"own\.py: Own has no name"),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_stops_nothing_else(
    text: str, culprit: str, here: Path
) -> None:
    (here / "own.py").write_text(text)
    with pytest.raises(AlphaStocksError, match=culprit):
        strategies_in(here / "own.py")
    known = known_strategies(here)
    assert "ma_crossover" in known.classes
    assert set(known.broken) == {"own"}


def test_a_name_that_is_taken_is_told_with_who_has_it(here: Path) -> None:
    (here / "own.py").write_text(BEGINNING.replace('"own"', '"ma_crossover"') + BUYS)
    assert known_strategies(here).broken == {"own": "ma_crossover is built in already"}


def test_the_parameters_of_a_strategy_are_shown_with_their_bounds(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("show ma_crossover", monkeypatch) == 0
    said = capsys.readouterr().out
    assert "│ confidence     │ 0.85    │ float" in said
    assert "from 0, up to 1" in said


def test_an_unknown_strategy_is_told_with_the_one_that_was_meant(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AlphaStocksError, match="did you mean 'ma_crossover'"):
        command("show ma_crosover", monkeypatch)
