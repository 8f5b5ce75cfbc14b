"""Executor and position on a journaled bus, in a process that kills itself (-9) at a point.

The exchange lives in the process of the test, which sends the session second by second: it outlives
this one, as a broker does.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, BinaryIO, TypeVar

import structlog

from libs.events.bus import started_bus
from libs.events.codec import record_of
from libs.events.embedded import journal
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.event import Event
from libs.runtime.clock import FeedClock
from libs.runtime.emitter import record_topic
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import CheckpointPolicy
from libs.runtime.testing import ServiceHarness
from services.executor.domain.policy import OrderRules
from services.executor.service import make_service as make_executor
from services.executor.settings import ExecutorSettings
from services.position.service import make_service as make_position
from services.position.settings import PositionSettings
from services.simulator.domain.errors import KiteError
from tests.chaos.venue import MODIFICATIONS, ExchangeVenue

T = TypeVar("T")
PARTITIONS = {"ticks": 1, "candles": 1}
EACH = CheckpointPolicy(records=1, milliseconds=60_000)
"""A checkpoint after each message: so the points of a session are the same each time."""
TURNS = 50
"""So many turns of the loop without news: nothing is under way any more."""
DOUBT_MS = 5_000
ORDERS = OrderRules(
    entry_timeout_ms=8_000, exit_timeout_ms=4_000, exit_retry_ms=1_000, doubt_ms=DOUBT_MS
)


@dataclass(slots=True)
class Points:
    """The moments in which the process may be killed, by name; at the one of `kill_at` it is."""

    kill_at: int | None
    passed: list[str] = field(default_factory=list)

    def is_last(self, name: str) -> bool:
        """Note a moment; return whether it is the one."""
        self.passed.append(name)
        return len(self.passed) - 1 == self.kill_at

    def pass_one(self, name: str) -> None:
        """Note a moment, and die if it is the one."""
        if self.is_last(name):
            die()


def die() -> None:
    """Be killed as by kill -9: nothing is written, closed or said any more."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Second:
    """What a second of the session brings: the market's events, and the time (epoch ms)."""

    at_ms: int
    events: tuple[Event, ...]


@dataclass(slots=True)
class RemoteExchange:
    """The exchange as its client sees it; each request and each reply is a point."""

    wire: Connection
    points: Points
    now_ms: Callable[[], int]
    listeners: list[Any] = field(default_factory=list)
    no_rest_until_ms: int = 0
    no_session_until_ms: int = 0
    lost_sales: int = 0
    is_polled: bool = False

    @property
    def seen(self) -> Any:
        """What was seen of modifications: none is refused for their number."""
        return SimpleNamespace(modified={}, orders_of={})

    @property
    def account(self) -> "RemoteExchange":
        """The account's books."""
        return self

    def send(self, call: Callable[[], T], travels: float, returns: float) -> "asyncio.Future[T]":
        """Send a request at once."""
        reply: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            reply.set_result(call())
        except KiteError as error:
            reply.set_exception(error)
        return reply

    def ask(self, name: str, *words: Any) -> Any:
        """Ask the exchange, which does it even if nobody waits for the reply."""
        self.points.pass_one(f"before {name}")
        self.wire.send(("ask", name, words))
        value = self.wire.recv()
        self.points.pass_one(f"after {name}")
        if isinstance(value, Exception):
            raise value
        return value

    def place(self, fields: dict[str, str]) -> Any:
        """Place an order."""
        return self.ask("place", fields)

    def modify(self, order_id: str, fields: dict[str, str]) -> Any:
        """Change an order."""
        return self.ask("modify", order_id, fields)

    def cancel(self, order_id: str) -> Any:
        """Cancel an order."""
        return self.ask("cancel", order_id)

    def orders(self) -> Any:
        """Return the order book."""
        return self.ask("orders")

    def trades(self) -> Any:
        """Return the trade book."""
        return self.ask("trades")

    def positions(self) -> Any:
        """Return what is held."""
        return self.ask("positions")

    def margins(self) -> Any:
        """Return the funds."""
        return self.ask("margins")


@dataclass(slots=True)
class _Gates:
    """No fault but death."""

    points: Points
    seconds: float = 0.0

    async def at(self, point: str) -> None:
        """Pass a point of a request."""

    def takes(self, point: str) -> str | None:
        """Return that no message is lost."""
        return None


class PolledVenue(ExchangeVenue):
    """A venue that reads the order book when it is told to."""

    def __init__(self, exchange: RemoteExchange, points: Points) -> None:
        super().__init__(exchange, _Gates(points), Random(0))  # type: ignore[arg-type]  # its side
        self._shown: dict[str, tuple[str, int, bool | None]] = {}

    def modifications_left(self, broker_order_id: str) -> int:
        """Return that there are enough."""
        return MODIFICATIONS

    async def poll(self) -> None:
        """Take what the order book has that was not seen yet."""
        for one in await self.orders():
            state = one.status, one.filled_quantity, one.awaits_trigger
            if self._shown.get(one.broker_order_id) != state:
                self._shown[one.broker_order_id] = state
                self._take([one])

    @property
    def has_news(self) -> bool:
        """Whether an update was not taken yet."""
        return bool(self._updates)

    async def run(self) -> None:
        """Wait to be told."""
        await asyncio.Event().wait()


def play(wire: Connection, folder: Path, kill_at: int | None) -> None:
    """Run the two services until the session is over, or until death."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(_played(wire, folder, Points(kill_at)))


async def _played(wire: Connection, folder: Path, points: Points) -> None:
    clock = FeedClock()
    exchange = RemoteExchange(wire, points, clock.now_ms)
    venue = PolledVenue(exchange, points)
    _write_mortally(points)
    async with AsyncExitStack() as stack:
        bus = LocalBus(lockstep=True, partitions=PARTITIONS, journal=Journal(folder))
        await stack.enter_async_context(started_bus(bus))
        harnesses = [
            await stack.enter_async_context(ServiceHarness(make, clock=clock, bus=bus, policy=EACH))
            for make in (_position, lambda parts: _executor(parts, venue))
        ]
        for one in harnesses:
            one.runner.start_tasks()
        executor = harnesses[1].runner.service
        await _settle(bus, executor, venue)
        while (second := _next(wire)) is not None:
            for event in second.events:
                topic = record_topic(event)
                await bus.publish(record_of(event, topic, await bus.partitions(topic)))
            await _settle(bus, executor, venue)
            await venue.poll()
            await _settle(bus, executor, venue)
        wire.send(("over", "", (points.passed,)))
        wire.recv()
        os._exit(0)  # what is left open was synced, or shall be found as a kill leaves it


def _next(wire: Connection) -> Second | None:
    wire.send(("next", "", ()))
    second: Second | None = wire.recv()
    return second


async def _settle(bus: LocalBus, executor: Service, venue: PolledVenue) -> None:
    """Return when nothing is under way."""
    quiet, published = 0, -1
    while quiet < TURNS:
        await bus.idle()
        await asyncio.sleep(0)
        is_busy = executor.describe is not None and bool(executor.describe()["is_busy"])
        is_same = published == bus._sequence and not is_busy and not venue.has_news
        quiet, published = quiet + 1 if is_same else 0, bus._sequence


def _position(parts: Parts) -> Service:
    return make_position(PositionSettings(), parts)


def _executor(parts: Parts, venue: PolledVenue) -> Service:
    settings = ExecutorSettings(mode="paper", venue="simulator", orders=ORDERS)
    return make_executor(settings, parts, venue, in_turn=True)


def _write_mortally(points: Points) -> None:
    """Let the process die before, within or after each write to the journal."""

    def write(file: BinaryIO, content: bytes) -> None:
        name = Path(file.name).stem
        points.pass_one(f"before {name}")
        if points.is_last(f"within {name}"):
            file.write(content[: len(content) // 2])
            die()
        whole(file, content)
        points.pass_one(f"after {name}")

    whole = journal._write_whole
    vars(journal)["_write_whole"] = write
