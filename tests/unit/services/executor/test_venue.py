"""The executor with a venue outside the process: its updates and its outages."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from libs.broker.errors import BrokerError, OrderRefused, OrderUnknown
from libs.broker.port import (
    ContractState,
    Fill,
    Margin,
    MaySend,
    NetPosition,
    OrderRequest,
    OrderUpdate,
    QuoteSource,
    Trade,
    Unreadable,
    always,
)
from libs.events.control import TradingHalted
from libs.events.event import identity, utc_from_ms
from libs.events.orders import Mode, OrderPlanned
from libs.market.instruments import Instrument
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from libs.runtime.testing import ServiceHarness
from services.executor.domain.plans import position_id_of
from services.executor.service import make_service
from services.executor.settings import ExecutorSettings
from tests.unit.services.executor.builders import (
    DAY,
    NOW,
    chain_listed,
    chain_rows,
    exit_requested,
    signal,
    ticks,
)
from tests.unit.services.executor.handling import be_away

POSITION = position_id_of(signal().signal_id)


class Away(BrokerError):
    """The broker does not answer now."""

    is_retriable = True


@dataclass
class DistantVenue:
    """Takes orders; the test decides what becomes of them and which replies arrive."""

    requests: list[OrderRequest] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    troubles: dict[str, int] = field(default_factory=dict)
    loses_reply: bool = False
    is_running: bool = False
    fails: bool = False
    is_closed: bool = False
    held: int = 0
    may_lose_replies: bool = True
    is_real: bool = False
    _news: list[OrderUpdate] = field(default_factory=list)
    _has_news: asyncio.Event = field(default_factory=asyncio.Event)

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        self.requests.append(request)
        if self.loses_reply:
            raise OrderUnknown("no reply")
        return f"venue-{request.tag}"

    async def modify(
        self,
        broker_order_id: str,
        quantity: int,
        price: Decimal,
        trigger_price: Decimal = Decimal(0),
    ) -> None:
        raise OrderRefused(f"{broker_order_id} stays at {quantity} for {price}")

    def modifications_left(self, broker_order_id: str) -> int:
        return 25

    def unreadable(self) -> Sequence[Unreadable]:
        return ()

    async def cancel(self, broker_order_id: str) -> None:
        self._trouble("cancel")
        self.cancelled.append(broker_order_id)

    async def orders(self) -> Sequence[OrderUpdate]:
        self._trouble("orders")
        return []

    async def trades(self) -> Sequence[Trade]:
        return []

    async def positions(self) -> Sequence[NetPosition]:
        return []

    async def contract(self, exchange: str, tradingsymbol: str) -> ContractState:
        self._trouble("contract")
        net = NetPosition(exchange, tradingsymbol, "NRML", self.held)
        return ContractState((net,), ())

    def session(self) -> None:
        return

    def begin_with(self, held: Sequence[NetPosition], past: Sequence[OrderUpdate]) -> None:
        """Ignore the books."""

    async def required_margin(self, request: OrderRequest) -> Decimal | None:
        return None

    async def margins(self) -> Mapping[str, Margin]:
        return {}

    def list_instrument(self, instrument: Instrument) -> None:
        """Do nothing."""

    def on_quotes(self, quotes: QuoteSource) -> None:
        """Fill nothing by quotes."""

    def take_updates(self) -> Sequence[OrderUpdate]:
        news, self._news = self._news, []
        self._has_news.clear()
        return news

    async def updated(self) -> None:
        await self._has_news.wait()

    def budget(self) -> dict[int, int]:
        return {1000: 10 - len(self.requests)}

    async def run(self) -> None:
        self.is_running = True
        if self.fails:
            raise ConnectionError("the venue is gone for good")
        try:
            await asyncio.Event().wait()
        finally:
            self.is_running = False

    async def close(self) -> None:
        self.is_closed = True

    def describe(self) -> dict[str, Any]:
        return {"requests": len(self.requests)}

    def tell(self, number: int, *fills: Fill) -> None:
        """Send an update of the order that was placed as so many-th."""
        tag = self.requests[number].tag
        filled = sum(fill.quantity for fill in fills)
        status = "COMPLETE" if filled == self.requests[number].quantity else "OPEN"
        self._news.append(OrderUpdate(f"venue-{tag}", tag, status, NOW + 700, fills))  # type: ignore[arg-type]  # one of two literals
        self._has_news.set()

    def fill(self, number: int) -> None:
        quantity = self.requests[number].quantity
        self.held += quantity if self.requests[number].transaction_type == "BUY" else -quantity
        self.tell(number, Fill(f"trade-{number}", quantity, Decimal(100)))

    def _trouble(self, what: str) -> None:
        if self.troubles.get(what):
            self.troubles[what] -= 1
            raise Away(f"{what}: no answer")


def harness_of(venue: DistantVenue) -> ServiceHarness:
    def make(parts: Parts) -> Service:
        return make_service(ExecutorSettings(mode="paper", venue="simulator"), parts, venue)

    return ServiceHarness(make)


async def kinds(harness: ServiceHarness) -> list[str]:
    """Return the kinds of the published orders; a request under way has a while to be answered."""
    quiet = 0
    for _ in range(200):
        await asyncio.sleep(0.001)
        await harness.bus.idle()
        quiet = 0 if harness.runner.service.describe()["is_busy"] else quiet + 1
        if quiet == 10:
            break
    return [event.type for event in await harness.published("orders")]


async def entered(harness: ServiceHarness) -> None:
    harness.runner.start_tasks()
    await harness.publish(*chain_listed(), ticks(chain_rows(), at_ms=NOW), signal())


def test_updates_of_the_venue_are_published_without_waiting_for_a_tick() -> None:
    async def story() -> None:
        venue = DistantVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            assert await kinds(harness) == ["OrderPlanned", "OrderPlaced"]
            venue.fill(0)
            assert await kinds(harness) == ["OrderPlanned", "OrderPlaced", "OrderFilled"]
            venue.fill(0)
            assert len(await kinds(harness)) == 3
            assert harness.runner.service.describe()["venue"] == {"requests": 1}

    asyncio.run(story())


@pytest.mark.usefixtures("_no_waits")
def test_updates_are_published_after_an_outage_of_the_bus() -> None:
    async def story() -> None:
        venue = DistantVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            be_away(harness, times=2)
            venue.fill(0)
            assert await kinds(harness) == ["OrderPlanned", "OrderPlaced", "OrderFilled"]
            assert not any(task.done() for task in harness.runner.running)

    asyncio.run(story())


def test_the_quotes_alone_fill_nothing_at_a_venue() -> None:
    async def story() -> None:
        venue = DistantVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            await harness.publish(ticks(chain_rows(), at_ms=NOW + 5000))
            assert await kinds(harness) == ["OrderPlanned", "OrderPlaced"]

    asyncio.run(story())


def test_an_order_in_doubt_stays_so_while_the_book_cannot_be_read_and_is_adopted_later() -> None:
    async def story() -> None:
        venue = DistantVenue(loses_reply=True, troubles={"orders": 0})
        async with harness_of(venue) as harness:
            venue.troubles["orders"] = 1
            await entered(harness)
            assert await kinds(harness) == ["OrderPlanned", "OrderUnresolved"]
            venue.fill(0)
            assert (await kinds(harness))[2:] == ["OrderPlaced", "OrderFilled"]
            assert len(venue.requests) == 1

    asyncio.run(story())


def test_a_start_waits_until_the_order_book_can_be_read() -> None:
    async def story() -> None:
        venue = DistantVenue(troubles={"orders": 2})
        async with harness_of(venue):
            assert venue.troubles["orders"] == 0

    asyncio.run(story())


def test_a_cancellation_that_fails_is_requested_again() -> None:
    async def story() -> None:
        venue = DistantVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            await kinds(harness)
            venue.troubles["cancel"] = 1
            for after_ms in (60_001, 61_000, 65_001):
                harness.clock.observe(NOW + after_ms)
                await harness.publish(ticks([], at_ms=NOW + after_ms))
                await kinds(harness)
            assert venue.cancelled == [f"venue-{venue.requests[0].tag}"]

    asyncio.run(story())


def test_an_exit_sells_what_the_venue_reported_as_filled() -> None:
    async def story() -> None:
        venue = DistantVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            venue.fill(0)
            await kinds(harness)
            await harness.publish(exit_requested(POSITION))
            await kinds(harness)
            plans = [e for e in await harness.published("orders") if isinstance(e, OrderPlanned)]
            assert [plan.leg for plan in plans] == ["entry", "exit"]
            assert venue.requests[1].quantity == venue.requests[0].quantity
            assert venue.requests[1].transaction_type == "SELL"

    asyncio.run(story())


def test_a_venue_that_fails_for_good_ends_the_service() -> None:
    async def story() -> None:
        async with harness_of(DistantVenue(fails=True)) as harness:
            harness.runner.start_tasks()
            await asyncio.gather(*harness.runner.running)

    with pytest.raises(ConnectionError, match="gone for good"):
        asyncio.run(story())


def test_stopping_the_service_stops_listening() -> None:
    async def story() -> None:
        venue = DistantVenue()
        async with harness_of(venue) as harness:
            await entered(harness)
            assert venue.is_running
        assert not venue.is_running
        assert venue.is_closed

    asyncio.run(story())


def test_the_mode_the_orders_and_the_limits_are_measured() -> None:
    async def story() -> None:
        venue = DistantVenue(loses_reply=True)
        async with harness_of(venue) as harness:
            assert harness.measured("executor_mode", "paper") == 1
            assert harness.measured("order_budget_left", "1") == 10
            assert harness.measured("orders_working") == 0
            await entered(harness)
            assert await kinds(harness) == ["OrderPlanned", "OrderUnresolved"]
            assert harness.measured("orders_working") == 1
            assert harness.measured("orders_unresolved") == 1
            assert harness.measured("order_budget_left", "1") == 9
            assert (harness.measured("at_risk_rupees") or 0) > 0
            assert harness.measured("at_risk_limit_rupees") == 150_000
            venue.fill(0)
            await kinds(harness)
            assert harness.measured("orders_unresolved") == 0
            assert harness.measured("orders_working") == 0
            assert harness.measured("day_loss_rupees") == 0
            assert harness.measured("day_loss_limit_rupees") == 50_000

    asyncio.run(story())


def test_a_halt_is_measured() -> None:
    async def story() -> None:
        async with harness_of(DistantVenue()) as harness:
            assert harness.measured("trading_halted") == 0
            await harness.publish(halt())
            assert harness.measured("trading_halted") == 1

    asyncio.run(story())


def halt() -> TradingHalted:
    event_id = identity("test halt")
    return TradingHalted(
        event_id=event_id,
        occurred_at=utc_from_ms(NOW),
        trading_day=DAY,
        correlation_id=event_id,
        reason="news",
    )


@pytest.mark.parametrize(
    ("venue", "mode", "expected"),
    [
        ("paper", "paper", "paper"),
        ("simulator", "paper", "simulator"),
        ("kite", "paper", "simulator"),
        ("kite", "logging_only", "simulator"),
        ("kite", "live", "kite"),
    ],
)
def test_what_is_not_live_never_goes_to_a_real_account(
    venue: str, mode: Mode, expected: str
) -> None:
    assert ExecutorSettings(venue=venue, mode=mode).venue_name == expected


def test_a_venue_that_takes_real_orders_is_refused_in_paper_mode() -> None:
    with pytest.raises(SettingsError, match=r"executor\.venue: it takes real orders, which paper"):
        asyncio.run(refused())


async def refused() -> None:
    def make(parts: Parts) -> Service:
        settings = ExecutorSettings(mode="paper").model_copy(update={"venue": "upstox"})
        return make_service(settings, parts, DistantVenue(is_real=True))

    async with ServiceHarness(make):
        raise AssertionError("it has started")


def test_an_unknown_venue_is_refused_by_its_name() -> None:
    with pytest.raises(ValidationError, match="no broker is called 'upstox'"):
        ExecutorSettings(venue="upstox")
