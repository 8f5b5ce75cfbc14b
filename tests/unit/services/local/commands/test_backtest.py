"""`alphastocks backtest`, as a user would call it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.period import within
from tests.integration.commands import alphastocks
from tests.unit.services.local.backtest.made import random_history

OUTCOME = ("equity.csv", "strategy_signals.jsonl", "trades.csv")


@pytest.fixture
def candles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two shares' candles; the working folder is empty beside it."""
    folder = tmp_path / "candles"
    folder.mkdir()
    for seed, symbol in enumerate(("RELIANCE", "SBIN"), 1):
        write_csv(folder / f"{symbol}_2024.csv", random_history(seed, 500, symbol=symbol))
    monkeypatch.chdir(tmp_path)
    return folder


def write_csv(path: Path, history: CandleHistory) -> None:
    at = (history.opened_ms + 330 * 60_000).astype("datetime64[ms]").astype("datetime64[s]")
    columns = (history.open, history.high, history.low, history.close, history.volume)
    rows = zip(at, *(column.tolist() for column in columns), strict=True)
    text = "".join(",".join(str(value) for value in row) + "\n" for row in rows)
    path.write_text("timestamp,open,high,low,close,volume\n" + text)


def run(monkeypatch: pytest.MonkeyPatch, candles: Path, *words: str) -> int:
    start = ("backtest", "--strategy", "ma_crossover", "--candles", str(candles), "--out", "out")
    return alphastocks(monkeypatch, *start, *words)


def summary() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("out/summary.json").read_text())
    return found


def test_it_writes_its_files_with_one_sha256_and_shows_a_table(
    candles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, candles, "--param", "fast=5") == 0
    said = capsys.readouterr()
    assert "NSE:RELIANCE" in said.out
    assert "out/" in said.out
    assert said.err.count("candles used as recorded") == 1
    written = {name: Path("out", name).read_bytes() for name in OUTCOME}
    digest = hashlib.sha256()
    for name, content in written.items():
        digest.update(f"{name}\0{len(content.decode())}\0".encode() + content)
    assert summary()["sha256"] == digest.hexdigest()
    assert summary()["trades"] == len(written["trades.csv"].splitlines()) - 1
    assert summary()["signals"] == len(written["strategy_signals.jsonl"].splitlines())
    assert summary()["parameters"] == {"fast": 5}


def test_the_same_candles_give_the_same_sha256_in_whatever_order(
    candles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, candles) == 0
    first = summary()["sha256"]
    files = sorted(map(str, candles.iterdir()), reverse=True)
    assert run(monkeypatch, Path(",".join(files))) == 0
    assert summary()["sha256"] == first


def test_candles_before_the_first_day_warm_up_and_do_not_trade(
    candles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, candles) == 0
    every = [json.loads(line) for line in Path("out", OUTCOME[1]).read_text().splitlines()]
    assert run(monkeypatch, candles, "--from", "2024-10-07", "--to", "2024-10-11") == 0
    some = [json.loads(line) for line in Path("out", OUTCOME[1]).read_text().splitlines()]
    assert some == [one for one in every if "2024-10-07" <= one["trading_day"] <= "2024-10-11"]
    assert summary()["first_day"] == "2024-10-07"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--strategy", "ma_crosover"), "did you mean 'ma_crossover'?"),
        (("--param", "fats=5"), "did you mean 'fast'?"),
        (("--param", "history_needed=5000"), "has 475 candles of 15m; ma_crossover needs 5000"),
        (("--from", "2030-01-01"), "no candle from 2030-01-01"),
        (("--from", "2024-10-08", "--to", "2024-10-07"), "--from: 2024-10-08 is after --to"),
        (("--interval", "5m"), "RELIANCE_2024.csv, line 3: it opens 15 min after"),
        (("--param", "interval=day"), "which needs --overnight"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_nothing_is_written(
    candles: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    reason: str,
) -> None:
    start = ["--candles", str(candles), "--out", "out"]
    if "--strategy" not in words:
        start += ["--strategy", "ma_crossover"]
    assert alphastocks(monkeypatch, "backtest", *start, *words) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1, said
    assert reason in said[0]
    assert not Path("out").exists()


def test_a_strategy_of_a_folder_that_fails_is_named_with_its_line(
    candles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("own")
    folder.mkdir()
    (folder / "late.py").write_text(
        "from alphastocks import Strategy\n\n\nclass Late(Strategy):\n    name = 'late'\n\n"
        "    def on_candle(self, candle):\n        raise KeyError('no such thing')\n"
    )
    words = ("--candles", str(candles), "--out", "out", "--folder", "own")
    assert alphastocks(monkeypatch, "backtest", "--strategy", "late", *words) == 2
    said = capsys.readouterr().err
    assert "on NSE:RELIANCE 15m 2024-09-25 09:15: KeyError: 'no such thing' (late.py:8)" in said
    assert not Path("out").exists()


def test_a_period_without_candles_is_refused_by_its_days() -> None:
    history = random_history(1, 60)
    assert len(within(history, None, None)) == len(history)
