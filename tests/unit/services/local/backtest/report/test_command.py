"""`alphastocks backtest` writes its report beside the other files."""

import csv
from pathlib import Path

import pytest

from services.local.__main__ import app
from services.local.backtest.report.times import india
from services.local.command import run
from tests.unit.services.local.backtest.made_results import history


def test_a_backtest_writes_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, file = history(days=20), tmp_path / "SBIN.csv"
    with file.open("w", newline="") as rows:
        table = csv.writer(rows)
        table.writerow(("timestamp", "open", "high", "low", "close", "volume"))
        opened = [f"{india(one):%Y-%m-%d %H:%M:%S}" for one in made.opened_ms.tolist()]
        columns = (made.open, made.high, made.low, made.close, made.volume)
        table.writerows(zip(opened, *(one.tolist() for one in columns), strict=True))
    words = f"backtest --strategy ma_crossover --candles {file} --out {tmp_path / 'out'}"
    monkeypatch.setattr("sys.argv", ["alphastocks", *words.split()])
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(run(app))
    assert not ended.value.code
    assert "Backtest of <em>ma_crossover</em>" in (tmp_path / "out" / "report.html").read_text()
