"""A defect in what no message asked for: it is told, halts entries, and ends the service."""

import asyncio
from typing import Any

import pytest
import structlog

from libs.events.control import ServiceFailed, TradingHalted
from libs.events.embedded.bus import LocalBus
from libs.events.errors import BusUnavailable
from libs.events.event import Event
from libs.runtime import halts
from libs.runtime.runner import ServiceRunner, watch
from libs.runtime.service import Service
from libs.runtime.subscription import CheckpointPolicy, Emit, Every, Subscription, Timed
from libs.store.errors import StoreRejected
from tests.unit.libs.runtime.loops import NOW, Bench, Echo, asked
from tests.unit.libs.runtime.test_runner import forever, runner_of

DEFECT = "KeyError: 'a defect'"


async def broken(*_: object) -> None:
    raise KeyError("a defect")


async def refused(*_: object) -> None:
    raise StoreRejected("no such table")


def break_(*_: object) -> tuple[Event, ...]:
    raise KeyError("a defect")


class Quiet(Echo):
    """Handles everything without an answer."""

    async def handle(self, event: Event, emit: Emit) -> None:
        """Do nothing."""


class BrokenStart(Quiet):
    async def begin(self, emit: Emit) -> None:
        await broken()


class BrokenSink(Quiet):
    async def flush(self) -> None:
        await broken()


def money(handler: Echo | None = None, **more: Any) -> Subscription:
    chosen: dict[str, Any] = {"handles_money": True, **more}
    return Subscription("money", ("exit_requests",), handler or Quiet(), **chosen)


def service(*groups: Subscription, **more: Any) -> Service:
    return Service("money", groups or (money(),), **more)


async def run(runner: ServiceRunner) -> None:
    await runner.start()
    runner.start_tasks()
    await watch([runner], asyncio.Event())


def told(
    of: Service, error: type[Exception] = KeyError, policy: CheckpointPolicy | None = None
) -> tuple[list[str], list[str]]:
    """Run a service until it fails; return the reasons of the halts and failures told by then."""

    async def story() -> tuple[list[str], list[str]]:
        bench = Bench(policy=policy)
        bench.clock.observe(NOW)
        await bench.local.start()
        await bench.publish(asked(1))
        runner = runner_of(bench, of)
        with pytest.raises(error):
            await run(runner)
        assert bench.log[-1] == "flush producer", "what is told is acknowledged"
        events = await bench.events("control")
        await asyncio.gather(runner.stop(), return_exceptions=True)
        return (
            [one.reason for one in events if isinstance(one, TradingHalted)],
            [one.reason for one in events if isinstance(one, ServiceFailed)],
        )

    return asyncio.run(asyncio.wait_for(story(), 20))


@pytest.mark.parametrize(
    ("of", "where"),
    [
        (service(background=(broken,)), "a task of money"),
        (service(tasks=(broken,)), "a task of money"),
        (service(money(finish=broken)), "money between two messages"),
        (service(money(timed=Every(1000, broken))), "money between two messages"),
    ],
    ids=["background", "task", "finish", "each second"],
)
def test_a_defect_outside_a_message_halts_entries_and_is_told(of: Service, where: str) -> None:
    halts, failures = told(of)
    assert halts == [f"{where} failed: {DEFECT}"]
    assert failures == [DEFECT]


def test_so_does_one_before_a_commit() -> None:
    halts, failures = told(service(money(BrokenSink())), policy=CheckpointPolicy(records=1))
    assert halts == [f"money between two messages failed: {DEFECT}"]
    assert failures == [DEFECT]


def test_so_does_one_in_what_is_done_once_all_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.runtime.caught_up.STEADY_SECONDS", 0.0)
    halts, failures = told(service(money(timed=Timed(lambda: True, break_))))
    assert halts == [f"money between two messages failed: {DEFECT}"]
    assert failures == [DEFECT]


def test_a_defect_in_what_follows_from_the_restored_state_halts_entries() -> None:
    async def story() -> list[Event]:
        bench = Bench()
        await bench.local.start()
        with pytest.raises(KeyError):
            await runner_of(bench, service(money(BrokenStart()))).start()
        return await bench.events("control")

    (event,) = asyncio.run(story())
    assert isinstance(event, TradingHalted)
    assert event.reason == f"money at its start failed: {DEFECT}"


def test_where_no_money_is_handled_it_is_told_and_nothing_is_halted() -> None:
    for of in (
        service(money(handles_money=False), background=(broken,)),
        service(money(handles_money=False, finish=broken)),
    ):
        assert told(of) == ([], [DEFECT])


def test_what_the_outside_refuses_is_told_and_halts_nothing() -> None:
    for of in (service(background=(refused,)), service(money(finish=refused))):
        assert told(of, StoreRejected) == ([], ["StoreRejected: no such table"])


def test_a_background_task_that_ends_by_itself_is_a_failure_as_well() -> None:
    async def ends(_: Emit) -> None:
        """Return, as nothing that runs until the service stops may do."""

    halts, failures = told(service(background=(ends,)), RuntimeError)
    reason = "RuntimeError: a background task has ended by itself: ends"
    assert halts == [f"a task of money failed: {reason}"]
    assert failures == [reason]


def test_a_task_that_is_stopped_is_no_failure() -> None:
    async def story() -> list[Event]:
        bench = Bench()
        await bench.local.start()
        runner = runner_of(bench, service(background=(forever,), tasks=(forever,)))
        await runner.start()
        runner.start_tasks()
        await asyncio.sleep(0)
        await runner.stop()
        return await bench.events("control")

    assert asyncio.run(story()) == []


class Away(LocalBus):
    """A bus that takes nothing any more."""

    async def publish(self, record: object) -> None:
        raise BusUnavailable("away")


def test_a_bus_that_is_away_does_not_keep_a_broken_service_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(halts, "TELL_SECONDS", 0.05)

    async def story() -> None:
        bench = Bench(Away())
        await bench.local.start()
        runner = runner_of(bench, service(background=(broken,)))
        await runner.start()
        runner.start_tasks()
        with pytest.raises(KeyError):
            await watch([runner], asyncio.Event())
        await runner.stop()

    with structlog.testing.capture_logs() as logged:
        asyncio.run(asyncio.wait_for(story(), 10))
    lines = [line["event"] for line in logged]
    assert lines.count("the failure could not be told on the bus") == 2
    assert "service failed" in lines


def test_an_error_of_a_message_is_no_error_outside_of_one() -> None:
    class BrokenHandler(Echo):
        async def handle(self, event: Event, emit: Emit) -> None:
            await broken()

    group = Subscription(
        "money", ("exit_requests",), BrokenHandler(), restore_topics=("orders",), handles_money=True
    )
    assert told(service(group)) == ([], [DEFECT])  # it is tried once more after the restart
