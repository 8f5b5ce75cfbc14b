"""A handler for tests: with a log of what it did, and a bus and broker that can fail."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from libs.broker.errors import BrokerUnavailable, OrderRefused, OrderUnknown
from libs.broker.paper import PaperBroker, PaperRules
from libs.broker.port import MaySend, OrderRequest, OrderUpdate, always
from libs.events.bus import Bus
from libs.events.errors import BusUnavailable
from libs.events.event import Event
from libs.events.orders import OrderPlanned
from libs.runtime.clock import FeedClock
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.executor.domain.policy import Policy
from services.executor.handler import ExecutorHandler
from services.executor.service import make_service
from services.executor.settings import ExecutorSettings
from tests.unit.services.executor.builders import (
    NOW,
    chain_listed,
    chain_rows,
    make_executor,
    ticks,
)


def paper_service(settings: ExecutorSettings, parts: Parts) -> Service:
    """Return the executor whose orders are filled by the quotes."""
    return make_service(settings, parts, PaperBroker(settings.paper))


class RecordingBus:
    """Logs when everything published is acknowledged; it can fail for some calls."""

    def __init__(self, log: list[str]) -> None:
        self._log = log
        self.flushes_lost = 0
        self.confirms_lost = 0

    async def flush(self) -> None:
        if self.flushes_lost:
            self.flushes_lost -= 1
            raise BusUnavailable("no broker answers")
        self._log.append("flush")

    async def confirm(self) -> None:
        if self.confirms_lost:
            self.confirms_lost -= 1
            raise BusUnavailable("no broker answers")
        self._log.append("confirm")


class DoubtfulBroker(PaperBroker):
    """A paper broker that logs calls, and can refuse an order or lose its reply."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(PaperRules(latency_ms=500))
        self._log = log
        self.refuses = False
        self.reply = "arrives"
        self.has_book = True

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        self._log.append(f"place {request.transaction_type}")
        if self.refuses and may_send():
            raise OrderRefused("margin of 1 rupee is missing")
        if self.reply == "is lost with the order":
            raise OrderUnknown("timeout")
        broker_order_id = await super().place(request, may_send)
        if self.reply == "is lost":
            raise OrderUnknown("timeout")
        return broker_order_id

    async def orders(self) -> Sequence[OrderUpdate]:
        self._log.append("look up")
        if not self.has_book:
            raise BrokerUnavailable("the book is closed")
        return await super().orders()


class Harness:
    """The handler, with the log of what it did in order and the events it emitted."""

    def __init__(self, policy: Policy | None = None, *, in_turn: bool = False) -> None:
        self.log: list[str] = []
        self.events: list[Event] = []
        self.clock = FeedClock()
        self.clock.observe(NOW)
        self.broker = DoubtfulBroker(self.log)
        self.executor = make_executor(policy=policy)
        self.bus = RecordingBus(self.log)
        bus = cast(Bus, self.bus)
        self.handler = ExecutorHandler(self.executor, self.broker, bus, self.clock, in_turn=in_turn)
        self.loses: dict[str, Exception] = {}
        """Errors of the next publishing of a type of event."""

    async def emit(self, *events: Event) -> None:
        for event in events:
            self._emit(event)

    def _emit(self, event: Event) -> None:
        if event.type in self.loses:
            raise self.loses.pop(event.type)
        if event.type != "ChainSnapshot":
            self.log.append(event.type)
            self.events.append(event)

    def hear(self, *events: Event) -> None:
        async def handle_all() -> None:
            for event in events:
                self.clock.observe(event.occurred_ms)
                await self.handler.handle(event, self.emit)
            await self.handler.finish(self.emit)

        asyncio.run(handle_all())

    def tick(self, after_ms: int, **changes: int) -> None:
        at_ms = NOW + after_ms
        rows = [replace(row, **changes) for row in chain_rows()]
        self.hear(ticks(rows, at_ms=at_ms))

    def hear_updates(self) -> None:
        asyncio.run(self.handler.on_updates(self.emit))

    @property
    def plans(self) -> list[OrderPlanned]:
        return [event for event in self.events if isinstance(event, OrderPlanned)]


def ready(policy: Policy | None = None, *, in_turn: bool = False) -> Harness:
    """Return a harness that knows the chain and its quotes at NOW."""
    harness = Harness(policy, in_turn=in_turn)
    harness.hear(*chain_listed())
    harness.tick(0)
    return harness


def be_away(harness: ServiceHarness, times: int) -> None:
    """Let so many flushes of the bus fail."""
    flush, left = harness.bus.flush, iter(range(times))

    async def flush_or_fail() -> None:
        if next(left, None) is not None:
            raise BusUnavailable("no broker answers")
        await flush()

    harness.bus.flush = flush_or_fail  # type: ignore[method-assign]  # a bus that is away
