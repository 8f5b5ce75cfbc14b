"""A service started, watched and stopped."""

import asyncio
import gc
import os
import signal
import socket

import pytest
import structlog

from libs.events.control import ServiceFailed
from libs.events.embedded.bus import LocalBus
from libs.events.errors import BusUnavailable
from libs.runtime.clock import FeedClock
from libs.runtime.metrics import Metrics
from libs.runtime.runner import ServiceRunner, Surroundings, run_alone, watch
from libs.runtime.service import Parts, Service, Task
from libs.runtime.settings import SettingsError
from libs.runtime.subscription import CheckpointPolicy, Emit, Subscription
from libs.store.errors import StoreRejected
from tests.unit.fakes import ForgetfulStore
from tests.unit.libs.runtime.loops import Bench, Echo, halted, until


def runner_of(bench: Bench, service: Service) -> ServiceRunner:
    return ServiceRunner(service, bench.metrics, Surroundings(bench.bus, bench.clock, bench.policy))


def service_of(echo: Echo, *tasks: Task, name: str = "echo") -> Service:
    return Service(name, (Subscription(name, ("control",), echo),), tasks=tasks)


async def forever(_: Emit) -> None:
    await asyncio.Event().wait()


def test_a_service_prepares_before_it_subscribes_and_is_ready_afterwards() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        seen: list[tuple[bool, int]] = []

        async def prepare(emit: Emit) -> None:
            seen.append((runner.health.is_ready, len(bench.bus.consumers)))
            await emit(halted(1))

        groups = (Subscription("echo", ("control",), echo),)
        runner = runner_of(bench, Service("echo", groups, prepare=prepare))
        await runner.start()
        assert seen == [(False, 0)]
        assert runner.health.is_ready
        await until(lambda: echo.handled == [1], "what it prepared is handled")
        await runner.stop()
        assert not runner.health.is_ready
        await bench.local.stop()

    asyncio.run(story())


def test_watching_returns_when_it_is_told_to_and_stopping_commits() -> None:
    async def story() -> None:
        bench, echo, until_told = Bench(), Echo(), asyncio.Event()
        await bench.local.start()
        await bench.publish(halted(1))
        runner = runner_of(bench, service_of(echo, forever))
        await runner.start()
        runner.start_tasks()
        await until(lambda: echo.handled == [1], "the message is handled")
        assert await runner.lag() == 1
        until_told.set()
        await watch([runner], until_told)
        await runner.stop()
        assert bench.log[-1] == "commit [1]"
        assert all(task.done() for task in runner.running)
        await bench.local.stop()

    asyncio.run(story())


def test_own_tasks_end_before_the_loops_so_that_their_last_events_can_be_handled() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()
        ended: list[bool] = []

        async def feed(_: Emit) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(runner.running[0].done())

        runner = runner_of(bench, service_of(echo, feed))
        await runner.start()
        runner.start_tasks()
        await asyncio.sleep(0)
        await runner.stop()
        assert ended == [False]
        await bench.local.stop()

    asyncio.run(story())


def test_a_task_that_fails_is_told_on_control_and_ends_the_watch_with_its_error() -> None:
    async def story() -> None:
        bench, echo = Bench(), Echo()
        await bench.local.start()

        async def feed(emit: Emit) -> None:
            await emit(halted(5))
            raise RuntimeError("the feed broke off")

        runner = runner_of(bench, Service("ingest", tasks=(feed,)))
        other = runner_of(bench, service_of(echo))
        for one in (other, runner):
            await one.start()
            one.start_tasks()
        with pytest.raises(RuntimeError, match="the feed broke off"):
            await watch([other, runner], asyncio.Event())
        (failed,) = (e for e in await bench.events("control") if isinstance(e, ServiceFailed))
        assert failed.service == "ingest"
        assert failed.reason == "RuntimeError: the feed broke off"
        await runner.stop()
        await bench.local.stop()

    asyncio.run(story())


class Refused(Echo):
    async def flush(self) -> None:
        raise StoreRejected("no such table")


def test_stopping_raises_what_the_last_commit_met() -> None:
    async def story() -> None:
        bench, echo = Bench(), Refused()
        await bench.local.start()
        await bench.publish(halted(1))
        runner = runner_of(bench, service_of(echo))
        await runner.start()
        await until(lambda: echo.handled == [1], "the message is handled")
        with pytest.raises(StoreRejected, match="no such table"):
            await runner.stop()
        await bench.local.stop()

    asyncio.run(story())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as place:
        return int(place.getsockname()[1])


def alone(service: Service, bus: LocalBus, port: int) -> None:
    around = Surroundings(bus, FeedClock(), CheckpointPolicy())
    asyncio.run(run_alone(service, Metrics("echo"), around, "127.0.0.1", port))


def test_a_service_alone_runs_until_sigterm_and_closes_its_bus() -> None:
    class Closing(LocalBus):
        async def stop(self) -> None:
            ended.append("bus")
            await super().stop()

    async def end_us(_: Emit) -> None:
        ended.append("told")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    ended: list[str] = []
    alone(service_of(Echo(), end_us), Closing(), free_port())
    assert ended == ["told", "bus"]


def test_what_is_there_when_a_service_alone_has_started_is_not_collected_again() -> None:
    async def look(_: Emit) -> None:
        frozen.append(gc.get_freeze_count())
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    frozen: list[int] = []
    try:
        alone(service_of(Echo(), look), LocalBus(), free_port())
        assert frozen[0] > 0
    finally:
        gc.unfreeze()
    assert gc.get_freeze_count() == 0


def test_a_service_alone_that_fails_closes_everything_and_ends_with_its_error() -> None:
    class Closing(LocalBus):
        async def stop(self) -> None:
            ended.append("bus")
            await super().stop()

    async def fail(emit: Emit) -> None:
        await emit(halted(1))
        await until(lambda: echo.handled == [1], "the message is handled")
        raise RuntimeError("the feed broke off")

    ended: list[str] = []
    echo, port = Refused(), free_port()
    with pytest.raises((RuntimeError, StoreRejected)):
        alone(service_of(echo, fail), Closing(), port)
    assert ended == ["bus"]
    with socket.create_server(("127.0.0.1", port)):
        """The port is free again."""


def test_a_port_that_is_taken_is_named_before_the_service_starts() -> None:
    echo = Echo()
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
        with pytest.raises(SettingsError, match=str(port)):
            alone(service_of(echo), LocalBus(), port)
    assert echo.log == []


class Away(LocalBus):
    """A bus that does not answer twice, then does, until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: list[BaseException | None] = [
            *(BusUnavailable("no answer") for _ in range(2)),
            None,
            asyncio.CancelledError(),
        ]

    async def ping(self) -> None:
        answer = self._answers.pop(0)
        if answer is not None:
            raise answer


def test_an_outage_in_the_middle_of_a_run_is_logged_once_and_so_is_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("libs.runtime.runner.WATCH_SECONDS", 0)
    around = Surroundings(Away(), FeedClock(), CheckpointPolicy())
    with structlog.testing.capture_logs() as logged:
        runner = ServiceRunner(Service("echo"), Metrics("echo"), around)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(runner.watch_bus())
    told = [(line["event"], line.get("reason")) for line in logged]
    assert told == [("waiting for the bus", "no answer"), ("the bus is back", None)]


def test_a_service_without_a_store_has_no_writers() -> None:
    parts = Parts(LocalBus(), FeedClock(), Metrics("echo"))
    assert parts.writers("executor", {"orders": (("orders",), lambda _: {})}) == ()
    with pytest.raises(RuntimeError, match="no store for the writer of orders"):
        parts.writer("executor", ("orders",), "orders", lambda _: {})


def test_a_writer_is_a_group_of_its_own_that_readiness_does_not_wait_for() -> None:
    parts = Parts(LocalBus(), FeedClock(), Metrics("echo"), ForgetfulStore())
    (writer,) = parts.writers("executor", {"orders": (("orders",), lambda _: {})})
    assert writer.group == "executor.writer.orders"
    assert writer.topics == ("orders",)
    assert not writer.is_required
