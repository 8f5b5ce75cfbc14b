"""The recorded candles of each symbol."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.services.strategy.strategies.recorded import SYMBOLS, Recorded, read_recorded


@pytest.fixture(scope="session", params=SYMBOLS)
def market(request: pytest.FixtureRequest, recorded: Callable[[str], Path]) -> Recorded:
    """A year of one symbol; skips where it is not there."""
    return read_recorded(recorded("nse_15min"), request.param)
