"""What authors import is there, explained, and reads a file of candles."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from alphastocks.testing import WrongCandles, make_candles, read_candles

MODULES = (
    "alphastocks",
    "alphastocks.frames",
    "alphastocks.indicators",
    "alphastocks.testing",
)
TYPES = {"Action", "Interval"}


@pytest.mark.parametrize("name", MODULES)
def test_whatever_is_offered_is_explained(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__all__
    for one in set(module.__all__) - TYPES:
        assert getattr(module, one).__doc__, one


def test_a_strategy_is_imported_without_pandas() -> None:
    code = "import sys, alphastocks, alphastocks.indicators; sys.exit('pandas' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_a_csv_of_candles_is_read(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text("open,high,low,close,volume\n100,103,99,102,500\n102,104,101,103,200\n")
    candles = read_candles(file, "5m", tradingsymbol="SBIN")
    rows = [(100, 103, 99, 102, 500), (102, 104, 101, 103, 200)]
    assert candles == make_candles(rows, "5m", tradingsymbol="SBIN")


def test_a_csv_may_say_when_its_candles_opened(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text("date,open,high,low,close\n2026-06-12T15:15:00+0530,100,103,99,102\n")
    (candle,) = read_candles(file)
    assert (candle.trading_day.isoformat(), candle.volume) == ("2026-06-12", 0)


def test_a_gap_in_a_csv_is_named(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text("open,high,low,close\n100,103,99,102\n102,,101,103\n")
    with pytest.raises(WrongCandles, match="row 1"):
        read_candles(str(file))
