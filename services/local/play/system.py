"""AlphaStockOrchestrator: all services in one process, started and stopped in the right order."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

from prometheus_client import Counter, Histogram

from libs.broker.port.venue import Venue
from libs.events.codec import Decoder
from libs.events.embedded.bus import LocalBus
from libs.runtime.clock import Clock, FeedClock
from libs.runtime.consumer import FETCH_SECONDS
from libs.runtime.delivery import is_defect
from libs.runtime.flattening import beside
from libs.runtime.metrics import Metrics
from libs.runtime.process import checkpoint_policy
from libs.runtime.runner import ServiceRunner, Surroundings, watch
from libs.runtime.service import Parts, Service
from libs.store.store import Store
from services.executor import service as executor
from services.executor.venue import make_venue
from services.ingest import service as ingest
from services.ingest.feed import Feed
from services.ingest.pace import unpaced
from services.ingest.playing import Pace
from services.local.catalogue import NAMES, START_ORDER, Entry
from services.local.contradictions import (
    between_entry_and_exit,
    between_filters_and_entry,
    refuse_any,
    unknown_strategies,
)
from services.local.settings import LocalSettings
from services.strategy import service as strategy
from services.strategy.finding import known_strategies

MakeService = Callable[[Parts], Service]


def service_metrics() -> dict[str, Metrics]:
    """Return the metrics of each service, for what is made before the service is."""
    return {name: Metrics(name) for name in NAMES}


def paper_venue(settings: LocalSettings) -> Venue:
    """Return the venue of a run without an exchange: orders are filled from the quotes."""
    paper = settings.executor.model_copy(update={"venue": "paper"})
    return make_venue(paper, settings.kite, "feed", FeedClock())


def check_services(settings: LocalSettings) -> None:
    """Compare the services' settings, and build those whose settings can be wrong.

    Raises before anything is started.
    """
    refuse_any(between_entry_and_exit(settings.executor, settings.position.exits))
    refuse_any(between_filters_and_entry(settings.signal.filters, settings.executor))
    folder = settings.strategy.folder
    refuse_any(
        unknown_strategies(settings.executor, lambda named: known_strategies(folder, named).classes)
    )
    parts = Parts(LocalBus(), FeedClock(), Metrics("check"))
    strategy.make_service(settings.strategy, parts)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What connects the services to a market: feed, clock, venue of the orders, pace.

    With `lasts` the system runs until it is stopped, and restarts a table's writer that failed.
    Without, the run fails with the writer.
    """

    feed: Feed
    clock: Clock
    venue: Venue
    pace: Pace = unpaced
    lasts: bool = False
    metrics: Mapping[str, Metrics] = field(default_factory=service_metrics)


@dataclass(slots=True)
class System:
    """Services on one bus and one store, connected to one market; `entries` in start order."""

    settings: LocalSettings
    bus: LocalBus
    store: Store | None
    wiring: Wiring
    entries: Sequence[Entry] = START_ORDER
    runners: list[ServiceRunner] = field(default_factory=list)
    _decoder: Decoder = field(default_factory=Decoder)

    async def __aenter__(self) -> Self:
        """Start all services; if one cannot, stop those that have started."""
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all services."""
        await self.stop()

    async def start(self) -> None:
        """Start all services; the bus must be started. Their own tasks start in `run`."""
        wired = self._wired()
        for entry in self.entries:
            make = wired.get(entry.name) or partial(entry.spec.make, self.settings)
            await self._start(make, self.wiring.metrics[entry.name])

    async def run(self, until: asyncio.Event) -> None:
        """Run until the feed ends or the event is set; raise the error that ended a service."""
        for runner in self.runners:
            runner.start_tasks()
        played = asyncio.create_task(self._played(until))
        try:
            await watch(self.runners, until)
            if played.done():
                await played
        finally:
            played.cancel()
            await asyncio.gather(played, return_exceptions=True)

    async def stop(self) -> None:
        """Stop all services, upstream first; then raise the first error of them, if any."""
        errors: list[Exception] = []
        for runner in sorted(self.runners, key=_stop_order):
            try:
                await runner.stop()
            except Exception as error:  # noqa: BLE001  the others must be stopped all the same
                errors.append(error)
        if errors:
            raise errors[0]

    def _wired(self) -> dict[str, MakeService]:
        """Return the makers of the services that are connected to the market."""
        own, wiring = self.settings.executor, self.wiring
        file = beside(self.settings.kite.session_file) if wiring.lasts else None
        return {
            "ingest": lambda parts: ingest.make_service(wiring.feed, parts, wiring.pace),
            "executor": lambda parts: executor.make_service(
                own, parts, wiring.venue, in_turn=not wiring.lasts, flattening=file
            ),
        }

    async def _start(self, make: MakeService, metrics: Metrics) -> None:
        lasts, clock = self.wiring.lasts, self.wiring.clock
        policy = replace(checkpoint_policy(self.settings.runtime), puts_off=not lasts)
        service = make(Parts(self.bus, clock, metrics, self.store, is_replay=not lasts))
        around = Surroundings(self.bus, clock, policy, self._decoder, writers_may_fail=lasts)
        runner = ServiceRunner(service, metrics, around)
        self.runners.append(runner)
        try:
            await runner.start()
        except Exception as error:
            if is_defect(error):
                await runner.report_failure(error)
            raise

    async def _played(self, until: asyncio.Event) -> None:
        try:
            await asyncio.gather(*(runner.tasks_done() for runner in self.runners))
            await self._drained()
        finally:
            until.set()

    async def _drained(self) -> None:
        """Return when everything published is handled, stored and committed."""
        while True:
            await self.bus.idle()
            for runner in self.runners:
                await runner.commit()
            # After all have committed: a message in flight counts as lag.
            if not sum([await runner.lag() for runner in self.runners]):
                return
            await asyncio.sleep(FETCH_SECONDS)

    def described(self, service: str) -> dict[str, Any]:
        """Return a service's description: its `describe` values."""
        return self._runner(service).service.describe()

    def seconds_by_stage(self) -> dict[str, float]:
        """Return the seconds that each service spent in its handlers."""
        return {
            runner.service.name: round(_total(runner.metrics.handler_seconds, "_sum"), 3)
            for runner in self.runners
        }

    def dead_letters(self) -> int:
        """Return how many messages could not be handled."""
        return int(sum(_total(one.metrics.dead_letters, "_total") for one in self.runners))

    def _runner(self, name: str) -> ServiceRunner:
        return next(runner for runner in self.runners if runner.service.name == name)


def _stop_order(runner: ServiceRunner) -> int:
    return NAMES.index(runner.service.name)


def _total(metric: Counter | Histogram, suffix: str) -> float:
    samples = (sample for family in metric.collect() for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name.endswith(suffix))


def settled(bus: LocalBus, on_frame: Callable[[int], None]) -> Pace:
    """Return the pace of a replay: the next frame is sent once every queue is empty."""

    async def pace(frame_ms: int) -> None:
        await bus.idle()
        on_frame(frame_ms)

    return pace
