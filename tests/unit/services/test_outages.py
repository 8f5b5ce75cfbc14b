"""Whole services in an outage, with a start that fails, and with a listing that is impossible."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from libs.broker.paper import PaperBroker, PaperRules
from libs.events.codec import event_of, record_of
from libs.events.control import ServiceFailed
from libs.events.embedded.bus import LocalBus
from libs.events.errors import BusUnavailable
from libs.events.event import Event
from libs.events.positions import ExitRequested, PositionOpened
from libs.events.signals import SignalGenerated
from libs.runtime.clock import FeedClock
from libs.runtime.metrics import Metrics
from libs.runtime.runner import Surroundings, run_alone
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import Reaction, Subscription
from libs.runtime.testing import ServiceHarness
from services.executor.service import make_service as make_executor
from services.executor.settings import ExecutorSettings
from services.position.service import make_service as make_position
from services.position.settings import PositionSettings
from tests.unit.libs.runtime.loops import halted
from tests.unit.services.breaking import OFTEN, BreakingBus
from tests.unit.services.executor import builders as trade
from tests.unit.services.position.builders import NOW, fill, ticks
from tests.unit.services.signal import test_service as signal


class Hiccup(BreakingBus):
    """A cluster that does not answer the first question for the partitions of a topic."""

    away = ""

    async def partitions(self, topic: str) -> int:
        if topic == self.away:
            self.away = ""
            raise BusUnavailable("list topics: Kafka has not answered for 10 s")
        return await super().partitions(topic)


async def made_by(
    make: Callable[[Parts], Service], inputs: Sequence[Event], bus: Hiccup, away: str
) -> list[Event]:
    await bus.start()
    async with ServiceHarness(make, bus=bus, policy=OFTEN) as harness:
        bus.away = away
        for event in inputs:
            await harness.publish(event)
        made = [e for topic in bus.outputs for e in await harness.published(topic)]
    await bus.stop()
    return made


def test_a_fill_opens_its_position_though_the_cluster_did_not_answer_once(tmp_path: Path) -> None:
    bus = Hiccup(tmp_path, ("positions", "signal_updates"))

    def make(parts: Parts) -> Service:
        return make_position(PositionSettings(), parts)

    made = asyncio.run(asyncio.wait_for(made_by(make, [fill()], bus, "signal_updates"), 30))
    assert [e for e in made if isinstance(e, PositionOpened)]


def test_a_stop_is_asked_for_though_the_cluster_did_not_answer_once(tmp_path: Path) -> None:
    bus = Hiccup(tmp_path, ("exit_requests",))

    def make(parts: Parts) -> Service:
        return make_position(PositionSettings(), parts)

    inputs = [fill(), *(ticks(50.0, NOW + n * 1000) for n in range(1, 5))]
    made = asyncio.run(asyncio.wait_for(made_by(make, inputs, bus, "exit_requests"), 30))
    assert [e for e in made if isinstance(e, ExitRequested)]


def test_a_signal_is_passed_on_though_the_cluster_did_not_answer_once(tmp_path: Path) -> None:
    bus = Hiccup(tmp_path, ("signal_generated",))
    inputs = [signal.strategy_signal(1)]
    made = asyncio.run(asyncio.wait_for(made_by(signal.make, inputs, bus, "signal_generated"), 30))
    assert [e for e in made if isinstance(e, SignalGenerated)]


def test_a_service_that_cannot_start_says_so() -> None:
    """A defect in `restore` or `begin`: nothing but the log tells, while it starts for ever."""

    class Kept(LocalBus):
        async def stop(self) -> None:
            """Stay readable."""

    def restore(event: Event) -> None:
        raise TypeError("a defect")

    async def story() -> list[Event]:
        bus = Kept()
        await bus.start()
        await bus.publish(record_of(halted(1)))
        reaction = Reaction(lambda event: (), restore)
        service = Service("x", (Subscription("x", ("orders",), reaction, ("control",)),))
        with pytest.raises(TypeError):
            await run_alone(service, Metrics("x"), Surroundings(bus, FeedClock()), "127.0.0.1", 0)
        return [event_of(message) async for message in bus.read(["control"])]

    assert any(isinstance(e, ServiceFailed) for e in asyncio.run(story()))


def test_one_bad_listing_does_not_break_every_tick_batch_of_the_executor(tmp_path: Path) -> None:
    """It is taken in without a look; from then on each batch and each signal raises, for ever."""

    async def story() -> list[bool]:
        bus = Hiccup(tmp_path, ("orders",))
        await bus.start()
        venue = PaperBroker(PaperRules())
        lives = []
        bad = trade.listed(trade.option(25000.0)).model_copy(update={"instrument_token": 2**70})
        for life in range(4):
            harness = ServiceHarness(
                lambda parts: make_executor(ExecutorSettings(mode="paper"), parts, venue),
                bus=bus,
                policy=OFTEN,
            )
            await harness.runner.start()
            if life == 0:
                await harness.publish(*trade.chain_listed(), bad)
            at = trade.NOW + 1000 * life
            await harness.publish(trade.ticks(trade.chain_rows(at_ms=at), at_ms=at))
            lives.append(not any(task.done() for task in harness.runner.running))
            with suppress(OverflowError):
                await harness.runner.stop()
        await bus.stop()
        return lives

    lives = asyncio.run(asyncio.wait_for(story(), 60))
    assert lives[-1], lives
