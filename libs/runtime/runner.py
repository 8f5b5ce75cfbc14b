"""Starts a service, keeps it running, and stops it without losing a message."""

import asyncio
import gc
import signal
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from libs.events.bus import Bus
from libs.events.codec import Decoder
from libs.events.control import ServiceFailed
from libs.events.errors import BusFailed, Fenced
from libs.events.event import Event, utc_from_ms
from libs.market.calendar import IST
from libs.runtime.clock import Clock
from libs.runtime.consumer import ConsumerLoop
from libs.runtime.dead_letters import DeadLetters
from libs.runtime.delivery import is_defect
from libs.runtime.emitter import Emitter
from libs.runtime.error_line import note_interruption
from libs.runtime.group import Group
from libs.runtime.halts import halt_after, tell
from libs.runtime.health import Health
from libs.runtime.http import HttpServer, make_app
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.outage import Outage, after, until_answered
from libs.runtime.retry import RetryUntilWell, is_retriable
from libs.runtime.service import Service, Task
from libs.runtime.stamping import Stamping
from libs.runtime.subscription import CheckpointPolicy, Emit, Subscription

WATCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process gives to each of its services.

    With `writers_may_fail` a table writer that fails is restarted. Without it (demo, replay) the
    failure ends the run.
    """

    bus: Bus
    clock: Clock
    policy: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    decoder: Decoder = field(default_factory=Decoder)
    connect_seconds: float = 0.0
    writers_may_fail: bool = True


class ServiceRunner:
    """Runs one service: its loops, its health, its shutdown."""

    def __init__(self, service: Service, metrics: Metrics, surroundings: Surroundings) -> None:
        self.service = service
        self.health = Health(service.waiting, service.looks)
        self.health.starting(f"{service.name}.tasks")
        self.metrics = metrics
        self._around = surroundings
        self._log = logger_of(service.name)
        self.outage = Outage(self._log_away, self._log_back)
        self._groups = [self._group(subscription) for subscription in service.subscriptions]
        self._retried = RetryUntilWell(self._tasks_name, metrics, self.health)
        stamping = Stamping(service.name, surroundings.clock)
        self._outlet = Emitter(surroundings.bus, metrics, self._log, self._retried, stamping)
        self._tasks: list[asyncio.Task[None]] = []
        self._own_tasks: list[asyncio.Task[None]] = []
        self._background: list[asyncio.Task[None]] = []

    @property
    def _tasks_name(self) -> str:
        return f"{self.service.name}.tasks"

    def _group(self, subscription: Subscription) -> Group:
        around = self._around
        may_fail = around.writers_may_fail and not subscription.is_required
        limit = around.policy.dead_letter_limit
        letters = DeadLetters(around.bus, subscription.group, limit)
        return Group(lambda: self._loop(subscription, letters), self.health, self._log, may_fail)

    def _loop(self, subscription: Subscription, letters: DeadLetters) -> ConsumerLoop:
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
            letters,
            self.service.stamps if subscription.is_required else None,
        )

    async def start(self) -> None:
        """Prepare, restore, subscribe, and start the loops."""
        if self.service.prepare is not None:
            await self.service.prepare(self._outlet.emit)
        for group in self._groups:
            await group.start()
        self._tasks = [asyncio.create_task(group.run()) for group in self._groups]
        self.health.well(self._tasks_name)
        self._log.info("service started", subscriptions=len(self._groups))

    def start_tasks(self) -> None:
        """Start the service's own tasks; to be called when every service has started."""
        service = self.service
        self._own_tasks = [asyncio.create_task(self._guarded(task)) for task in service.tasks]
        self._background = [
            asyncio.create_task(self.watch_bus()),
            *(asyncio.create_task(self._guarded(_endless(task))) for task in service.background),
        ]

    async def _guarded(self, task: Task) -> None:
        """Run a task; after a defect in it, a service that handles money opens nothing new."""
        try:
            await task(self._outlet.emit)
        except Exception as error:
            is_money = any(one.handles_money for one in self.service.subscriptions)
            if is_money and is_defect(error):
                self._log.error("failed outside of a message", exc_info=error)
                where = f"a task of {self.service.name}"
                await self._tell(halt_after(self._around.clock, where, error))
            raise

    async def _tell(self, event: Event) -> None:
        async def telling() -> None:
            await self._outlet.emit(event)
            await self._retried(self._around.bus.flush)

        await tell(telling, self._log)

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
            for topic_partition, lag in (await group.loop.lag()).items():
                by_topic[topic_partition.topic] += lag
            for topic, lag in by_topic.items():
                self.metrics.consumer_lag.labels(group.loop.group, topic).set(lag)
            total += by_topic.total()
        return total

    async def watch_bus(self) -> None:
        """Ping the bus and measure the lag, every WATCH_SECONDS."""
        name = "bus"
        while True:
            try:
                await self._around.bus.ping()
                await self.lag()
            except Exception as error:
                if not is_retriable(error):
                    raise
                self.health.unwell(name, str(error))
                self.outage.away(str(error))
            else:
                self.health.well(name)
                self.outage.back()
            await asyncio.sleep(WATCH_SECONDS)

    async def tasks_done(self) -> None:
        """Return when the service's own tasks have ended; raise what they raised."""
        await asyncio.gather(*self._own_tasks)

    async def stop(self) -> None:
        """Cancel own tasks, let the loops finish their message and commit; then close."""
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

    def _log_away(self, reason: str, seconds: float) -> None:
        self._log.warning("waiting for the bus", reason=reason, seconds=round(seconds))

    def _log_back(self, seconds: float) -> None:
        self._log.info("the bus is back", seconds=round(seconds))

    async def report_failure(self, error: BaseException) -> None:
        """Log that the service failed, and publish ServiceFailed."""
        now_ms = self._around.clock.now_ms()
        at = utc_from_ms(now_ms)
        self._log.error("service failed", reason=str(error))
        if isinstance(error, Fenced | BusFailed):  # the bus cannot be used any more
            return
        name, reason = self.service.name, f"{type(error).__name__}: {error}"
        envelope = ServiceFailed.without_cause(
            *(name, now_ms, error), occurred_at=at, trading_day=at.astimezone(IST).date()
        )
        await self._tell(ServiceFailed(**envelope, service=name, reason=reason))


def _endless(task: Task) -> Task:
    """Return a task that has failed when it ends: nothing is done by it any more."""

    async def run(emit: Emit) -> None:
        await task(emit)
        name = getattr(task, "__name__", type(task).__name__)
        raise RuntimeError(f"a background task has ended by itself: {name}")

    return run


async def watch(runners: Sequence[ServiceRunner], until: asyncio.Event) -> None:
    """Return when `until` is set; report and raise the first error of any service."""
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
    """Set the event at SIGTERM or SIGINT; after SIGINT the process ends as interrupted."""

    def on_ctrl_c() -> None:
        note_interruption()
        stopping.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGINT, on_ctrl_c)


@asynccontextmanager
async def endpoints(
    runner: ServiceRunner, host: str, port: int, hosts: Collection[str] = ()
) -> AsyncIterator[None]:
    """Serve the HTTP endpoints of a service; raise SettingsError for a port that is taken."""
    app = make_app(runner.service, runner.health, runner.metrics, hosts)
    server = HttpServer(app, host, port)
    serving = asyncio.create_task(server.run_until_stopped())
    try:
        yield
    finally:
        server.close()
        await serving


async def run_alone(
    service: Service,
    metrics: Metrics,
    surroundings: Surroundings,
    host: str,
    port: int,
    hosts: Collection[str] = (),
) -> None:
    """Run one service until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    runner = ServiceRunner(service, metrics, surroundings)
    async with AsyncExitStack() as stack:
        await _connect(surroundings, runner, stopping)
        stack.push_async_callback(surroundings.bus.stop)
        await stack.enter_async_context(endpoints(runner, host, port, hosts))
        stack.push_async_callback(runner.stop)
        if await _started_or_reported(runner, stopping):
            _exempt_from_collection()
            runner.start_tasks()
            await watch([runner], stopping)


def _exempt_from_collection() -> None:
    """Exempt modules and restored state from garbage collection: they stay for ever.

    A full collection pauses the order path; the modules alone would cost 30 ms each time.
    """
    gc.collect()
    gc.freeze()


async def _connect(around: Surroundings, runner: ServiceRunner, stopping: asyncio.Event) -> None:
    """Start the bus; wait for it up to `connect_seconds`, then raise BusUnavailable."""
    is_late = after(around.connect_seconds)
    await until_answered(around.bus.start, runner.outage, lambda: is_late() or stopping.is_set())


async def _started_or_reported(runner: ServiceRunner, stopping: asyncio.Event) -> bool:
    try:
        return await _started(runner, stopping)
    except Exception as error:
        await runner.report_failure(error)
        raise


async def _started(runner: ServiceRunner, stopping: asyncio.Event) -> bool:
    """Start a service; return False if it was stopped meanwhile."""
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
