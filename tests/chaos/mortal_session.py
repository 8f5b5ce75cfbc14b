"""A session with four trades, played to processes that are killed: the exchange's side of it."""

import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGKILL
from typing import Any, TypeVar
from uuid import UUID

from libs.events.codec import decode
from libs.events.embedded.journal import Journal
from libs.events.event import Event, identity, utc_from_ms
from libs.events.orders import (
    OrderCancelled,
    OrderEvent,
    OrderFilled,
    OrderPlanned,
    OrderRejected,
)
from libs.events.positions import ExitRequested, PositionClosed, PositionEvent
from services.executor.domain.plans import position_id_of
from services.simulator.domain.errors import KiteError
from tests.chaos.exchange import Exchange
from tests.chaos.market import Market
from tests.chaos.mortal_role import Second, play
from tests.unit.services.executor.builders import DAY, NOW, signal

PLENTY = 10_000
SIGNALS = {2: (1, "BUY"), 50: (2, "SELL"), 98: (3, "BUY"), 146: (4, "BUY")}
"""Second → number and action of a signal."""
FACTORS = {12: 0.6, 44: 1.0, 60: 1.75, 92: 1.0, 160: 1.2, 170: 0.95}
"""From a second on premiums are so many times those of the start. Each level lasts longer than any
doubt, so that an exit which has to be asked for again finds the same price."""
BY_HAND = {110: 3, 176: 4}
"""Second → the trade that a person leaves."""
SECONDS = 210
T = TypeVar("T")
Fills = tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True)
class Book:
    """What came of a session, as the journal has it: without times, tags and ids of events.

    Where a stop sold at the exchange by itself, whether an exit was asked for besides is no part of
    it: the fill may be heard before the price.
    """

    positions: dict[UUID, tuple[Any, ...]]
    exits: dict[UUID, tuple[tuple[str, int | None], ...]]
    fills: dict[UUID, Fills]

    def without(self, left_out: set[UUID]) -> "Book":
        """Return the book without some positions."""
        return Book(
            _without(self.positions, left_out),
            _without(self.exits, left_out),
            _without(self.fills, left_out),
        )


def _without(part: dict[UUID, T], left_out: set[UUID]) -> dict[UUID, T]:
    return {key: one for key, one in part.items() if key not in left_out}


@dataclass(slots=True)
class Session:
    """One session, and what was noted on the side."""

    folder: Path
    market: Market = field(default_factory=lambda: Market(DAY, NOW, PLENTY))
    at_ms: int = NOW
    second: int = 0
    points: tuple[str, ...] = ()
    kills: int = 0
    unsent: set[UUID] = field(default_factory=set)
    exchange: Exchange = field(init=False)
    _latest: Second | None = None
    _died_in: Second | None = None

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.market, lambda: self.at_ms)

    def play(self, kill_at: int | None = None) -> Book:
        """Play the session; the process is killed at a point, and another one goes on."""
        while not self._is_over(kill_at):
            self.kills += 1
            self._died_in = self._latest
            self.unsent |= {plan.position_id for plan in self._unsent()}
            kill_at = None
        return self.book()

    def _is_over(self, kill_at: int | None) -> bool:
        """Let a process play; return whether it lived until the end."""
        with _process(self.folder, kill_at) as (process, wire):
            try:
                while self._answer(wire):
                    pass
            except (EOFError, ConnectionError):
                process.join()
                assert process.exitcode == -SIGKILL, f"ended with {process.exitcode}"
                return False
            process.join()
            assert process.exitcode == 0
            return True

    def _answer(self, wire: Connection) -> bool:
        """Answer a message of the process; return whether it goes on."""
        kind, name, words = wire.recv()
        if kind == "ask":
            wire.send(self._asked(name, words))
        elif kind == "next":
            wire.send(self._next())
        elif kind == "over":
            self.points = tuple(words[0])
            wire.send(None)
        return bool(kind != "over")

    def _asked(self, name: str, words: tuple[Any, ...]) -> Any:
        side: Any = self.exchange.account if name in ("positions", "margins") else self.exchange
        try:
            return getattr(side, name)(*words)
        except KiteError as error:
            return error

    def _next(self) -> Second | None:
        """Return the next second; the one in which a process died once more."""
        if self._died_in is not None:
            again, self._died_in = self._died_in, None
            return again
        if self.second == SECONDS:
            return None
        self.second += 1
        self._latest = self._played()
        return self._latest

    def _played(self) -> Second:
        factor = [one for second, one in FACTORS.items() if second <= self.second]
        self.at_ms = NOW + 1000 * self.second
        self.market.move(self.at_ms, factor[-1] if factor else 1.0, PLENTY)
        self.exchange.second()
        return Second(self.at_ms, tuple(self._events()))

    def _events(self) -> Iterator[Event]:
        if self.second == 1:
            yield from self.market.listed()
        yield self.market.ticks(self.at_ms)
        if self.second in SIGNALS:
            number, action = SIGNALS[self.second]
            yield signal(number, self.at_ms, action=action, **_levels(action))
        if self.second in BY_HAND:
            yield _exit(BY_HAND[self.second], self.at_ms)

    def events(self, topic: str) -> list[Event]:
        """Return what the journal has of a topic, each event once, in its order."""
        messages = Journal(self.folder).messages()
        found = [decode(topic, one.value) for one in messages if one.topic == topic]
        return list({one.event_id: one for one in found}.values())

    def orders(self) -> dict[UUID, list[OrderEvent]]:
        """Return the events of each order."""
        of = defaultdict(list)
        for event in self.events("orders"):
            if isinstance(event, OrderEvent):
                of[event.order_id].append(event)
        return of

    def _unsent(self) -> Iterator[OrderPlanned]:
        """Yield the entries whose plans are published, and which the exchange never got."""
        for events in self.orders().values():
            plan = events[0]
            is_open = len(events) == 1 and isinstance(plan, OrderPlanned)
            if is_open and plan.leg == "entry" and plan.tag not in self.exchange.seen.orders_of:
                assert isinstance(plan, OrderPlanned)
                yield plan

    def plans_of(self, positions: set[UUID]) -> list[OrderEvent]:
        """Return the plans of the entries of these positions."""
        orders = [events[0] for events in self.orders().values()]
        return [one for one in orders if one.leg == "entry" and one.position_id in positions]

    def refused(self) -> set[UUID]:
        """Return the positions whose only entry has ended without an order at the exchange."""
        return {
            events[0].position_id
            for events in self.orders().values()
            if events[0].leg == "entry"
            and isinstance(events[-1], OrderCancelled | OrderRejected)
            and events[0].tag not in self.exchange.seen.orders_of
        }

    def book(self) -> Book:
        """Return what the journal has of positions, exits and fills."""
        last = {one.position_id: one for one in _positions(self.events("positions"))}
        exits: dict[UUID, set[tuple[str, int | None]]] = defaultdict(set)
        fills: dict[UUID, Counter[tuple[str, str]]] = defaultdict(Counter)
        left_by_stops = self._left_by_stops()
        for one in self.events("exit_requests"):
            if isinstance(one, ExitRequested) and one.position_id not in left_by_stops:
                exits[one.position_id].add((one.reason, one.lots))
        for one in self.events("orders"):
            if isinstance(one, OrderFilled):
                key = one.transaction_type, str(one.fill_price)
                fills[one.position_id][key] += one.fill_quantity
        return Book(
            {key: _told(one) for key, one in last.items()},
            {key: tuple(sorted(one, key=str)) for key, one in exits.items()},
            {
                key: tuple(sorted((side, units, price) for (side, price), units in one.items()))
                for key, one in fills.items()
            },
        )

    def _left_by_stops(self) -> set[UUID]:
        """Return the positions that a stop at the exchange has sold."""
        return {
            events[0].position_id
            for events in self.orders().values()
            if getattr(events[0], "order_type", "") == "SL"
            and any(isinstance(one, OrderFilled) for one in events)
        }

    def held(self) -> Counter[str]:
        """Return what the exchange has of each contract, units."""
        return +self.exchange.net()


def _positions(events: list[Event]) -> Iterator[PositionEvent]:
    return (one for one in events if isinstance(one, PositionEvent))


def _told(state: PositionEvent) -> tuple[Any, ...]:
    is_closed = isinstance(state, PositionClosed)
    ledger = state.buy_value, state.sell_value, state.charges, state.net
    return is_closed, state.exit_reason, state.quantity, state.bought_quantity, *ledger


def _levels(action: str) -> dict[str, float]:
    sign = 1 if action == "BUY" else -1
    return {"stop_loss": 25_000.0 - sign * 250, "target": 25_000.0 + sign * 500}


def _exit(number: int, at_ms: int) -> ExitRequested:
    cause = signal(number)
    return ExitRequested(
        event_id=identity("left by hand", number),
        occurred_at=utc_from_ms(at_ms),
        trading_day=DAY,
        correlation_id=cause.correlation_id,
        position_id=position_id_of(cause.signal_id),
        signal_id=cause.signal_id,
        reason="manual",
        lots=None,
    )


@contextmanager
def _process(folder: Path, kill_at: int | None) -> Iterator[tuple[Any, Connection]]:
    """Start a process by forking one that has imported everything; it is gone afterwards."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.chaos.mortal_role"])
    ours, its = context.Pipe()
    process = context.Process(target=play, args=(its, folder, kill_at), daemon=True)
    process.start()
    its.close()
    try:
        yield process, ours
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()
