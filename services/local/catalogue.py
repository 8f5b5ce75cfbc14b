"""The services: what each is called, how it is built, how many may run, and where it answers.

A new service is its folder and its lines here: its entry, and its sections.
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
    """A service beside the others.

    Its health endpoints are at `runtime.port` + `port_offset` where several run on one machine.
    `starts` is when it starts: 1 reads what others publish, 2 announces instruments and history,
    3 needs the history that was announced.
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
"""From upstream to downstream, which is the order in which they stop."""
NAMES = tuple(entry.name for entry in SERVICES)
START_ORDER = tuple(sorted(SERVICES, key=lambda entry: (entry.starts, entry.port_offset)))
"""Who reads starts before who publishes, so that nothing is published before somebody reads it."""


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
