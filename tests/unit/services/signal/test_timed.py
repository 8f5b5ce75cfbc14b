"""The service by the clock: what nobody acts on expires, once everything published is handled."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from libs.events.embedded.bus import LocalBus
from libs.events.errors import BusUnavailable
from libs.events.event import Event
from libs.runtime.caught_up import STEADY_SECONDS, CaughtUp
from libs.runtime.subscription import Timed
from libs.runtime.testing import ServiceHarness
from tests import skipping
from tests.unit.services.position.builders import fill
from tests.unit.services.signal.test_service import NOW, kinds, make, strategy_signal

OVER = NOW + 1_800_000 + 60_000
PASSED = ["SignalGenerated", "SignalValidated"]
Story = Callable[[ServiceHarness], Any]


async def wait(harness: ServiceHarness, seconds: float = 2 * STEADY_SECONDS) -> None:
    """Let the service look at the clock for so long."""
    for _ in range(int(seconds * 10)):
        await skipping.skip(0.1)
    await harness.bus.idle()


async def with_a_signal(story: Story) -> None:
    async with ServiceHarness(make) as harness:
        await harness.publish(strategy_signal())
        await story(harness)


def test_a_signal_that_nobody_acts_on_expires_without_a_further_message() -> None:
    async def story(harness: ServiceHarness) -> None:
        harness.clock.observe(OVER)
        await wait(harness)
        assert await kinds(harness) == PASSED
        harness.clock.observe(OVER + 2)
        await wait(harness)
        assert await kinds(harness) == [*PASSED, "SignalExpired"]
        await wait(harness)
        assert await kinds(harness) == [*PASSED, "SignalExpired"]
        assert harness.measured("signals_open", "VALIDATED") == 0

    skipping.run(with_a_signal(story))


def test_a_signal_with_an_order_is_the_executor_s() -> None:
    async def story(harness: ServiceHarness) -> None:
        (generated,) = await harness.published("signal_generated")
        await harness.publish(fill(signal_id=generated.event_id))
        harness.clock.observe(OVER + 2)
        await wait(harness)
        assert await kinds(harness) == PASSED

    skipping.run(with_a_signal(story))


def test_what_was_left_before_a_restart_expires_after_it_and_only_once() -> None:
    async def story() -> None:
        async with ServiceHarness(make) as first:
            await first.publish(strategy_signal())
        for _ in range(2):
            async with ServiceHarness(make, bus=first.bus) as later:
                later.clock.observe(OVER + 2)
                await wait(later)
                assert await kinds(later) == [*PASSED, "SignalExpired"]

    skipping.run(story())


class Away(LocalBus):
    """A bus that does not answer while it is away."""

    is_away = False

    async def ping(self) -> None:
        if self.is_away:
            raise BusUnavailable("away")


def test_nothing_expires_until_the_bus_has_answered_for_a_while() -> None:
    async def story() -> None:
        bus = Away(lockstep=True, partitions={"ticks": 1, "candles": 1})
        await bus.start()
        async with ServiceHarness(make, bus=bus) as harness:
            await harness.publish(strategy_signal())
            harness.clock.observe(OVER + 2)
            bus.is_away = True
            await wait(harness)
            bus.is_away = False
            await wait(harness, STEADY_SECONDS - 1)
            assert await kinds(harness) == PASSED
            await wait(harness)
            assert await kinds(harness) == [*PASSED, "SignalExpired"]

    skipping.run(story())


class Broken(LocalBus):
    async def ping(self) -> None:
        raise ValueError("a defect")


def test_an_error_that_is_no_outage_is_raised() -> None:
    with pytest.raises(ValueError, match="a defect"):
        asyncio.run(CaughtUp(Broken()).is_sure())


def test_what_could_not_be_published_is_published_the_next_time() -> None:
    async def story() -> None:
        made: list[Event] = [strategy_signal()]
        published: list[Event] = []
        timed = Timed(lambda: bool(made), lambda: (made.pop(),))

        async def refuse(*_: Event) -> None:
            raise BusUnavailable("away")

        async def take(*events: Event) -> None:
            published.extend(events)

        with pytest.raises(BusUnavailable):
            await timed.act(refuse)
        assert timed.is_due()
        await timed.act(take)
        assert published == [strategy_signal()]
        assert not timed.is_due()

    asyncio.run(story())
