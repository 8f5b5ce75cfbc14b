"""Flatten with each subset of bus, database, executor and position down; then all of it comes back.

Executor and position are played on the simulator's account in virtual time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import chain, combinations
from pathlib import Path
from random import Random

import pytest

from libs.broker.port import LastQuote
from libs.events.control import TradingHalted
from libs.events.errors import BusUnavailable
from libs.events.positions import PositionClosed
from libs.events.ticks import TickColumns
from libs.market.rulebook import load_rulebook
from libs.runtime.clock import WallClock, monotonic_ms
from libs.runtime.flattening import beside
from services.local.flatten.fence import Fence
from services.local.flatten.plan import FlattenPlan, Scope
from services.local.flatten.rounds import Limits, Rounds
from tests.chaos.cluster import Connection
from tests.chaos.faults import EXECUTOR, FAULTS, POSITION
from tests.chaos.market import Market
from tests.chaos.venue import ExchangeVenue
from tests.chaos.virtual import play
from tests.chaos.world import Directed, Story, World, _until
from tests.unit.services.executor.builders import DAY, NOW

PARTS = ("bus", "database", EXECUTOR, POSITION)
SUBSETS = list(chain.from_iterable(combinations(PARTS, count) for count in range(5)))
QUIET = Story(move="by_hand", move_second=10_000)
DOWN_SECOND, LAST_SECOND = 8, 125


class Calm:
    """No fault happens to the flatten's own requests."""

    seconds = 0.0

    async def at(self, _: str) -> None:
        """Pass."""

    def takes(self, _: str) -> None:
        """Nothing happens."""


@dataclass
class Asked:
    """Prices of the played market, by request."""

    market: Market

    async def quotes(self, keys: Collection[str]) -> Mapping[str, LastQuote]:
        found = {key: self.market.find(*key.split(":")) for key in keys}
        return {
            key: LastQuote(one.instrument_token, 1.0, None) for key, one in found.items() if one
        }

    async def ticks(self, keys: Collection[str], without_time_ms: int) -> TickColumns:
        return self.market.ticks(without_time_ms).columns


@dataclass
class Played:
    """What came of it: the plan that was left, the account, and the events."""

    left: FlattenPlan | None
    net: int
    working: int
    held_before: int
    closed: list[PositionClosed]
    halts: list[TradingHalted]
    sold: int
    lines: list[str]
    story: list[str]


def rounds_of(world: World, lines: list[str], folder: Path, day: date = DAY) -> Rounds:
    """Return a flatten of the world's account, with a fence beside a session's file."""
    clock = WallClock()
    fence = Fence(folder / "session.json", "run", "asha", str, lines.append, clock.now_ms)
    venue = ExchangeVenue(world.exchange, Calm(), Random(1))
    return Rounds(
        venue,
        Asked(world.market),  # type: ignore[arg-type]  # as above
        Scope(),
        load_rulebook(),
        day,
        lines.append,
        monotonic_ms,
        clock.now_ms,
        limits=Limits(120, 15, 5_000),
        each_round=fence.hold,
    )


async def played(down: Collection[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    """Open a position, let parts fail, flatten, and let everything come back."""
    fault = "store:unavailable" if "database" in down else "nothing:wrong"
    world = World(FAULTS[fault], 0, Directed(fault, QUIET))
    world.exchange.is_planned = lambda _: True  # a flatten publishes nothing
    world.house.flattening = beside(folder / "session.json")
    world.begin_day()
    lines: list[str] = []
    flattening: asyncio.Task[FlattenPlan | None] | None = None
    before, is_back, outage = 0, False, Outage()
    for second in range(1, LAST_SECOND):
        await _until(world.begun + second)
        await world.play_second(second)
        if second == DOWN_SECOND:
            before = sum(world.exchange.net().values())
            for name in {EXECUTOR, POSITION} & set(down):
                world.house.current[name].kill()
            if "bus" in down:
                outage.begin(monkeypatch)
            flattening = asyncio.create_task(rounds_of(world, lines, folder).run())
        if flattening is not None and flattening.done() and not is_back:
            is_back, outage.is_on = True, False
            for name in {EXECUTOR, POSITION} & set(down):
                world.house.start(name)
    world.house.stop()
    assert flattening is not None
    orders = world.exchange.account.orders()
    events = world.cluster.events
    sales = [one for one in orders if one["transaction_type"] == "SELL"]
    return Played(
        left=await flattening,
        net=sum(world.exchange.net().values()),
        working=sum(one["pending_quantity"] for one in orders),
        held_before=before,
        closed=[
            one for one in world.cluster.events("positions") if isinstance(one, PositionClosed)
        ],
        halts=[one for one in events("control") if isinstance(one, TradingHalted)],
        sold=sum(one["filled_quantity"] for one in sales),
        lines=lines,
        story=world.house.story,
    )


@dataclass
class Outage:
    """A bus that does not answer while `is_on`."""

    is_on: bool = False

    def begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let all calls fail."""
        self.is_on = True
        for name in ("publish", "flush", "confirm", "commit"):
            monkeypatch.setattr(Connection, name, self._unless_away(getattr(Connection, name)))

    def _unless_away(self, call: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def called(*words: object) -> None:
            if self.is_on:
                raise BusUnavailable("no broker answers")
            await call(*words)

        return called


@pytest.mark.parametrize("down", SUBSETS, ids=lambda down: " ".join(down) or "nothing")
def test_with_parts_down_it_is_flat_and_what_comes_back_books_it(
    down: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = play(played(down, tmp_path, monkeypatch), NOW)
    assert found.held_before > 0
    assert found.left is not None
    assert found.left.is_flat, found.lines
    assert (found.net, found.working) == (0, 0)
    assert found.sold == found.held_before, "each unit is sold once"
    assert [one.exit_reason for one in found.closed] == ["flattened"], found.story
    assert [one.reason for one in found.halts] == ["flattened by asha"]
