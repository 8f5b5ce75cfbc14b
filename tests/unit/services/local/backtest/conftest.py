import os
from pathlib import Path

import pytest

from tests.conftest import RECORDED_DATA


@pytest.fixture(scope="session")
def recorded_candles() -> Path:
    """The folder of recorded 15-minute candles; skips without it."""
    named = os.environ.get(RECORDED_DATA)
    beside = Path(__file__).parents[6] / "shared" / "data"
    folder = (Path(named) if named else beside) / "nse_15min"
    if not folder.is_dir():
        pytest.skip(f"no recorded candles at {folder}; name their folder with {RECORDED_DATA}")
    return folder
