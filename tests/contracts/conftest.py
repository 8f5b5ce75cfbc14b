"""The buses that the contract is checked on. An adapter joins by a class and one parameter."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from libs.events.bus import Bus
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.kafka.address import KafkaAddress
from tests.contracts.buses import PARTITIONS, BusFactory
from tests.contracts.kafka_buses import FencedKafkaBuses, KafkaBuses


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
ON_KAFKA: dict[str, Callable[[KafkaAddress], KafkaBuses]] = {
    "kafka": KafkaBuses,
    "fenced": FencedKafkaBuses,
}
DURABLE = ("journal", *ON_KAFKA)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check each bus in turn; a fenced one is alone, so it has no part in what groups share."""
    shares = "test_group_contract" not in metafunc.module.__name__
    buses = [name for name in (*FACTORIES, *ON_KAFKA) if shares or name != "fenced"]
    for fixture, names in (("bus_factory", buses), ("durable_bus_factory", DURABLE)):
        if fixture in metafunc.fixturenames:
            chosen = [name for name in buses if name in names]
            metafunc.parametrize(fixture, chosen, indirect=True)


@pytest.fixture
def bus_factory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BusFactory]:
    """Each bus in turn."""
    yield from _made(request, tmp_path)


@pytest.fixture
def durable_bus_factory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BusFactory]:
    """Each bus that survives a restart."""
    yield from _made(request, tmp_path)


def _made(request: pytest.FixtureRequest, folder: Path) -> Iterator[BusFactory]:
    name: str = request.param
    if name in FACTORIES:
        yield FACTORIES[name](folder)
        return
    made = ON_KAFKA[name](request.getfixturevalue("kafka"))
    yield made
    made.drop()
