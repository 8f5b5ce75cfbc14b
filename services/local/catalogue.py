"""All services: name, maker, how many may run, port, start order.

A new service is its folder and two lines here: its entry, and its sections.
"""

from dataclasses import dataclass
from typing import Any

from libs.runtime.spec import ServiceSpec
from services.candle.__main__ import SPEC as CANDLE
from services.candle.settings import CandleProcess
from services.executor.__main__ import SPEC as EXECUTOR
from services.executor.settings import ExecutorProcess
from services.ingest.__main__ import SPEC as INGEST
from services.ingest.settings import IngestProcess
from services.position.__main__ import SPEC as POSITION
from services.position.settings import PositionProcess
from services.signal.__main__ import SPEC as SIGNAL
from services.signal.settings import SignalProcess
from services.simulator.settings import SimulatorProcess
from services.strategy.__main__ import SPEC as STRATEGY
from services.strategy.settings import StrategyProcess


@dataclass(frozen=True, slots=True)
class Entry:
    """A service, and what it needs beside the others.

    Where several run on one machine, its health endpoints are at `runtime.port` + `port_offset`.
    `starts` is its place in the start order: 1 reads what others publish, 2 publishes instruments
    and history, 3 needs that history.
    """

    spec: ServiceSpec[Any]
    port_offset: int
    starts: int = 1

    @property
    def name(self) -> str:
        """Name of the service, of its folder and of its section of the settings."""
        return self.spec.name


SERVICES = (
    Entry(INGEST, port_offset=4, starts=2),
    Entry(CANDLE, port_offset=0),
    Entry(STRATEGY, port_offset=5, starts=3),
    Entry(SIGNAL, port_offset=3),
    Entry(EXECUTOR, port_offset=1),
    Entry(POSITION, port_offset=2),
)
"""From upstream to downstream: the order in which they stop."""
NAMES = tuple(entry.name for entry in SERVICES)
START_ORDER = tuple(sorted(SERVICES, key=lambda entry: (entry.starts, entry.port_offset)))
"""Readers start before the service that publishes to them."""


class AllSections(
    SimulatorProcess,
    PositionProcess,
    ExecutorProcess,
    SignalProcess,
    StrategyProcess,
    CandleProcess,
    IngestProcess,
):
    """The sections of all services and of the simulated exchange.

    Pydantic lists the fields of the last base first.
    """


def entry_of(name: str) -> Entry:
    """Return the entry of a service."""
    return next(entry for entry in SERVICES if entry.name == name)
