"""Processes that can be killed, paused and replaced, each with one service and its connections."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from libs.broker.errors import BrokerUnavailable, OrderRefused, RateLimited, SessionExpired
from libs.events.bus import Message
from libs.events.codec import Decoder
from libs.events.errors import BusUnavailable, Fenced
from libs.events.event import Event
from libs.runtime.clock import WallClock
from libs.runtime.metrics import Metrics
from libs.runtime.runner import ServiceRunner, Surroundings
from libs.runtime.service import Parts, Service
from libs.store.store import Store
from tests.chaos.cluster import Cluster, Connection
from tests.chaos.exchange import Exchange
from tests.chaos.faults import Plan
from tests.chaos.venue import ExchangeVenue

RESTART_SECONDS = 1.0
MakeService = Callable[[Parts, "Process"], Service]
_current: ContextVar["Process"] = ContextVar("process")


class Killed(BaseException):
    """The process is dead: nothing that it wanted to do happens any more."""


class _KnownEvents(Decoder):
    """Decodes by the cluster, which does it once for all."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster

    def event_of(self, message: Message) -> Event:
        """Return the event of a message."""
        return self._cluster.event_of(message)


class Process:
    """One run of a service, from its start to its death; the gates of its calls."""

    def __init__(self, name: str, number: int, house: "House") -> None:
        self.name, self.number, self.house = name, number, house
        self.random = Random(f"{name}{number}{house.seed}")
        self.is_dead = self.is_stopping = False
        self.venue: ExchangeVenue | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self.connection = Connection(house.cluster, name, self.at)
        self._awake = asyncio.Event()
        self._awake.set()
        self.runner: ServiceRunner | None = None
        self.main: asyncio.Future[None] | None = None

    @property
    def seconds(self) -> float:
        """How long a fault of this run takes."""
        return self.house.plan.seconds

    def takes(self, point: str) -> str | None:
        """Return the effect of a fault that happens to a message at a point."""
        plan = self.house.plan
        if plan.fault.point != point or plan.fault.effect not in ("lost", "late", "twice"):
            return None
        effect = plan.takes(self.name, point)
        if effect is not None:
            self.house.note(f"{self.name} {self.number}: {point} {effect}")
        return effect

    async def at(self, point: str) -> None:
        """Pass a point: wait while paused, die here, or raise an error."""
        await self._living()
        effect = None if self._is_message(point) else self.house.plan.takes(self.name, point)
        if effect is not None:
            self.house.note(f"{self.name} {self.number}: {point} {effect}")
            await self._happens(point, effect)
            await self._living()

    def _is_message(self, point: str) -> bool:
        plan = self.house.plan
        is_wire = point.endswith(".wire") and plan.fault.effect in ("lost", "late")
        return is_wire or point == "update"

    async def _living(self) -> None:
        await self._awake.wait()
        if self.is_dead:
            raise Killed

    async def _happens(self, point: str, effect: str) -> None:
        is_bus = point.partition(".")[0] in ("publish", "flush", "commit", "confirm", "ping")
        match effect:
            case "crash":
                self.house.crash(self)
                raise Killed
            case "stop":
                self.house.stop_gently(self)
            case "pause":
                await self._pause()
            case "slow":
                await asyncio.sleep(min(self.seconds, 4.0) if is_bus else self.seconds)
            case "late" if is_bus:
                self.connection.late_seconds = self.seconds
            case "unavailable":
                raise BusUnavailable("no broker answers")
            case _:
                self._refuse(effect)

    def _refuse(self, effect: str) -> NoReturn:
        match effect:
            case "refused":
                raise OrderRefused("insufficient funds")
            case "reset":
                raise BrokerUnavailable("connection reset", was_sent=False)
            case "too_many":
                raise RateLimited("too many requests", 5_000)
            case "forbidden":
                exchange = self.house.exchange
                exchange.no_session_until_ms = exchange.now_ms() + round(self.seconds * 1000)
                raise SessionExpired("Incorrect `api_key` or `access_token`.")
            case "server_error" | "timeout":
                raise BrokerUnavailable(effect)
        raise AssertionError(effect)

    async def _pause(self) -> None:
        """Stop the process for a while, as SIGSTOP does; a successor takes over meanwhile."""
        self._awake.clear()
        self.house.paused += 1
        asyncio.get_running_loop().call_later(self.seconds, self._wake)
        self.house.replace(self)
        await self._awake.wait()

    def _wake(self) -> None:
        self.house.note(f"{self.name} {self.number} wakes")
        self.house.paused -= 1
        self._awake.set()

    async def run(self) -> None:
        """Run the service as a process of its own does, until it fails or is killed."""
        house = self.house
        service = house.make(self.name)(self._parts(), self)
        clock = WallClock()
        around = Surroundings(
            self.connection,
            clock,
            decoder=_KnownEvents(house.cluster),
        )
        runner = self.runner = ServiceRunner(service, metrics_of(self.name), around)
        await self.connection.start()
        await runner.start()
        runner.start_tasks()
        done, _ = await asyncio.wait(runner.running, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    def _parts(self) -> Parts:
        store = self.house.store if self.house.plan.fault.point == "store" else None
        return Parts(
            self.connection,
            WallClock(),
            metrics_of(self.name),
            store,
        )

    def kill(self) -> None:
        """End the process without a word."""
        self.is_dead = True
        self._awake.set()
        if self.venue is not None:
            self.venue.end()
        for task in self.tasks:
            task.cancel()


class House:
    """Starts the processes, and starts one again that has ended."""

    def __init__(
        self,
        cluster: Cluster,
        exchange: Exchange,
        plan: Plan,
        seed: str,
        services: dict[str, MakeService],
        store: Store | None = None,
    ) -> None:
        self.cluster, self.exchange, self.plan, self.seed = cluster, exchange, plan, seed
        self.store, self.is_large, self.has_stops, self.product = store, False, True, "NRML"
        self.books = False
        self.flattening: Path | None = None
        """The file by which a flatten keeps an executor from sending orders."""
        self._services = services
        self.current: dict[str, Process] = {}
        self.count = 0
        self.starting = self.paused = 0
        self.story: list[str] = []
        self.ended: list[tuple[str, BaseException]] = []
        asyncio.get_running_loop().set_task_factory(_owned_task)

    def make(self, name: str) -> MakeService:
        """Return how a service is made."""
        return self._services[name]

    def note(self, line: str) -> None:
        """Note what happened, with the time."""
        self.story.append(f"{asyncio.get_running_loop().time():8.3f} {line}")

    def start(self, name: str) -> Process:
        """Start a process."""
        self.count += 1
        process = self.current[name] = Process(name, self.count, self)
        self._spawn(process, self._supervised(process))
        return process

    def crash(self, process: Process) -> None:
        """Kill a process; another one is started soon."""
        self.note(f"{process.name} {process.number} is killed")
        process.kill()
        if self.current.get(process.name) is process:
            self._start_soon(process.name)

    def stop_gently(self, process: Process) -> None:
        """Stop a process as SIGTERM does; another one is started when it has ended."""
        self._spawn(process, self._stopped(process))

    async def _stopped(self, process: Process) -> None:
        if process.runner is not None:
            process.is_stopping = True
            try:
                await process.runner.stop()
            except Exception as error:  # noqa: BLE001  a stop must not fail
                self.ended.append((process.name, error))
        self.note(f"{process.name} {process.number} has stopped")
        self.crash(process)

    def replace(self, process: Process) -> None:
        """Start a successor while a process is paused, as an orchestrator would."""
        self._start_soon(process.name)

    def cut_power(self, seconds: float) -> None:
        """Kill everything at once, and start it again after a while."""
        self.note(f"the power is gone for {seconds:g} s")
        self.stop()
        for name in list(self.current):
            self.starting += 1
            asyncio.get_running_loop().call_later(seconds, self._start_now, name)

    def stop(self) -> None:
        """Kill everything."""
        for process in self.current.values():
            process.kill()

    def _start_soon(self, name: str) -> None:
        self.starting += 1
        asyncio.get_running_loop().call_later(RESTART_SECONDS, self._start_now, name)

    def _start_now(self, name: str) -> None:
        self.starting -= 1
        self.start(name)

    async def _supervised(self, process: Process) -> None:
        try:
            await process.run()
        except (Killed, asyncio.CancelledError):
            return
        except Exception as error:  # noqa: BLE001  that a process ends is what is looked for
            if process.is_dead or process.is_stopping:
                return
            is_current = self.current.get(process.name) is process
            self.note(f"{process.name} {process.number} ends: {type(error).__name__}: {error}")
            if is_current or not isinstance(error, Fenced):
                self.ended.append((process.name, error))
            process.kill()
            if is_current and not self.starting:
                self._start_soon(process.name)

    def _spawn(self, process: Process, story: Coroutine[Any, Any, None]) -> None:
        token = _current.set(process)
        try:
            process.main = asyncio.ensure_future(story)
        finally:
            _current.reset(token)


def _owned_task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "asyncio.Task[Any]":
    """Make a task that dies with the process that made it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    process = _current.get(None)
    if process is not None:
        process.tasks.append(task)
    return task


@cache
def metrics_of(name: str) -> Metrics:
    """Return the metrics of a service, which all runs share."""
    return Metrics(name)
