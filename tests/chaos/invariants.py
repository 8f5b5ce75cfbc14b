"""What must hold after every run, whatever failed."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from libs.events.control import TradingHalted
from libs.events.errors import Fenced
from libs.events.orders import (
    OrderCancelled,
    OrderEvent,
    OrderFilled,
    OrderPlanned,
    OrderRejected,
    OrderUnresolved,
)
from libs.events.positions import ExitRequested, PositionClosed, PositionEvent
from libs.events.signals import ExecutionDecided, SignalExpired, SignalGenerated, SignalRejected
from libs.events.topics import TOPICS, dead_letter_topic

if TYPE_CHECKING:
    from tests.chaos.world import World

A_SECOND, A_MINUTE, A_DAY = 10, 400, 5_000
INVARIANTS = {
    "one_order_a_plan": "each plan has at most one order at the exchange",
    "plan_first": "no order is at the exchange without its plan on the bus",
    "flat_or_guarded": "each position ends flat or guarded",
    "book_agrees": "our book equals the exchange's",
    "never_short": "our own orders never make a short position",
    "within_budget": "the order budget is never passed",
    "nothing_dropped": "each signal, plan and exit request comes to an end",
    "stays_up": "no process ends but by a fault of its own",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold, and how."""

    invariant: str
    detail: str


def violations(world: "World") -> tuple[Violation, ...]:
    """Return all that does not hold at the end of a run, each thing once."""
    found = [
        *world.exchange.seen.wrong,
        *_unguarded(world),
        *_disagreements(world),
        *_over_budget(world),
        *_dropped(world),
        *_ended(world),
    ]
    return tuple(dict.fromkeys(Violation(*one) for one in found))


Found = Iterator[tuple[str, str]]


def _unguarded(world: "World") -> Found:
    """Whoever holds units at the end has an exit or a stop at the exchange, or an alert."""
    working = Counter[str]()
    for row in world.exchange.working("SELL"):
        working[row["tradingsymbol"]] += row["pending_quantity"]
    for symbol, side in world.exchange.seen.sides.items():
        if side.ours < 0 and not _is_alerted(world, symbol):
            yield "never_short", f"{-side.ours} units of {symbol} are short at the end"
        if side.ours <= working[symbol] or _is_alerted(world, symbol):
            continue
        yield "flat_or_guarded", f"{side.ours} units of {symbol} are held, nobody watches them"


def _is_alerted(world: "World", symbol: str) -> bool:
    alerts = (one for one in _orders(world) if isinstance(one, OrderUnresolved))
    return any(
        one.reason.startswith("alert: ") and one.contract.tradingsymbol == symbol for one in alerts
    )


def _disagreements(world: "World") -> Found:
    """Compare the fills of each plan, and what is held of each contract."""
    filled = Counter[str]()
    for event in {one.event_id: one for one in _fills(world)}.values():
        filled[event.tag] += event.fill_quantity
    for tag in world.exchange.seen.orders_of:
        there = world.exchange.seen.filled[tag]
        if there != filled[tag]:
            yield "book_agrees", f"order {tag}: {filled[tag]} filled in our book, {there} there"
    yield from _unequal_positions(world)


def _unequal_positions(world: "World") -> Found:
    held = Counter[str]()
    states: dict[object, PositionEvent] = {}
    for event in world.cluster.events("positions"):
        if isinstance(event, PositionEvent):
            states[event.position_id] = event
    for state in states.values():
        held[state.contract.tradingsymbol] += state.quantity
    for symbol, side in world.exchange.seen.sides.items():
        if held[symbol] != side.ours:
            yield "book_agrees", f"{symbol}: {held[symbol]} held in our book, {side.ours} there"


def _over_budget(world: "World") -> Found:
    times = [at_ms for at_ms, _ in world.exchange.seen.requests]
    for span, limit in ((1_000, A_SECOND), (60_000, A_MINUTE)):
        spans = Counter(at_ms // span for at_ms in times)
        busiest = max(spans.values(), default=0)
        if busiest > limit:
            yield "within_budget", f"{busiest} requests in {span} ms, {limit} are allowed"
    if len(times) > A_DAY:
        yield "within_budget", f"{len(times)} requests in the day"


def _dropped(world: "World") -> Found:
    yield from _dropped_signals(world)
    yield from _dropped_plans(world)
    yield from _dropped_exits(world)
    for topic in TOPICS:
        for message in world.cluster.log(dead_letter_topic(topic)):
            reason = dict(message.headers).get("reason", b"").decode()
            yield "nothing_dropped", f"dead letter of {topic}: {reason}"


def _dropped_signals(world: "World") -> Found:
    ended = {
        one.signal_id
        for topic in ("decisions", "signal_updates")
        for one in world.cluster.events(topic)
        if isinstance(one, ExecutionDecided | SignalExpired | SignalRejected)
    }
    for one in world.cluster.events("signal_generated"):
        if isinstance(one, SignalGenerated) and one.signal_id not in ended:
            yield "nothing_dropped", "a signal was never decided"


def _dropped_plans(world: "World") -> Found:
    """Each plan was sent, is in doubt, was refused, or has ended."""
    known: dict[object, list[OrderEvent]] = defaultdict(list)
    for event in _orders(world):
        known[event.order_id].append(event)
    working = {row["tag"] for row in world.exchange.account.orders() if row["pending_quantity"]}
    for events in known.values():
        plan = events[0]
        if len(events) == 1 and isinstance(plan, OrderPlanned):
            yield "nothing_dropped", f"the plan of {plan.leg} {plan.tag} was never heard of again"
        is_ended = any(isinstance(one, OrderCancelled | OrderRejected) for one in events)
        filled = sum(one.fill_quantity for one in events if isinstance(one, OrderFilled))
        is_doubtful = isinstance(events[-1], OrderUnresolved)
        if not (is_ended or filled >= plan.quantity or is_doubtful or plan.tag in working):
            yield "nothing_dropped", f"order {plan.leg} {plan.tag} has no end in our book"


def _dropped_exits(world: "World") -> Found:
    """Each exit request has led to a sale of everything, or there is an alert."""
    closed = {
        one.position_id
        for one in world.cluster.events("positions")
        if isinstance(one, PositionClosed)
    }
    opened = {
        one.position_id
        for one in world.cluster.events("positions")
        if isinstance(one, PositionEvent)
    }
    for one in world.cluster.events("exit_requests"):
        if not isinstance(one, ExitRequested) or one.position_id in closed:
            continue
        if one.position_id not in opened:
            continue
        symbol = next(
            event.contract.tradingsymbol
            for event in world.cluster.events("positions")
            if isinstance(event, PositionEvent) and event.position_id == one.position_id
        )
        if not _is_alerted(world, symbol) and not world.exchange.working("SELL"):
            yield "nothing_dropped", f"an exit ({one.reason}) has led to nothing"


def _ended(world: "World") -> Found:
    """A process may end by itself only where the bus has failed, or a successor has come."""
    fault = world.fault
    for name, error in world.house.ended:
        is_pause = fault.effect == "pause" and fault.process == name and isinstance(error, Fenced)
        if not is_pause:
            yield "stays_up", f"{name} ended: {type(error).__name__}: {error}"
    halts = [one for one in world.cluster.events("control") if isinstance(one, TradingHalted)]
    for halt in halts[:1]:
        if not (world.is_halted or _is_right_to_halt(world, halt)):
            yield "stays_up", f"trading was halted: {halt.reason}"


def _is_right_to_halt(world: "World", halt: TradingHalted) -> bool:
    """Whether a sale by hand and one of ours have met at the exchange: too much was sold."""
    has_raced = any(side.was_race for side in world.exchange.seen.sides.values())
    return has_raced and "sold that were not held" in halt.reason


def _orders(world: "World") -> list[OrderEvent]:
    return [one for one in world.cluster.events("orders") if isinstance(one, OrderEvent)]


def _fills(world: "World") -> list[OrderFilled]:
    return [one for one in _orders(world) if isinstance(one, OrderFilled)]
