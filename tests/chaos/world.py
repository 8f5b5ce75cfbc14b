"""One run: a small trading day in which one thing goes wrong, and what came of it."""

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from random import Random

from libs.events.control import TradingHalted
from libs.events.event import identity, utc_from_ms
from libs.events.orders import OrderPlanned
from libs.events.positions import ExitRequested
from libs.runtime.clock import WallClock
from libs.runtime.service import Parts, Service
from libs.store.errors import StoreUnavailable
from services.executor import service as executor_service
from services.executor.domain.policy import OrderRules, RiskLimits, Sizing
from services.executor.domain.profiles import Profile
from services.executor.domain.profiles.profile import BookingRule
from services.executor.domain.resting_stop import RestingStopRules
from services.executor.settings import ExecutorSettings
from services.position import service as position_service
from services.position.settings import PositionSettings
from tests.chaos.cluster import Cluster
from tests.chaos.exchange import Exchange
from tests.chaos.faults import EXECUTOR, FAULTS, POSITION, Fault, Plan
from tests.chaos.invariants import Violation, violations
from tests.chaos.market import Market
from tests.chaos.processes import House, MakeService, Process
from tests.chaos.venue import ExchangeVenue
from tests.chaos.virtual import play
from tests.unit.fakes import ForgetfulStore
from tests.unit.services.executor.builders import DAY, NEXT_DAY, NOW, signal

LAST_SECOND = 150
CALM_SECONDS = 3
SIGNAL_SECOND = 2
MOVES = ("stop", "stop", "target", "by_hand", "left_then_falls", "falls_at_once", "runs_away")
BOOKED_MOVES = ("rises_then_falls", "rises_then_falls", "rises", "target", "runs_away", "by_hand")
FACTORS = {
    "stop": 0.6,
    "target": 1.75,
    "by_hand": 1.0,
    "left_then_falls": 0.6,
    "falls_at_once": 0.62,
    "runs_away": 1.2,
    "rises": 1.3,
    "rises_then_falls": 0.6,
}
BOOKED = Profile(
    stop=Decimal("0.30"),
    target=Decimal("0.60"),
    risk=Decimal("0.02"),
    bookings=(
        BookingRule(Decimal("0.10"), Decimal("0.34")),
        BookingRule(Decimal("0.20"), Decimal("0.34")),
    ),
    cost_after=Decimal("0.05"),
)
"""Of three lots one is sold at each booking, and one at the stop, which lies at cost by then."""
NOISE = 2
FALL_SECONDS = 5
"""How long after an exit by hand the market falls."""
MOST_ENDS = 8
"""A day on which processes end more often is over."""
NIGHT_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Story:
    """What the seed decides besides the fault.

    From `move_second` on the market moves; nobody trades in the first `dry_seconds` after it.
    `is_deaf`: from then on the websockets say nothing, and nobody polls. `is_strict`: limit prices
    are judged by the average of 30 seconds, so that a sale after a fall is refused at first.
    `has_stops`: a stop rests at the exchange. `books`: parts are sold on the way up. Prices jump by
    up to `noise` times 0.4 %.
    """

    move: str = "stop"
    move_second: int = 8
    quantity: int = 10_000
    is_large: bool = False
    dry_seconds: int = 0
    is_deaf: bool = False
    is_strict: bool = False
    has_stops: bool = True
    noise: int = 0
    books: bool = False

    @classmethod
    def of(cls, random: Random, fault: Fault) -> "Story":
        """Draw a story; one in which something is cancelled for faults of that."""
        is_large, is_thin = random.random() < 0.2, random.random() < 0.33
        move, second = random.choice(MOVES), random.randrange(6, 11)
        if fault.point.startswith("cancel.") or fault.point == "fill_while_cancelled":
            move = random.choice(("runs_away", "falls_at_once", "by_hand"))
            is_thin = True
        offered = (1_050 if is_large else 150) if is_thin else 10_000
        dry = random.choice((0, 0, 0, 2, 6))
        is_strict = random.random() < 0.15
        if fault.point.startswith(("modify.", "confirm.")):
            move, dry = random.choice(("stop", "by_hand")), 6
        has_stops = random.random() < 0.7
        books = random.random() < 0.4
        if books and not fault.point.startswith(("cancel.", "modify.", "confirm.")):
            move = random.choice(BOOKED_MOVES)
        return cls(move, second, offered, is_large, dry, False, is_strict, has_stops, NOISE, books)


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    fault: str
    seed: int
    violations: tuple[Violation, ...]
    happened: int
    seconds: float
    traded: bool
    bookings: int = 0
    story: list[str] = field(default_factory=list)


class RefusingStore(ForgetfulStore):
    """A database that takes nothing."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    async def insert(self, table: str, columns: object) -> int:
        """Refuse."""
        self._plan.happened += 1
        raise StoreUnavailable("no database answers")


class World:
    """The market, the broker, the bus and the services of one run."""

    def __init__(self, fault: Fault, seed: int, directed: "Directed | None" = None) -> None:
        self.random = Random(f"{fault.name} {seed}")
        self.fault = fault
        self.story = Story.of(self.random, fault)
        if directed is None:
            self.plan = Plan(fault, self.random)
        else:
            self.story = directed.story
            self.plan = Plan(fault, self.random, directed.visit, directed.times, directed.seconds)
        self.cluster = Cluster()
        self.market = Market(DAY, NOW, self.story.quantity)
        self.clock = WallClock()
        self.market.averages = 30 if self.story.is_strict else 1
        self.exchange = Exchange(self.market, self.clock.now_ms)
        self.house = House(
            self.cluster,
            self.exchange,
            self.plan,
            f"{fault.name}{seed}",
            SERVICES,
            RefusingStore(self.plan),
        )
        self.house.is_large, self.house.has_stops = self.story.is_large, self.story.has_stops
        self.house.books = self.story.books
        self._planned: set[str] = set()
        self._read = 0
        self.exchange.is_planned = self._is_planned
        self.is_halted = False
        self.begun = 0.0
        self.exchange.numbers_by_order = fault.point == "trade_ids"
        self.exchange.is_silent = fault.point == "websocket"
        self.plan.happened = int(fault.point in ("trade_ids", "nothing", "websocket"))
        self._asked: set[str] = set()
        self.exchange.mischief = self._mischief
        if fault.point == "square_off":
            self.house.product = "MIS"

    async def run(self) -> None:
        """Play the day until nothing is left to be done, or for LAST_SECOND seconds."""
        self.begin_day()
        calm = 0
        for second in range(1, LAST_SECOND):
            await _until(self.begun + second)
            if self.fault.point == "night" and second == self.story.move_second - 1:
                await self._night(second)
            await self.play_second(second)
            calm = calm + 1 if self.is_done(second) else 0
            if calm > CALM_SECONDS or len(self.house.ended) > MOST_ENDS:
                break
        self.house.stop()

    async def play_second(self, second: int) -> None:
        """Play a second: the market, the broker, the feed, and what people do."""
        self._disconnect(second)
        self._move(second)
        self.exchange.second()
        await asyncio.sleep(0.03)
        self._feed(second)
        await asyncio.sleep(0.02)
        self._act(second)

    def begin_day(self) -> None:
        """Announce what is listed, and start the services."""
        for event in self.market.listed():
            self.cluster.publish(event)
        self.house.start(EXECUTOR)
        self.house.start(POSITION)

    async def _night(self, second: int) -> None:
        """Stop everything, and go on at the same time of the next trading day."""
        self.plan.happened = 1
        self.house.stop()
        self.begun += NIGHT_SECONDS
        await _until(self.begun + second - 0.5)
        self.exchange.begin_day(NEXT_DAY)
        self.begin_day()
        await _until(self.begun + second)

    def _mischief(self, name: str) -> bool:
        return self.fault.point == name and self.plan.takes(self.fault.process, name) is not None

    def contract(self) -> str:
        """Return the contract of the latest entry."""
        return self.entries()[-1].contract.tradingsymbol

    def entries(self) -> list[OrderPlanned]:
        """Return the entries that were planned."""
        return [
            event
            for event in self.cluster.events("orders")
            if isinstance(event, OrderPlanned) and event.leg == "entry"
        ]

    def _is_planned(self, tag: str) -> bool:
        log = self.cluster.log("orders")
        for message in log[self._read :]:
            event = self.cluster.event_of(message)
            if isinstance(event, OrderPlanned):
                self._planned.add(event.tag)
        self._read = len(log)
        return tag in self._planned

    def _disconnect(self, second: int) -> None:
        """Let no request reach the broker for a while, just before an order fills.

        For faults of the fence's confirmation an exit is first not sent, and sent again.
        """
        if self.fault.point.startswith("confirm.") and second == self.story.move_second:
            self.exchange.lost_sales = 1
        moments = {"early": SIGNAL_SECOND + 1, "late": self.story.move_second + 1}
        if self.fault.point == "rest" and second == moments[self.fault.effect]:
            self.plan.happened = 1
            self.house.note("nothing but the websocket connects to the broker")
            self.exchange.no_rest_until_ms = self.clock.now_ms() + round(self.plan.seconds * 2000)

    def _move(self, second: int) -> None:
        """Move the market: quiet, then to the stop or the target, and a little all the time."""
        story, factor = self.story, 1.0
        is_early = story.move in ("falls_at_once", "runs_away") and second > SIGNAL_SECOND
        is_late = story.move == "left_then_falls" and second < story.move_second + FALL_SECONDS
        if (second >= story.move_second and not is_late) or is_early:
            factor = FACTORS[story.move]
        if story.move == "rises_then_falls" and 0 <= second - story.move_second < FALL_SECONDS:
            factor = FACTORS["rises"]
        if story.is_deaf and second >= story.move_second:
            self.exchange.is_silent, self.exchange.is_polled = True, False
        is_dry = 0 <= second - story.move_second < story.dry_seconds
        self.market.move(
            NOW + round((self.begun + second) * 1000),
            factor * (1 + 0.004 * self.random.randint(-story.noise, story.noise)),
            0 if is_dry else story.quantity,
        )

    def _feed(self, second: int) -> None:
        """Send the second's ticks, unless the feed is silent."""
        begins = {"early": 3, "late": self.story.move_second - 2}.get(self.fault.effect, 0)
        seconds = round(self.plan.seconds * 3)
        if self.fault.point == "feed" and begins <= second < begins + seconds:
            self.plan.happened = 1
            return
        self.cluster.publish(self.market.ticks(self.clock.now_ms()))

    def _act(self, second: int) -> None:
        """Do what people and the other services do."""
        if second == SIGNAL_SECOND:
            self.cluster.publish(signal(1, self.clock.now_ms()))
        if second >= self.story.move_second + 8 or (
            self.story.move in ("by_hand", "left_then_falls") and second >= self.story.move_second
        ):
            self.ask_for_exits("exit")
        self._act_as_planned(second)

    def _act_as_planned(self, second: int) -> None:
        moments = {"early": 4, "late": self.story.move_second + 1}
        if self.fault.point == "power":  # so that the stop fills while nothing of ours runs
            moments["late"] = self.story.move_second - 1
        is_at = moments.get(self.fault.effect) == second
        point = self.fault.point
        if not is_at or point in ("feed", "rest", "update") or not self.entries():
            return
        symbol, held = self.contract(), self.exchange.seen.sides[self.contract()].ours
        match point:
            case "sale_by_hand":
                self._trade("SELL", symbol, held)
            case "purchase_by_hand":
                self._trade("BUY", symbol, 75)
            case "resting_by_hand":
                self._rest(symbol, held)
            case "square_off":
                self.house.note("the broker closes what is intraday")
                self.exchange.square_off()
            case "power":
                self.house.cut_power(self.plan.seconds)
            case "halt":
                self.halt()
            case "exit_at_once":
                self.halt()
                self.ask_for_exits("at once")
            case _:
                return
        self.plan.happened = 1

    def _trade(self, side: str, symbol: str, quantity: int) -> None:
        if quantity > 0:
            self.house.note(f"by hand: {side} {quantity} {symbol}")
            self.exchange.by_hand(side, symbol, quantity)

    def _rest(self, symbol: str, held: int) -> None:
        """Let an order by hand rest far from the market, over a part of what is held."""
        if held >= 150:
            self.exchange.by_hand("SELL", symbol, 75, price="180.00")

    def halt(self) -> None:
        """Halt trading, as the endpoint does."""
        self.is_halted = True
        self.house.note("halt")
        at, parts = utc_from_ms(self.clock.now_ms()), ("chaos", self.clock.now_ms())
        envelope = TradingHalted.without_cause(*parts, occurred_at=at, trading_day=DAY)
        self.cluster.publish(TradingHalted(**envelope, reason="halted by the trader"))

    def ask_for_exits(self, why: str) -> None:
        """Ask to leave every position, as the endpoint does; once for each reason."""
        for plan in self.entries():
            key = f"{plan.position_id}{why}"
            if key not in self._asked:
                self._asked.add(key)
                self._publish_exit(plan, why)

    def _publish_exit(self, plan: OrderPlanned, why: str) -> None:
        at = utc_from_ms(self.clock.now_ms())
        self.house.note(f"exit asked for: {why}")
        self.cluster.publish(
            ExitRequested(
                event_id=identity("chaos exit", plan.position_id, why),
                occurred_at=at,
                trading_day=DAY,
                correlation_id=plan.correlation_id,
                position_id=plan.position_id,
                signal_id=plan.signal_id,
                reason="manual",
                lots=None,
            )
        )

    def is_done(self, second: int) -> bool:
        """Return whether nothing is under way any more."""
        house = self.house
        if second <= self.story.move_second or house.starting or house.paused:
            return False
        if self.exchange.under_way:
            return False
        if any(side.ours for side in self.exchange.seen.sides.values()):
            return False
        if any(row["tag"] and row["pending_quantity"] for row in self.exchange.account.orders()):
            return False
        return not violations(self)


@dataclass(frozen=True, slots=True)
class Directed:
    """A day by schedule: the fault happens at this visit of its point, so often, for so long."""

    fault: str
    story: Story
    visit: int = 0
    times: int = 1
    seconds: float = 12.0


def play_fault(fault: str, seed: int) -> Outcome:
    """Play one run; the same fault and seed always give the same outcome."""
    return play(_played(FAULTS[fault], seed, None), NOW)


def play_directed(directed: Directed) -> Outcome:
    """Play a day by schedule."""
    return play(_played(FAULTS[directed.fault], 0, directed), NOW)


async def _played(fault: Fault, seed: int, directed: Directed | None) -> Outcome:
    random.seed(f"{fault.name} {seed}")  # what backs off between two tries draws from there
    world = World(fault, seed, directed)
    try:
        await world.run()
        return Outcome(
            fault.name,
            seed,
            violations(world),
            world.plan.happened,
            asyncio.get_running_loop().time(),
            bool(world.exchange.seen.orders_of),
            _bookings(world),
            world.house.story,
        )
    finally:
        world.house.stop()


def _bookings(world: World) -> int:
    """Return how many bookings were asked for."""
    asked = world.cluster.events("exit_requests")
    return len({one.event_id for one in asked if getattr(one, "reason", "") == "booking"})


@cache
def _settings(is_large: bool, has_stops: bool, books: bool, product: str) -> ExecutorSettings:
    sizing, limits = Sizing(), RiskLimits()
    if is_large:
        sizing = Sizing(capital=Decimal(20_000_000))
        limits = RiskLimits(lots_a_trade=50)
    orders = OrderRules(
        product="MIS" if product == "MIS" else "NRML",
        entry_timeout_ms=8_000,
        exit_timeout_ms=4_000,
        exit_retry_ms=1_000,
        doubt_ms=5_000,
    )
    return ExecutorSettings(
        mode="paper",
        sizing=sizing,
        limits=limits,
        orders=orders,
        resting_stop=RestingStopRules(is_on=has_stops),
        profiles={"booked": BOOKED},
        profile="booked" if books else "standard",
    )


def _executor(parts: Parts, process: Process) -> Service:
    house = process.house
    venue = process.venue = ExchangeVenue(house.exchange, process, process.random)
    return executor_service.make_service(
        _settings(house.is_large, house.has_stops, house.books, house.product),
        parts,
        venue,
        waits=True,
        flattening=house.flattening,
    )


def _position(parts: Parts, _process: Process) -> Service:
    return position_service.make_service(_position_settings(), parts)


@cache
def _position_settings() -> PositionSettings:
    return PositionSettings()


SERVICES: dict[str, MakeService] = {EXECUTOR: _executor, POSITION: _position}


async def _until(second: float) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(0.0, second - loop.time()))
