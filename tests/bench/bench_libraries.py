"""How fast a backtest is beside two libraries, on the same candles and the same rule.

The libraries are of the bench alone (`backtesting` is under the AGPL): they are installed into an
environment of their own under var/, and never imported here. All three trade the crossing of the
exponential averages of 9 and 21 on a year of five shares, with a stop 1 % and a target 2 % away,
entered at the next open. `vectorbt` computes whole columns in compiled code, and is asked share by
share, with its statistics: most of its time is per call. It has no strategy class, makes no ids and
knows no square-off and no dated charges.
"""

import json
import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np

from services.local.backtest.result import BacktestRequest
from services.local.backtest.run import run_backtest
from services.strategy.finding import known_strategies
from tests.bench.years import year

ENVIRONMENT = Path("var/bench-libraries")
PACKAGES = ("backtesting==0.6.6", "vectorbt==1.2.0")
LIBRARIES = Path(__file__).parent / "library_role.py"
INSTALL_SECONDS, RUN_SECONDS, REPEATS = 600, 300, 3


def measure() -> dict[str, float]:
    """Return candles a second of each, and the ratios; of those alone that could be installed."""
    histories = year()
    candles = sum(map(len, histories))
    known, request = known_strategies(), BacktestRequest("ma_crossover", is_overnight=True)
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        run_backtest(request, histories, known)
        seconds.append(time.process_time() - started)
    own = candles / min(seconds)
    figures = {"backtest_overnight_candles_per_s": own}
    for name, theirs in _theirs().items():
        figures[f"{name}_candles_per_s"] = theirs
        figures[f"backtest_vs_{name}"] = own / theirs
    return figures


def _theirs() -> dict[str, float]:
    """Return candles a second of the libraries; none, with the reason, where they cannot run."""
    try:
        python = _environment()
        prices = ENVIRONMENT / "prices.npz"
        _write(prices)
        done = subprocess.run(
            [python, LIBRARIES, prices], capture_output=True, timeout=RUN_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        reason = said.decode().strip().splitlines()[-1:] or [type(error).__name__]
        sys.stderr.write(f"backtesting and vectorbt are left out: {reason[0]}\n")
        return {}
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _environment() -> Path:
    """Return the Python of the libraries' environment, which is made once."""
    python = ENVIRONMENT / "bin" / "python"
    installed = ENVIRONMENT / "installed"
    if not installed.exists() or installed.read_text() != " ".join(PACKAGES):
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(install, capture_output=True, timeout=INSTALL_SECONDS, check=True)
        installed.write_text(" ".join(PACKAGES))
    return python


def _write(path: Path) -> None:
    """Write the prices of the year, a row per share."""
    histories = year()
    opened_ms, opened, high, low, close = (
        np.stack([getattr(one, name) for one in histories])
        for name in ("opened_ms", "open", "high", "low", "close")
    )
    np.savez(path, opened_ms=opened_ms, open=opened, high=high, low=low, close=close)
