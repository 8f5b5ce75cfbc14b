"""A day on which a test makes the moves, one a second, in any order."""

import asyncio
import random
from collections.abc import Callable
from contextlib import ExitStack

from libs.events.control import TradingResumed
from libs.events.event import Event, utc_from_ms
from tests.chaos.faults import FAULTS
from tests.chaos.invariants import Violation, violations
from tests.chaos.virtual import VirtualLoop, clocks_of
from tests.chaos.world import Directed, Story, World
from tests.unit.services.executor.builders import DAY, NOW, signal

LATE_SECONDS = 2.5
PATIENCE = 120
MINUTE_SECONDS = 62
_LATE_UPDATES = Directed("update:late", Story(quantity=150), 0, 10**6, LATE_SECONDS)


class FreeWorld(World):
    """A world in which nothing happens by itself but what the services do."""

    def __init__(self) -> None:
        super().__init__(FAULTS[_LATE_UPDATES.fault], 0, _LATE_UPDATES)
        self.plan.is_over = True
        self.factor = 1.0
        self.second = 0

    def _move(self, second: int) -> None:
        at_ms = NOW + second * 1000
        self.market.move(at_ms, self.factor, self.story.quantity)

    def _act(self, second: int) -> None:
        """Leave it to the test."""


class DayByHand:
    """Plays the day a second at a time; `close` ends it."""

    def __init__(self) -> None:
        self._open = ExitStack()
        runner = self._open.enter_context(asyncio.Runner(loop_factory=VirtualLoop))
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        self._open.enter_context(clocks_of(loop, NOW))
        self._runner = runner
        self._signals = self._requests = 0
        self._is_sold_by_hand = False
        random.seed(0)
        self.world = runner.run(self._begin())
        self.play(2)

    def play(self, seconds: int = 1) -> None:
        """Let seconds pass."""
        for _ in range(seconds):
            self._runner.run(self._second())

    def signal(self) -> None:
        """Let a strategy want to buy."""
        self._signals += 1
        self._do(lambda world: world.cluster.publish(self._made_signal(world)))

    def ask_to_leave(self) -> None:
        """Ask to leave all positions."""
        self._requests += 1
        self._do(lambda world: world.ask_for_exits(f"request {self._requests}"))

    def halt(self) -> None:
        """Halt trading."""
        self._do(World.halt)

    def resume(self) -> None:
        """Resume trading."""
        self._do(_resume)

    def trade_by_hand(self, side: str, lots: int) -> None:
        """Trade the contract of the latest entry by hand, never more than is held.

        Between a sale and a purchase the account is compared with the books, as it is each minute:
        before that nobody can tell whose units are sold next.
        """
        if side == "BUY" and self._is_sold_by_hand:
            self.play(MINUTE_SECONDS)
        self._is_sold_by_hand = side == "SELL"
        self._do(lambda world: _trade(world, side, lots))

    def move_market(self, factor: float) -> None:
        """Let premiums be so many times those of the start."""
        self.world.factor = factor

    def let_updates_be_late(self, is_late: bool) -> None:
        """Let the updates of fills come late from now on, or in time."""
        self.world.plan.is_over = not is_late

    def settle(self) -> tuple[Violation, ...]:
        """Leave all positions, wait until nothing is under way, and return what does not hold."""
        self.let_updates_be_late(False)
        self.ask_to_leave()
        for _ in range(PATIENCE):
            self.play()
            if self.world.is_done(PATIENCE):
                break
        return tuple(violations(self.world))

    def close(self) -> None:
        """End the day."""
        self._do(lambda world: world.house.stop())
        self._open.close()

    async def _begin(self) -> FreeWorld:
        world = FreeWorld()
        world.begin_day()
        return world

    async def _second(self) -> None:
        world, loop = self.world, asyncio.get_running_loop()
        world.second += 1
        await asyncio.sleep(max(0.0, world.second - loop.time()))
        await world.play_second(world.second)

    def _do(self, action: Callable[[FreeWorld], object]) -> None:
        async def act() -> None:
            action(self.world)

        self._runner.run(act())

    def _made_signal(self, world: World) -> Event:
        return signal(self._signals, world.clock.now_ms())


def _resume(world: World) -> None:
    at, parts = utc_from_ms(world.clock.now_ms()), ("chaos", world.clock.now_ms())
    envelope = TradingResumed.without_cause(*parts, occurred_at=at, trading_day=DAY)
    world.cluster.publish(TradingResumed(**envelope, reason="resumed by the trader"))


def _trade(world: World, side: str, lots: int) -> None:
    if not world.entries():
        return
    symbol = world.contract()
    held = world.exchange.net()[symbol]
    quantity = 75 * lots if side == "BUY" else min(75 * lots, held)
    if quantity > 0:
        world.house.note(f"by hand: {side} {quantity} {symbol}")
        world.exchange.by_hand(side, symbol, quantity)
