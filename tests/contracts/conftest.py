"""The buses that the contract is checked on. An adapter joins by a class and one parameter."""

from collections.abc import Callable
from pathlib import Path

import pytest

from libs.events.bus import Bus
from libs.events.journal import Journal
from libs.events.local import LocalBus
from tests.contracts.buses import PARTITIONS, BusFactory


class LocalBuses:
    """The embedded bus in memory: what was published goes with it."""

    is_durable = False

    def __init__(self, _folder: Path) -> None:
        pass

    def __call__(self) -> Bus:
        return LocalBus(partitions=PARTITIONS)


class JournaledBuses:
    """The embedded bus with its journal on disk."""

    is_durable = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"

    def __call__(self) -> Bus:
        return LocalBus(partitions=PARTITIONS, journal=Journal(self._folder))


FACTORIES: dict[str, Callable[[Path], BusFactory]] = {
    "local": LocalBuses,
    "journal": JournaledBuses,
}
DURABLE = ("journal",)


@pytest.fixture(params=FACTORIES)
def bus_factory(request: pytest.FixtureRequest, tmp_path: Path) -> BusFactory:
    """Each bus in turn."""
    return FACTORIES[request.param](tmp_path)


@pytest.fixture(params=DURABLE)
def durable_bus_factory(request: pytest.FixtureRequest, tmp_path: Path) -> BusFactory:
    """Each bus that survives a restart."""
    return FACTORIES[request.param](tmp_path)
