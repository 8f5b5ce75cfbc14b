"""How many times faster than the market a recorded day of ten symbols is replayed.

By `alphastocks replay`, with all six services and the store, from the first frame to the last row
stored; and by the candle service's rules alone, all intervals, reading the files included. Without
the recorded day (2021-06-09) nothing is measured.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from rich.console import Console

from libs.market.calendar import load_calendar
from services.candle.settings import CandleSettings
from services.ingest.recorded_feed import read_day
from services.ingest.recordings.place import Recordings
from services.local.play.feeds import fold_day
from tests.conftest import RECORDED_DATA

DAY = date(2021, 6, 9)
SESSION = load_calendar().sessions("NSE", DAY)[0]
SECONDS = (SESSION.close_ms - SESSION.open_ms) / 1000


def measure() -> dict[str, float]:
    """Return the session's seconds per second of each."""
    folder = recorded()
    if not (folder / DAY.isoformat()).exists():
        where = f"{folder}; name the folder above it: {RECORDED_DATA}"
        Console(stderr=True).print(f"replay is not measured: no ticks of {DAY} in {where}")
        return {}
    return {
        "replay_times_real_time": SECONDS / _replayed(folder),
        "replay_candles_times_real_time": SECONDS / min(_folded(folder) for _ in range(3)),
    }


def recorded() -> Path:
    """Return the folder of recorded ticks."""
    named = os.environ.get(RECORDED_DATA)
    beside = Path(__file__).parents[3] / "shared" / "data"
    return (Path(named) if named else beside) / "ticks_2021"


def _replayed(folder: Path) -> float:
    with tempfile.TemporaryDirectory() as made:
        places = ("--out", f"{made}/out", "--var", f"{made}/var")
        command = (sys.executable, "-m", "services.local", "replay", str(folder), *places)
        subprocess.run((*command, "--date", DAY.isoformat()), check=True, capture_output=True)
        summary = json.loads(Path(made, "out", "summary.json").read_text())
        return float(summary["elapsed_seconds"])


def _folded(folder: Path) -> float:
    began, calendar = time.perf_counter(), load_calendar()
    recording = read_day(Recordings(folder), DAY, None, calendar)
    fold_day(recording, calendar, CandleSettings().segments, 1)
    return time.perf_counter() - began
