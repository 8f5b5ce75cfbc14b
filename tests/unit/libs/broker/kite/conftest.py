"""Kite's own packets and replies, as far as they were recorded."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kite_packets(recorded_ticks: Path) -> Path:
    """The folder of the official packets."""
    return recorded_ticks.parent / "kite_packets"


@pytest.fixture(scope="session")
def kite_mocks(recorded_ticks: Path) -> Path:
    """The folder of the official replies."""
    return recorded_ticks.parent / "kite_mocks"
