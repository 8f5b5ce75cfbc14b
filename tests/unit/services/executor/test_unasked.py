"""A defect in what the executor does outside a message: told, entries halted, then it ends."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.broker.paper import PaperBroker
from libs.broker.port import OrderUpdate
from libs.events.control import ServiceFailed, TradingHalted
from libs.runtime.runner import watch
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.executor.service import make_service
from services.executor.settings import ExecutorSettings

DEFECT = "ValueError: an update that nobody understands"


class BrokenUpdates(PaperBroker):
    """A venue with an update that nobody understands, as soon as it runs."""

    is_defect_due = False

    async def updated(self) -> None:
        self.is_defect_due = True

    def take_updates(self) -> Sequence[OrderUpdate]:
        if self.is_defect_due:
            self.is_defect_due = False
            raise ValueError("an update that nobody understands")
        return super().take_updates()


class BrokenBook(PaperBroker):
    """A venue whose order book nobody understands."""

    async def orders(self) -> Sequence[OrderUpdate]:
        raise ValueError("an update that nobody understands")


def on(venue: type[PaperBroker]) -> ServiceHarness:
    def make(parts: Parts) -> Service:
        settings = ExecutorSettings(mode="paper")
        return make_service(settings, parts, venue(settings.paper))

    return ServiceHarness(make)


async def reasons(harness: ServiceHarness) -> list[tuple[str, str]]:
    told = await harness.published("control")
    return [
        (one.type, one.reason) for one in told if isinstance(one, TradingHalted | ServiceFailed)
    ]


def test_a_defect_in_the_updates_of_the_broker_halts_entries_and_ends_the_executor() -> None:
    async def story() -> None:
        async with on(BrokenUpdates) as harness:
            harness.runner.start_tasks()
            with pytest.raises(ValueError, match="nobody understands"):
                await watch([harness.runner], asyncio.Event())
            assert await reasons(harness) == [
                ("TradingHalted", f"a task of executor failed: {DEFECT}"),
                ("ServiceFailed", DEFECT),
            ]

    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_defect_in_the_comparison_with_the_book_halts_entries_at_the_start() -> None:
    async def story() -> None:
        harness = on(BrokenBook)
        await harness.bus.start()
        with pytest.raises(ValueError, match="nobody understands"):
            await harness.runner.start()
        assert await reasons(harness) == [
            ("TradingHalted", f"executor at its start failed: {DEFECT}")
        ]

    asyncio.run(asyncio.wait_for(story(), 20))
