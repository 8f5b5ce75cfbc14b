"""A broker that is slow, or to which an order may not be sent any more."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from libs.broker.errors import OrderNotSent
from libs.broker.port import MaySend, OrderRequest, always
from libs.events.control import TradingHalted
from libs.events.event import identity, utc_from_ms
from libs.runtime.testing import ServiceHarness
from services.executor import handler
from services.executor.domain.broker_replies import NotSent
from services.executor.domain.commands import PlaceOrder
from services.executor.domain.order import Order
from services.executor.domain.plans import position_id_of
from services.executor.order_desk import OrderDesk
from services.executor.standing_down import StandDown
from tests.unit.services.executor.builders import (
    DAY,
    NOW,
    chain_rows,
    exit_requested,
    signal,
    ticks,
)
from tests.unit.services.executor.handling import ready
from tests.unit.services.executor.test_venue import DistantVenue, entered, harness_of, kinds

POSITION = position_id_of(signal().signal_id)


@dataclass
class SlowVenue(DistantVenue):
    """Takes an order only when the test lets it through; asks whether it may then be sent."""

    is_slow: bool = True
    opens: asyncio.Event = field(default_factory=asyncio.Event)

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        if self.is_slow:
            await self.opens.wait()
        if not may_send():
            raise OrderNotSent("it waited too long")
        return await super().place(request)


def test_an_order_that_waits_is_not_sent_once_a_flatten_has_begun() -> None:
    async def story() -> None:
        venue, stand_down = SlowVenue(), StandDown()
        async with harness_of(venue) as harness:
            await entered(harness)
            await harness.publish(ticks(chain_rows(), at_ms=NOW + 1000))
            (planned,) = await harness.published("orders")
            order = Order(planned)  # type: ignore[arg-type]
            desk = OrderDesk(venue, None, stand_down)
            await desk.submit(PlaceOrder(order))
            await asyncio.sleep(0)
            stand_down.for_seconds(30)
            venue.opens.set()
            await desk.answered()
            assert isinstance(desk.take(), NotSent)

    asyncio.run(story())


def test_a_broker_that_does_not_reply_holds_up_neither_quotes_nor_the_bus() -> None:
    async def story() -> None:
        venue = SlowVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            await harness.publish(ticks(chain_rows(), at_ms=NOW + 1000))
            (planned,) = await harness.published("orders")  # not waited for: it must leave in time
            assert planned.type == "OrderPlanned"
            assert harness.runner.service.describe()["is_busy"]
            venue.opens.set()
            assert await kinds(harness) == ["OrderPlanned", "OrderPlaced"]
            assert not harness.runner.service.describe()["is_busy"]

    asyncio.run(story())


def test_an_exit_does_not_wait_behind_an_entry_that_waits_at_the_broker() -> None:
    async def story() -> None:
        venue = SlowVenue(is_slow=False)
        async with harness_of(venue) as harness:
            await entered(harness)
            await kinds(harness)
            venue.fill(0)
            await kinds(harness)
            venue.is_slow = True
            await harness.publish(signal(2, underlying="BANKNIFTY"))
            venue.is_slow = False
            await harness.publish(exit_requested(POSITION))
            await kinds(harness)
            assert [one.transaction_type for one in venue.requests] == ["BUY", "SELL"]

    asyncio.run(story())


def over_before_the_call(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let so many leases be over in the moment of the call, although they held before it."""
    answers = iter([True, False] * times)
    monkeypatch.setattr(handler.Lease, "holds", lambda _: next(answers, True))


def test_an_entry_whose_time_is_over_in_the_moment_of_the_call_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over_before_the_call(monkeypatch, 1)

    async def story() -> None:
        venue = SlowVenue(is_slow=False)
        async with harness_of(venue) as harness:
            await entered(harness)
            assert await kinds(harness) == ["OrderPlanned", "OrderRejected"]
            assert venue.requests == []

    asyncio.run(story())


def test_an_exit_whose_time_is_over_is_sent_once_the_fence_is_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        venue = SlowVenue(is_slow=False)
        async with harness_of(venue) as harness:
            await entered(harness)
            await kinds(harness)
            venue.fill(0)
            await kinds(harness)
            confirmed = confirmations(harness)
            over_before_the_call(monkeypatch, 1)
            await harness.publish(exit_requested(POSITION))
            await kinds(harness)
            assert [one.transaction_type for one in venue.requests] == ["BUY"]
            await harness.publish(ticks([], at_ms=NOW + 62_000))
            await settled(harness)
            assert [one.transaction_type for one in venue.requests] == ["BUY", "SELL"]
            assert confirmed == [1]

    asyncio.run(story())


async def settled(harness: ServiceHarness) -> None:
    """Wait until no request is under way, and what followed from the replies is handled."""
    for _ in range(500):
        await kinds(harness)
        if not harness.runner.service.describe()["is_busy"]:
            break
    await kinds(harness)


def confirmations(harness: ServiceHarness) -> list[int]:
    """Count how often the fence is confirmed from now on."""
    confirm, times = harness.bus.confirm, list[int]()

    async def counted() -> None:
        times.append(1)
        await confirm()

    harness.bus.confirm = counted  # type: ignore[method-assign]  # a bus that counts
    return times


def test_an_entry_is_not_sent_when_trading_was_halted_while_it_waited_for_its_turn() -> None:
    async def story() -> None:
        venue = SlowVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            await harness.publish(
                TradingHalted(
                    event_id=identity("halt"),
                    occurred_at=utc_from_ms(NOW),
                    trading_day=DAY,
                    correlation_id=identity("control"),
                )
            )
            venue.opens.set()
            assert await kinds(harness) == ["OrderPlanned", "OrderRejected"]
            assert venue.requests == []

    asyncio.run(story())


def test_a_sale_waits_a_second_at_most_for_what_the_account_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.executor.order_desk.READ_SECONDS", 0.01)

    async def story() -> None:
        venue = DistantVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            await kinds(harness)
            venue.fill(0)
            await kinds(harness)
            venue.contract = never  # type: ignore[method-assign,assignment]  # it never answers
            await harness.publish(exit_requested(POSITION))
            await until(lambda: len(venue.requests) == 2)
            assert [one.transaction_type for one in venue.requests] == ["BUY", "SELL"]

    asyncio.run(story())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what real time decides, however loaded the machine is."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  the desk has no event for the test
            await asyncio.sleep(0.001)


async def never(*_: str) -> None:
    await asyncio.Event().wait()


def test_a_defect_of_the_venue_ends_the_service_with_its_error() -> None:
    async def story() -> None:
        venue = DistantVenue()

        async def broken(*_: object) -> str:
            raise ZeroDivisionError("a defect")

        venue.place = broken  # type: ignore[method-assign,assignment]  # a venue with a defect
        async with harness_of(venue) as harness:
            await entered(harness)
            await until(lambda: any(task.done() for task in harness.runner.running))
            failed = [task for task in harness.runner.running if task.done()]
            assert [type(task.exception()) for task in failed] == [ZeroDivisionError]

    asyncio.run(story())


def test_an_order_in_doubt_is_decided_without_a_tick() -> None:
    harness = ready()
    harness.broker.reply = "is lost with the order"
    harness.hear(signal())
    harness.log.clear()

    async def wait() -> None:
        for seconds in range(1, 20):
            await harness.handler.on_time(NOW + 1000 * seconds, harness.emit)

    asyncio.run(wait())
    decided = [step for step in harness.log if step != "look up"]
    assert decided == ["OrderCancelled", "SignalExpired"]
