"""How long an exit takes: from the tick that meets a stop to the first call to the broker.

Position and executor run on one local bus, with 100 open positions. Each tick meets the stop of one
of them; the first call cancels the stop that rests at the exchange.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import quantiles

from libs.broker.port import (
    ContractState,
    Fill,
    MaySend,
    NetPosition,
    OrderRequest,
    OrderUpdate,
    always,
)
from libs.events.bus import started_bus
from libs.events.codec import record_of
from libs.events.embedded.bus import LocalBus
from libs.events.event import Event, identity
from libs.runtime.clock import FeedClock
from libs.runtime.emitter import record_topic
from libs.runtime.logs import configure_logs
from libs.runtime.service import Parts, Service
from libs.runtime.testing import ServiceHarness
from services.executor.domain.order import Order, tag_of
from services.executor.domain.plans import position_id_of
from services.executor.service import make_service as make_executor
from services.executor.settings import ExecutorSettings
from services.position.service import make_service as make_position
from services.position.settings import PositionSettings
from tests.unit.services.executor.builders import LOT, NOW, Row, contract, plan, signal, ticks
from tests.unit.services.executor.test_venue import DistantVenue

POSITIONS, FIRST_TOKEN = 100, 1_000_002
SETTLE_SECONDS, QUIET_SECONDS = 2.0, 0.1
STOP, PRICE = Decimal("70.00"), 100.0


@dataclass
class TimedVenue(DistantVenue):
    """Notes when it was called first for the exit of each contract."""

    asked: dict[str, float] = field(default_factory=dict)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def cancel(self, broker_order_id: str) -> None:
        """Cancel the stop of a contract, after noting the time."""
        now = time.perf_counter()
        tags = {f"venue-{one.tag}": one.tradingsymbol for one in self.requests}
        self.asked.setdefault(tags[broker_order_id], now)
        self.is_asked.set()
        await super().cancel(broker_order_id)

        update = OrderUpdate(broker_order_id, broker_order_id[6:], "CANCELLED", NOW)
        self._news.append(update)
        self._has_news.set()

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        """Take an order; what is not a stop fills at once."""
        broker_order_id = await super().place(request, may_send)
        if request.order_type != "SL":
            self.fill(len(self.requests) - 1)
        return broker_order_id

    async def contract(self, exchange: str, tradingsymbol: str) -> ContractState:
        """Return one lot, after noting the time."""
        self.asked.setdefault(tradingsymbol, time.perf_counter())
        net = NetPosition(exchange, tradingsymbol, "NRML", LOT)
        return ContractState((net,), ())


def measure() -> dict[str, float]:
    """Return the 99th percentile in milliseconds, with logs in a file as a process has them."""
    with tempfile.TemporaryFile("w") as file:
        configure_logs("info", "json", file)
        took = asyncio.run(_exits())
    configure_logs("info", "auto")
    return {"exit_ms": 1e3 * quantiles(took, n=100)[98]}


async def _exits() -> list[float]:
    venue = TimedVenue()

    def executor(parts: Parts) -> Service:
        return make_executor(ExecutorSettings(mode="paper", venue="simulator"), parts, venue)

    clock = FeedClock()
    async with AsyncExitStack() as stack:
        bus = LocalBus(partitions={"ticks": 1, "candles": 1})
        await stack.enter_async_context(started_bus(bus))
        for event in _history():  # the executor restores them, position handles them
            await _publish(bus, event)
        services = [
            await stack.enter_async_context(ServiceHarness(make, clock=clock, bus=bus))
            for make in (_position, executor)
        ]
        for one in services:
            one.runner.start_tasks()
        await _publish(bus, ticks(_rows(PRICE), at_ms=NOW + 2000))
        await asyncio.sleep(SETTLE_SECONDS)
        gc.freeze()  # as a process does when it has started
        venue.asked.clear()  # it was asked for each contract before its stop was placed
        return [await _one(bus, venue, number) for number in range(POSITIONS)]


def _position(parts: Parts) -> Service:
    return make_position(PositionSettings(), parts)


async def _publish(bus: LocalBus, event: Event) -> None:
    topic = record_topic(event)
    await bus.publish(record_of(event, topic, await bus.partitions(topic)))


async def _one(bus: LocalBus, venue: TimedVenue, number: int) -> float:
    """Let one stop be met, after what came before is done; return the seconds until the call."""
    await asyncio.sleep(QUIET_SECONDS)
    row = Row(FIRST_TOKEN + number, 60.0, bid_price=59.95, ask_price=60.05)
    batch = ticks([row], at_ms=NOW + 3000 + 10 * number)
    began = time.perf_counter()
    venue.is_asked.clear()
    await _publish(bus, batch)
    symbol = _symbol(number)
    if symbol not in venue.asked:
        await asyncio.wait_for(venue.is_asked.wait(), 5)
    return venue.asked[symbol] - began


def _history() -> Iterator[Event]:
    """Yield the events of entries that have filled."""
    for number in range(POSITIONS):
        cause = signal(number)
        order_id = identity("bench order", number)
        entry = plan(
            LOT,
            number,
            order_id=order_id,
            tag=tag_of(order_id),
            signal_id=cause.signal_id,
            position_id=position_id_of(cause.signal_id),
            contract=contract(tradingsymbol=_symbol(number), instrument_token=FIRST_TOKEN + number),
            stop_loss=STOP,
        )
        order = Order(entry)
        fill = Fill(f"trade-{number}", LOT, Decimal(100), NOW + 1000)
        placed = order.placed(f"venue-{entry.tag}", NOW + 500)
        order.apply(placed)
        update = OrderUpdate(f"venue-{entry.tag}", entry.tag, "COMPLETE", NOW + 1000, (fill,))
        yield entry
        yield placed
        yield from order.on_update(update)


def _rows(last: float) -> list[Row]:
    return [
        Row(FIRST_TOKEN + number, last, bid_price=last - 0.05, ask_price=last + 0.05)
        for number in range(POSITIONS)
    ]


def _symbol(number: int) -> str:
    return f"NIFTY26061{25000 + 50 * number}CE"
