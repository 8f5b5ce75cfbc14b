"""Start a service, keep it running, stop it without losing anything."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from libs.events.bus import Bus
from libs.events.codec import Decoder
from libs.events.control import ServiceFailed
from libs.events.event import identity, utc_from_ms
from libs.market.calendar import IST
from libs.runtime.clock import Clock
from libs.runtime.consumer import CheckpointPolicy, ConsumerLoop, Subscription
from libs.runtime.health import Health
from libs.runtime.http import HttpServer, make_app
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.service import Service


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process gives to each of its services."""

    bus: Bus
    clock: Clock
    policy: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    decoder: Decoder = field(default_factory=Decoder)


class ServiceRunner:
    """One service at work: its loops, its health, its end."""

    def __init__(self, service: Service, metrics: Metrics, surroundings: Surroundings) -> None:
        self.service = service
        self.health = Health()
        self.metrics = metrics
        self._around = surroundings
        self._log = logger_of(service.name)
        self._loops = [self._loop(subscription) for subscription in service.subscriptions]
        # Tasks emit through a loop of no subscription: the same counters, logs and topics.
        self._outlet = self._loop(Subscription(f"{service.name}.tasks", (), _Nothing()))
        self._tasks: list[asyncio.Task[None]] = []
        self._own_tasks: list[asyncio.Task[None]] = []
        self._background: list[asyncio.Task[None]] = []

    def _loop(self, subscription: Subscription) -> ConsumerLoop:
        around = self._around
        return ConsumerLoop(
            subscription,
            around.bus,
            around.clock,
            self.metrics,
            self.health,
            self._log,
            around.policy,
            around.decoder,
        )

    async def start(self) -> None:
        """Prepare, restore, subscribe, and let the loops run."""
        if self.service.prepare is not None:
            await self.service.prepare(self._outlet.emit)
        for loop in self._loops:
            await loop.start()
        self._tasks = [asyncio.create_task(loop.run()) for loop in self._loops]
        self.health.well(f"{self.service.name}.tasks")
        self._log.info("service started", subscriptions=len(self._loops))

    def start_tasks(self) -> None:
        """Let the service's own loops run, once every service has started."""
        emit = self._outlet.emit
        self._own_tasks = [asyncio.ensure_future(task(emit)) for task in self.service.tasks]
        self._background = [asyncio.ensure_future(task(emit)) for task in self.service.background]

    @property
    def running(self) -> Sequence[asyncio.Task[None]]:
        """Everything that runs; a task that ends with an error ends the service."""
        return [*self._tasks, *self._own_tasks, *self._background]

    async def commit(self) -> None:
        """Commit what each group has handled."""
        for loop in self._loops:
            await loop.commit()

    async def lag(self) -> int:
        """Return how many messages the groups have not committed yet."""
        return sum([await loop.lag() for loop in self._loops])

    async def tasks_done(self) -> None:
        """Return when the service's own tasks have ended; raise what they raised."""
        await asyncio.gather(*self._own_tasks)

    async def stop(self) -> None:
        """Cancel own tasks, let the loops finish their message, commit and leave; then close."""
        self.health.is_stopping = True
        own = [*self._own_tasks, *self._background]
        for task in own:
            task.cancel()
        await asyncio.gather(*own, return_exceptions=True)
        for loop in self._loops:
            loop.stop()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.service.close is not None:
            await self.service.close()
        self._log.info("service stopped")
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def report_failure(self, error: BaseException) -> None:
        """Tell the control topic that the service failed."""
        now_ms = self._around.clock.now_ms()
        at = utc_from_ms(now_ms)
        event_id = identity("ServiceFailed", self.service.name, now_ms, error)
        self._log.error("service failed", reason=str(error))
        await self._outlet.emit(
            ServiceFailed(
                event_id=event_id,
                occurred_at=at,
                trading_day=at.astimezone(IST).date(),
                correlation_id=event_id,
                service=self.service.name,
                reason=f"{type(error).__name__}: {error}",
            )
        )


class _Nothing:
    """The handler of the outlet, which subscribes to nothing."""

    async def handle(self, event: object, emit: object) -> None:
        """Receive nothing."""

    async def flush(self) -> None:
        """Hold nothing."""

    def restore(self, event: object) -> None:
        """Keep nothing."""

    async def begin(self, emit: object) -> None:
        """Begin nothing."""


async def watch(runners: Sequence[ServiceRunner], until: asyncio.Event) -> None:
    """Return when `until` is set; raise the first error of any service, after reporting it."""
    waiter = asyncio.create_task(until.wait())
    owners = {task: runner for runner in runners for task in runner.running}
    try:
        while not waiter.done():
            pending = [task for task in owners if not task.done()]
            await asyncio.wait([waiter, *pending], return_when=asyncio.FIRST_COMPLETED)
            await _raise_failures(owners)
    finally:
        waiter.cancel()


async def _raise_failures(owners: dict[asyncio.Task[None], ServiceRunner]) -> None:
    for task, runner in owners.items():
        if task.done() and not task.cancelled() and (error := task.exception()):
            await runner.report_failure(error)
            raise error


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set the event at SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


@asynccontextmanager
async def endpoints(runner: ServiceRunner, host: str, port: int) -> AsyncIterator[None]:
    """Answer at the endpoints of a service; raise SettingsError for a port that is taken."""
    server = HttpServer(make_app(runner.service, runner.health, runner.metrics), host, port)
    serving = asyncio.create_task(server.run_until_stopped())
    try:
        yield
    finally:
        server.close()
        await serving


async def run_alone(
    service: Service, metrics: Metrics, surroundings: Surroundings, host: str, port: int
) -> None:
    """Run one service as a process of its own until SIGTERM: `python -m services.<name>`."""
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    runner = ServiceRunner(service, metrics, surroundings)
    async with AsyncExitStack() as stack:
        await surroundings.bus.start()
        stack.push_async_callback(surroundings.bus.stop)
        await stack.enter_async_context(endpoints(runner, host, port))
        stack.push_async_callback(runner.stop)
        await runner.start()
        runner.start_tasks()
        await watch([runner], stopping)
