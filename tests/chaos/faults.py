"""What can go wrong, where and how: the faults by name, and the plan of one run.

A fault is an effect at a point, `place.sent:crash` for example: the executor is killed when the
exchange has taken an order and the reply is on its way. The seed decides at which visit of the
point it happens.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

EXECUTOR, POSITION = "executor", "position"


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect at a point of a process. `among`: it happens at one of so many first visits."""

    point: str
    effect: str
    process: str = EXECUTOR
    among: int = 3

    @property
    def name(self) -> str:
        """Its name on the command line and in the report."""
        of = "" if self.process == EXECUTOR else f"{self.process}."
        return f"{of}{self.point}:{self.effect}"


_Made = Iterator[Fault]
_CALLS = (("place", 2), ("cancel", 1), ("modify", 2))
_READS = (("orders", 4), ("contract", 1), ("trades", 2), ("positions", 2), ("margins", 2))
_UNSENT = ("refused", "reset", "too_many", "forbidden", "slow", "crash", "pause")
_UNREAD = ("reset", "too_many", "forbidden", "server_error", "slow", "crash", "pause")


def _many(point: str, effects: tuple[str, ...], process: str = EXECUTOR, among: int = 1) -> _Made:
    return (Fault(point, effect, process, among) for effect in effects)


def _broker() -> _Made:
    for call, among in _CALLS:
        yield from _many(f"{call}.before", _UNSENT, among=among)
        yield from _many(f"{call}.wire", ("lost", "late", "crash", "stop", "pause"), among=among)
        after = ("timeout", "server_error", "slow", "crash", "pause")
        yield from _many(f"{call}.after", after, among=among)
    for call, among in _READS:
        yield from _many(f"{call}.before", _UNREAD, among=among)
        yield from _many(f"{call}.after", ("timeout", "crash", "pause"), among=among)
    yield from _many("update", ("lost", "late", "twice"), among=6)
    yield from _many("updated.after", ("crash", "stop"), among=4)


def _bus() -> _Made:
    steps = (("publish", 12), ("flush", 8), ("commit", 6))
    for process in (EXECUTOR, POSITION):
        for point, among in steps:
            before = ("crash", "pause", "unavailable")
            yield from _many(f"{point}.before", before, process, among)
            yield from _many(f"{point}.after", ("crash", "unavailable"), process, among)
        yield from _many("fetch.before", ("crash", "stop", "pause"), process, 20)
        yield from _many("flush.before", ("late", "slow"), process, 8)
        yield from _many("read.before", ("crash",), process, 5)
    yield from _many("confirm.before", ("unavailable", "crash"))
    yield from _many("confirm.after", ("unavailable", "crash", "pause"))


def _surroundings() -> _Made:
    """What the world does, early or late in the run."""
    points = (
        "feed",
        "rest",
        "sale_by_hand",
        "purchase_by_hand",
        "resting_by_hand",
        "halt",
        "exit_at_once",
    )
    for point in points:
        yield from _many(point, ("early", "late"))
    yield from _many("power", ("early", "late"))
    yield from _many("square_off", ("early", "late"))
    yield from _many("rejected_in_book", ("wrong",), among=3)
    yield from _many("cancelled_in_book", ("wrong",), among=3)
    yield from _many("fill_while_cancelled", ("wrong",))
    yield from _many("websocket", ("lost",))
    yield from _many("store", ("unavailable",))
    yield from _many("trade_ids", ("again",))
    yield from _many("night", ("early",))
    yield from _many("nothing", ("wrong",))


FAULTS: dict[str, Fault] = {one.name: one for one in (*_broker(), *_bus(), *_surroundings())}


@dataclass(slots=True)
class Plan:
    """The fault of one run: at which visit it happens, and how often; visits are counted."""

    fault: Fault
    random: Random
    visit: int = -1
    times: int = 0
    seconds: float = 0.0
    happened: int = 0
    _visits: Counter[str] = field(default_factory=Counter)
    is_over: bool = False

    def __post_init__(self) -> None:
        """Draw what is not given."""
        visit = self.random.randrange(self.fault.among)
        self.visit = visit if self.visit < 0 else self.visit
        is_brief = self.fault.effect in ("crash", "stop", "pause", "late")
        times = 1 if is_brief else self.random.choice((1, 1, 1, 2, 5))
        self.times = self.times or times
        seconds = self.random.choice((1.5, 2.5, 4.0, 12.0, 21.0))
        self.seconds = self.seconds or seconds

    def takes(self, process: str, point: str) -> str | None:
        """Count a visit of a point; return the effect if it happens now."""
        fault = self.fault
        if self.is_over or point != fault.point or process != fault.process:
            return None
        visit = self._visits[point]
        self._visits[point] += 1
        if not self.visit <= visit < self.visit + self.times:
            return None
        self.happened += 1
        return fault.effect
