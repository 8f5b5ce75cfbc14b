"""`alphastocks rules`, with real files of the user's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from libs.market.own_rules import use_own_rules
from services.local.__main__ import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHASTOCKS_RULES__FOLDER", str(tmp_path))
    yield tmp_path
    use_own_rules(None)


def test_what_holds_is_shown_with_its_source_and_end(folder: Path) -> None:
    result = CliRunner().invoke(app, ["rules", "show", "--on", "2026-08-03"])
    assert result.exit_code == 0
    assert "09:15–15:40" in result.output
    assert "NSE/FAOP/74467" in result.output
    assert "2026-08-31" in result.output


def test_a_file_of_ones_own_answers_what_was_told(folder: Path) -> None:
    words = ["rules", "check", "--on", "2026-08-10"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 1
    assert "freeze quantity, NIFTY: known until 2026-08-31 only" in told.output
    text = "[freezes]\nNIFTY = [{ from = 2026-09-01, value = 1800, until = 2026-12-31 }]\n"
    (folder / "contracts.toml").write_text(text)
    after = CliRunner().invoke(app, words)
    assert "freeze quantity, NIFTY:" not in after.output
    assert "freeze quantity, BANKNIFTY" in after.output


def test_a_wrong_file_is_a_line_of_its_own(folder: Path) -> None:
    (folder / "lots.toml").write_text("[lot]\n")
    result = CliRunner().invoke(app, ["rules", "check", "--on", "2026-06-17"])
    assert result.exit_code == 1
    assert result.output.startswith(f"{folder / 'lots.toml'}: lot: unknown key\n")
    assert "is not confirmed" in result.output
