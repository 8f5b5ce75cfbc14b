"""Start a service, keep it running, stop it without losing anything."""

import asyncio
import gc
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from libs.events.bus import Bus
from libs.events.codec import Decoder
from libs.events.control import ServiceFailed
from libs.events.errors import BusFailed, BusUnavailable, Fenced
from libs.events.event import utc_from_ms
from libs.market.calendar import IST
from libs.runtime.clock import Clock
from libs.runtime.consumer import ConsumerLoop
from libs.runtime.emitter import Emitter
from libs.runtime.group import Group
from libs.runtime.health import Health
from libs.runtime.http import HttpServer, make_app
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.retry import RetryUntilWell, is_retriable
from libs.runtime.service import Service
from libs.runtime.subscription import CheckpointPolicy, Subscription

WATCH_SECONDS = 5.0
CONNECT_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process gives to each of its services.

    `writers_may_fail`: a group that the service can do without is started again when it fails. A
    run that comes to an end (demo, replay) wants its writers to fail it instead.
    """

    bus: Bus
    clock: Clock
    policy: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    decoder: Decoder = field(default_factory=Decoder)
    connect_seconds: float = 0.0
    writers_may_fail: bool = True


class ServiceRunner:
    """One service at work: its loops, its health, its end."""

    def __init__(self, service: Service, metrics: Metrics, surroundings: Surroundings) -> None:
        self.service = service
        self.health = Health()
        self.health.starting(f"{service.name}.tasks")
        self.metrics = metrics
        self._around = surroundings
        self._log = logger_of(service.name)
        self._groups = [self._group(subscription) for subscription in service.subscriptions]
        self._retried = RetryUntilWell(self._tasks_name, metrics, self.health)
        self._outlet = Emitter(surroundings.bus, metrics, self._log, self._retried)
        self._tasks: list[asyncio.Task[None]] = []
        self._own_tasks: list[asyncio.Task[None]] = []
        self._background: list[asyncio.Task[None]] = []

    @property
    def _tasks_name(self) -> str:
        return f"{self.service.name}.tasks"

    def _group(self, subscription: Subscription) -> Group:
        may_fail = self._around.writers_may_fail and not subscription.is_required
        return Group(lambda: self._loop(subscription), self.health, self._log, may_fail)

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
        for group in self._groups:
            await group.start()
        self._tasks = [asyncio.create_task(group.run()) for group in self._groups]
        self.health.well(self._tasks_name)
        self._log.info("service started", subscriptions=len(self._groups))

    def start_tasks(self) -> None:
        """Let the service's own loops run, once every service has started."""
        emit = self._outlet.emit
        self._own_tasks = [asyncio.ensure_future(task(emit)) for task in self.service.tasks]
        self._background = [
            asyncio.ensure_future(self.watch_bus()),
            *(asyncio.ensure_future(task(emit)) for task in self.service.background),
        ]

    @property
    def running(self) -> Sequence[asyncio.Task[None]]:
        """Everything that runs; a task that ends with an error ends the service."""
        return [*self._tasks, *self._own_tasks, *self._background]

    async def commit(self) -> None:
        """Commit what each group has handled."""
        for group in self._groups:
            await group.loop.commit()

    async def lag(self) -> int:
        """Return how many messages the groups have not committed yet, and set the metric."""
        total = 0
        for group in self._groups:
            by_topic: Counter[str] = Counter()
            for place, behind in (await group.loop.lag()).items():
                by_topic[place.topic] += behind
            for topic, behind in by_topic.items():
                self.metrics.consumer_lag.labels(group.loop.group, topic).set(behind)
            total += by_topic.total()
        return total

    async def watch_bus(self) -> None:
        """Ask the bus every few seconds whether it is there, and how far behind the groups are."""
        name = "bus"
        while True:
            try:
                await self._around.bus.ping()
                await self.lag()
            except Exception as error:
                if not is_retriable(error):
                    raise
                self.health.unwell(name, str(error))
            else:
                self.health.well(name)
            await asyncio.sleep(WATCH_SECONDS)

    async def tasks_done(self) -> None:
        """Return when the service's own tasks have ended; raise what they raised."""
        await asyncio.gather(*self._own_tasks)

    async def stop(self) -> None:
        """Cancel own tasks, let the loops finish their message, commit and leave; then close."""
        self.health.is_stopping = self._retried.is_stopping = True
        own = [*self._own_tasks, *self._background]
        for task in own:
            task.cancel()
        await asyncio.gather(*own, return_exceptions=True)
        for group in self._groups:
            group.stop()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.service.close is not None:
            await self.service.close()
        self._log.info("service stopped")
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def tell_waiting(self, error: Exception) -> None:
        """Log that the service waits for the bus, and why."""
        self._log.warning("waiting for the bus", reason=str(error))

    async def report_failure(self, error: BaseException) -> None:
        """Tell the control topic that the service failed."""
        now_ms = self._around.clock.now_ms()
        at = utc_from_ms(now_ms)
        self._log.error("service failed", reason=str(error))
        if isinstance(error, Fenced | BusFailed):  # nobody can be told by this bus
            return
        name, reason = self.service.name, f"{type(error).__name__}: {error}"
        envelope = ServiceFailed.without_cause(
            *(name, now_ms, error), occurred_at=at, trading_day=at.astimezone(IST).date()
        )
        await self._outlet.emit(ServiceFailed(**envelope, service=name, reason=reason))


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
        await _connect(surroundings, runner, stopping)
        stack.push_async_callback(surroundings.bus.stop)
        await stack.enter_async_context(endpoints(runner, host, port))
        stack.push_async_callback(runner.stop)
        if await _started(runner, stopping):
            _keep()
            runner.start_tasks()
            await watch([runner], stopping)


def _keep() -> None:
    """Tell the collector that what is there by now stays: modules, and the state of before.

    A full collection stops the order path too; the modules alone are 30 ms of each.
    """
    gc.collect()
    gc.freeze()


async def _connect(around: Surroundings, runner: ServiceRunner, stopping: asyncio.Event) -> None:
    """Start the bus, waiting for a broker that is not there yet; raise what keeps it away."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + around.connect_seconds
    while True:
        try:
            return await around.bus.start()
        except BusUnavailable as error:
            if loop.time() > deadline or stopping.is_set():
                raise
            runner.tell_waiting(error)
            await asyncio.sleep(CONNECT_EVERY_SECONDS)


async def _started(runner: ServiceRunner, stopping: asyncio.Event) -> bool:
    """Start a service; return False where it is to stop before it has."""
    starting = asyncio.create_task(runner.start())
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
    if starting.cancelled():
        return False
    await starting
    return not stopping.is_set()
